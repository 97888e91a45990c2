// A real registry on loopback, with TLS and passwords: pushed to by skopeo, pulled by us, run.
#include "oci/manifest.hpp"
#include "oci/reference.hpp"
#include "tests/root/host_fixture.hpp"
#include "tests/unit/oci/tar_builder.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

namespace e2e_registry_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

// "user" with the password "secret"
constexpr auto htpasswd = "user:$2y$05$eRpEcuPFiuS5evWECXhHIO55K/M4fbNLy.Fbxg5gKlairJ2Hb/BRO\n";

std::string text_of(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream{path}.rdbuf();
  return out.str();
}

/// An OCI layout written by hand; every image in it has one layer, the witness.
class layout {
 public:
  explicit layout(fs::path dir) : dir_(std::move(dir)) {
    fs::create_directories(dir_ / "blobs/sha256");
    std::ofstream{dir_ / "oci-layout"} << R"({"imageLayoutVersion":"1.0.0"})";
    oci::testing::tar_builder tar;
    tar.dir("bin").file("bin/witness", text_of(std::getenv("TANK_WITNESS")), 0755);
    layer_ = tar.bytes();
    put(layer_);
  }

  /// The manifest of an image for `target`.
  oci::descriptor add_image(const oci::platform& target) {
    oci::image_settings settings;
    settings.target = target;
    settings.diff_ids = {oci::digest_of(layer_)};
    settings.config.env = {"FROM=" + target.to_string()};
    oci::image_manifest m;
    m.config = put(to_json(settings, "test"), oci::media::config);
    m.layers = {put(layer_, oci::media::layer)};
    auto d = put(to_json(m), oci::media::manifest);
    d.target = target;
    return d;
  }

  /// An index over them, by that name.
  void add_index(const std::string& name, const std::vector<oci::descriptor>& images) {
    std::string text = R"({"schemaVersion":2,"mediaType":")" + std::string{oci::media::index} +
                       R"(","manifests":[)";
    for (const auto& d : images)
      text += (&d == &images.front() ? "" : ",") +
              row(d, R"("platform":{"os":")" + d.target.os + R"(","architecture":")" +
                         d.target.architecture + "\"}");
    name_it(name, put(text + "]}", oci::media::index));
  }

  void name_it(const std::string& name, const oci::descriptor& d) {
    names_ += (names_.empty() ? "" : ",") +
              row(d, R"("annotations":{"org.opencontainers.image.ref.name":")" + name + "\"}");
    std::ofstream{dir_ / "index.json"} << R"({"schemaVersion":2,"manifests":[)" << names_ << "]}";
  }

  [[nodiscard]] std::string at(const std::string& name) const {
    return "oci:" + dir_.string() + ":" + name;
  }

 private:
  static std::string row(const oci::descriptor& d, const std::string& more) {
    return R"({"mediaType":")" + d.media_type + R"(","digest":")" + d.content.to_string() +
           R"(","size":)" + std::to_string(d.size) + "," + more + "}";
  }
  oci::descriptor put(const std::string& content, std::string_view type = {}) {
    const auto digest = oci::digest_of(content);
    std::ofstream{dir_ / "blobs/sha256" / digest.hex} << content;
    return {std::string{type}, digest, content.size(), {}, {}};
  }

  fs::path dir_;
  std::string layer_;
  std::string names_;
};

/// docker-registry with a certificate and a password file of its own.
class real_registry {
 public:
  explicit real_registry(host& h) : h_(h), dir_(h.root / "registry") {
    fs::create_directories(dir_ / "ca");
    const auto key = (dir_ / "key.pem").string();
    const auto crt = (dir_ / "ca/ca.crt").string();
    child made{{"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=registry",
                "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", crt},
               {"PATH=/usr/bin"}};
    REQUIRE_MESSAGE(made.wait() == 0, made.err);
    std::ofstream{dir_ / "htpasswd"} << htpasswd;
    std::ofstream{dir_ / "config.yml"}
        << "version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: "
        << (dir_ / "data").string()
        << "}}\nhttp:\n  addr: 127.0.0.1:0\n  tls: {certificate: " << crt << ", key: " << key
        << "}\nauth: {htpasswd: {realm: test, path: " << (dir_ / "htpasswd").string() << "}}\n";
    start();
  }

  void start() {
    server_ = std::make_unique<child>(std::vector<std::string>{"/usr/bin/docker-registry", "serve",
                                                               (dir_ / "config.yml").string()},
                                      std::vector<std::string>{"PATH=/usr/bin"});
    const std::string mark = "listening on 127.0.0.1:";
    REQUIRE_MESSAGE(server_->await(mark), server_->err);
    REQUIRE(server_->await(", tls"));
    const auto all = server_->out + server_->err;
    at = "127.0.0.1:" + std::to_string(std::atoi(all.c_str() + all.find(mark) + mark.size()));
    // It logs every request, and stands still when nobody takes what it says.
    stop_ = unique_fd{::eventfd(0, EFD_CLOEXEC)};
    hears_ = std::thread{[this] {
      pollfd asked{stop_.get(), POLLIN, 0};
      while (::poll(&asked, 1, 0) == 0 && !server_->ended())
        server_->listen(patience_ms, stop_.get());
    }};
  }
  void stop() {
    if (!hears_.joinable()) return;
    ::eventfd_write(stop_.get(), 1);
    hears_.join();
    server_.reset();
  }
  ~real_registry() { stop(); }
  real_registry(const real_registry&) = delete;
  real_registry& operator=(const real_registry&) = delete;

  /// Where this user's tools look for logins and certificates.
  void log_in(const std::string& auth) const {
    fs::create_directories(h_.root / "home/.docker");
    std::ofstream{h_.root / "home/.docker/config.json"} << R"({"auths":{")" << at
                                                        << R"(":{"auth":")" << auth << "\"}}}";
  }
  void trust() const {
    const auto certs = h_.root / "home/.config/containers/certs.d" / at;
    fs::create_directories(certs);
    fs::copy_file(dir_ / "ca/ca.crt", certs / "ca.crt");
  }

  void push(const std::string& from, const std::string& to, std::vector<std::string> more = {}) {
    std::vector<std::string> argv{
        "/usr/bin/skopeo", "--insecure-policy",   "copy", "-q", "--dest-creds", "user:secret",
        "--dest-cert-dir", (dir_ / "ca").string()};
    argv.insert(argv.end(), more.begin(), more.end());
    argv.push_back(from);
    argv.push_back("docker://" + at + "/" + to);
    child pushed{argv, {"PATH=/usr/bin", "HOME=" + (h_.root / "home").string()}};
    REQUIRE_MESSAGE(pushed.wait() == 0, pushed.err);
  }

  std::string at;

 private:
  host& h_;
  fs::path dir_;
  std::unique_ptr<child> server_;
  unique_fd stop_;
  std::thread hears_; ///< the only one that uses server_ while it runs
};

struct world {
  host h{"backoff: {base: 100ms, max: 200ms}\n"};
  real_registry registry{h};
  layout images{h.root / "layout"};
  world() {
    h.environment["HOME"] = (h.root / "home").string();
    images.name_it("one", images.add_image(oci::host_platform()));
  }
  void log_in() {
    registry.trust();
    registry.log_in("dXNlcjpzZWNyZXQ=");
  }
  void put(const std::string& name, const std::string& image, const std::string& policy) {
    auto text = manifest({.name = name, .image = image});
    const std::string never = "imagePullPolicy: Never";
    text.replace(text.find(never), never.size(), "imagePullPolicy: " + policy);
    h.put(name + ".yaml", text);
  }
};

bool have_tools() {
  for (const char* tool : {"/usr/bin/docker-registry", "/usr/bin/skopeo"}) {
    if (::access(tool, X_OK) == 0) continue;
    MESSAGE("skipped: no ", tool);
    return false;
  }
  return true;
}

} // namespace

TEST_CASE("what skopeo pushed is pulled and run, whatever its format") {
  if (!have_tools()) return;
  world w;
  w.log_in();
  auto images = w.images;
  auto other = oci::host_platform();
  other.architecture = other.architecture == "s390x" ? "amd64" : "s390x";
  other.variant.clear();
  images.add_index("multi", {images.add_image(other), images.add_image(oci::host_platform())});
  const auto one = images.at("one");
  w.registry.push(one, "team/oci:1", {"--format", "oci"});
  w.registry.push(one, "team/docker:1", {"--format", "v2s2"});
  w.registry.push(one, "team/zstd:1", {"--format", "oci", "--dest-compress-format", "zstd"});
  w.registry.push(images.at("multi"), "team/multi:1", {"--all"});
  w.h.start_daemon();
  for (const std::string name : {"oci", "docker", "zstd", "multi"})
    w.put(name, w.registry.at + "/team/" + name + ":1", "IfNotPresent");
  for (const std::string name : {"oci", "docker", "zstd", "multi"}) {
    const auto pod = w.h.await_running(name);
    CHECK(pod.restarts == 0);
  }
  const auto list = w.h.hear({"image", "list", "-o", "name"});
  for (const std::string name : {"oci", "docker", "zstd", "multi"})
    CHECK(list.find("/team/" + name + ":1") != std::string::npos);
  // One layer, four images: unpacked once.
  CHECK(std::distance(fs::directory_iterator{w.h.dirs.images() / "layers"}, {}) == 2);

  // With everything here, nobody is asked; who must ask cannot.
  w.registry.stop();
  w.put("again", w.registry.at + "/team/oci:1", "IfNotPresent");
  w.h.await_running("again");
  w.put("always", w.registry.at + "/team/oci:1", "Always");
  const auto down = w.h.await_pod("always", "ErrImagePull", [](const pod_status& p) {
    return p.state == pod_state::backing_off && p.last;
  });
  CHECK(down.last->reason == "ErrImagePull");
  CHECK(down.message.find("ImagePullBackOff") != std::string::npos);
  CHECK(down.restarts == 0);
  w.h.stop_daemon();
}

TEST_CASE("tank image pull, with and without a login and a certificate") {
  if (!have_tools()) return;
  world w;
  w.registry.push(w.images.at("one"), "team/app:1");
  const auto name = w.registry.at + "/team/app:1";
  const auto pull = [&] { return w.h.tank({"image", "pull", name}); };
  auto said = pull();
  CHECK(said.code == 1);
  CHECK_MESSAGE(said.err.find("certs.d/" + w.registry.at + "/ca.crt") != std::string::npos,
                said.err);
  w.registry.trust();
  said = pull();
  CHECK(said.code == 1);
  CHECK_MESSAGE(said.err.find("log in with") != std::string::npos, said.err);
  w.registry.log_in("dXNlcjp3cjBuZ3Bhc3M="); // user:wr0ngpass
  said = pull();
  CHECK(said.code == 1);
  CHECK_MESSAGE(said.err.find("401") != std::string::npos, said.err);
  CHECK(said.err.find("wr0ngpass") == std::string::npos);
  w.registry.log_in("dXNlcjpzZWNyZXQ=");
  said = pull();
  CHECK_MESSAGE(said.code == 0, said.err);
  CHECK_MESSAGE(said.out.find(" done\n") != std::string::npos, said.out);
  said = pull();
  CHECK_MESSAGE(said.out.find(" already here\n") != std::string::npos, said.out);
}

TEST_CASE("a pod whose image comes later starts then; Never asks nobody") {
  if (!have_tools()) return;
  world w;
  w.log_in();
  w.h.start_daemon();
  const auto image = w.registry.at + "/team/late:1";
  w.put("never", image, "Never");
  w.put("late", image, "IfNotPresent");
  const auto never = w.h.await_pod("never", "ErrImageNeverPull", [](const pod_status& p) {
    return p.last && p.last->reason == "ErrImageNeverPull";
  });
  w.h.await_pod("late", "ErrImagePull", [](const pod_status& p) {
    return p.last && p.last->reason == "ErrImagePull" && p.retries > 1;
  });
  w.registry.push(w.images.at("one"), "team/late:1");
  CHECK(w.h.await_running("late").restarts == 0);
  w.h.stop_daemon();
}

} // namespace e2e_registry_test

// Classes 10 and 11: registries that claim layers which they do not have, and that want the
// credentials of another one, asked by a pod's pull.
#include "tests/attack/attack_fixture.hpp"
#include "tests/registry/fault_registry.hpp"
#include "tests/registry/pull_fixture.hpp"

#include <fstream>

#include <curl/curl.h>

namespace registry_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

constexpr auto secret = "dXNlcjpzZWNyZXQ="; // user:secret

reply challenge(const std::string& value) {
  return {.status = 401, .headers = {{"WWW-Authenticate", value}}, .body = "{}"};
}

parts witness_image() {
  const auto program = file_text(std::getenv("TANK_WITNESS"));
  const auto tar = tar_builder{}.dir("bin").file("bin/witness", program, 0755).bytes();
  return image_of_layer(compressed(tar), tar);
}

/// A registry that wants the password for everything, and a home in which it is found for that
/// registry alone. What it answers to whoever has it is bent as a test wants.
struct registry_world {
  parts image = witness_image();
  std::function<std::optional<reply>(const seen_request&)> bent;
  scratch home;
  fault_registry registry;

  explicit registry_world(bool tls = false)
      : registry([this](const seen_request& r) { return answer(r); }, tls) {
    std::ofstream{make(home.dir / ".docker") / "config.json"}
        << R"({"auths":{")" << registry.at() << R"(":{"auth":")" << secret << "\"}}}";
    if (tls)
      std::ofstream{make(home.dir / ".config/containers/certs.d" / registry.at()) / "ca.crt"}
          << registry.certificate();
  }

  static fs::path make(const fs::path& dir) {
    fs::create_directories(dir);
    return dir;
  }
  reply answer(const seen_request& r) {
    if (r.header("authorization") != std::string{"Basic "} + secret)
      return challenge("Basic realm=\"r\"");
    if (bent)
      if (auto wanted = bent(r)) return *std::move(wanted);
    return honest(r);
  }
  [[nodiscard]] reply honest(const seen_request& r) const {
    if (r.target == "/v2/") return {.body = "{}"};
    if (has(r.target, "/manifests/"))
      return {.headers = {{"Content-Type", std::string{media::manifest}},
                          {"Docker-Content-Digest", image.manifest_digest}},
              .body = image.manifest};
    const auto it = image.blobs.find(r.target.substr(r.target.rfind('/') + 1));
    return it == image.blobs.end() ? reply{.status = 404, .body = "{}"} : reply{.body = it->second};
  }
  /// Sends whoever asks for the layer elsewhere.
  void redirect_layer(const std::string& to) {
    bent = [this, to](const seen_request& r) -> std::optional<reply> {
      if (!r.target.ends_with(image.layer_digest)) return std::nullopt;
      return reply{.status = 307, .headers = {{"Location", to + image.layer_digest}}};
    };
  }

  [[nodiscard]] std::map<std::string, std::string> variables() const {
    return {{"HOME", home.dir.string()}};
  }
  /// A pod whose image is pulled from it; up to where it runs, or its pull has failed.
  pod_status pull(arena& a) const {
    auto text = manifest({.name = "puller", .image = registry.at() + "/a:1"});
    const std::string never = "imagePullPolicy: Never";
    text.replace(text.find(never), never.size(), "imagePullPolicy: IfNotPresent");
    a.put("puller.yaml", text);
    auto pod = a.await_pod("puller", "runs, or cannot pull", [](const pod_status& p) {
      return p.state == pod_state::running || p.last;
    });
    a.remove("puller.yaml");
    a.await_gone("puller");
    return pod;
  }
};

bool told_secret(const fault_registry& server) {
  for (const auto& r : server.seen()) {
    if (has(r.body, "secret") || has(r.body, secret) || has(r.target, "secret")) return true;
    for (const auto& [name, value] : r.headers)
      if (name == "authorization" || has(value, secret)) return true;
  }
  return false;
}

/// Follows redirects with the password, as a client does that binds it to nothing.
std::size_t count_bytes(char*, std::size_t size, std::size_t n, void*) {
  return size * n;
}
void fetch_carelessly(const std::string& url) {
  CURL* c = ::curl_easy_init();
  ::curl_easy_setopt(c, CURLOPT_URL, url.c_str());
  ::curl_easy_setopt(c, CURLOPT_USERPWD, "user:secret");
  ::curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
  ::curl_easy_setopt(c, CURLOPT_UNRESTRICTED_AUTH, 1L);
  ::curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
  ::curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, count_bytes);
  CHECK(::curl_easy_perform(c) == CURLE_OK);
  ::curl_easy_cleanup(c);
}

} // namespace

TEST_CASE("class 10: an image is not shown a layer that it only claims to have") {
  registry_world w;
  arena a{{}, w.variables()};
  const auto secret_layer = tar_builder{}.file("private", "key").bytes();
  const pod_text owner{
      .name = "owner", .command = {"/bin/witness", "ls", "/"}, .image = a.image({secret_layer})};
  REQUIRE(has(a.say(owner), "private\n")); // it is in the store now
  // One blob of its own, twice; the second time it is to be the private layer's content.
  auto document = nlohmann::json::parse(w.image.manifest);
  document["layers"].push_back(document["layers"][0]);
  auto config = nlohmann::json::parse(w.image.blobs.at(w.image.config_digest));
  config["rootfs"]["diff_ids"].push_back(digest_of(secret_layer).to_string());
  const auto text = config.dump();
  document["config"]["digest"] = digest_of(text).to_string();
  document["config"]["size"] = text.size();
  w.image.blobs[digest_of(text).to_string()] = text;
  w.image.manifest = document.dump();
  w.image.manifest_digest = digest_of(w.image.manifest).to_string();
  const auto pod = w.pull(a);
  REQUIRE_MESSAGE(pod.last, pod.message);
  CHECK(pod.last->reason == "ErrImagePull");
  CHECK_MESSAGE(has(pod.last->message, "two contents"), pod.last->message);
  // Without the defence, whoever puts together what a config claims finds the layer in the store.
  const auto claimed = a.dirs.images() / "layers" / digest_of(secret_layer).file_name();
  CHECK(without_defence([&] { return file_text(claimed / "private"); }) == "key");
}

TEST_CASE("class 11: a redirect of a layer to another host takes no credentials along") {
  registry_world w;
  fault_registry cdn{[&](const seen_request& r) { return w.honest(r); }};
  for (const auto& host : {cdn.at("localhost"), cdn.at()}) { // another name; another port
    w.redirect_layer("http://" + host + "/");
    arena a{{}, w.variables()};
    const auto pod = w.pull(a);
    CHECK_MESSAGE(pod.state == pod_state::running, pod.message);
  }
  CHECK(told_secret(w.registry));
  CHECK(cdn.count(w.image.layer_digest) == 2);
  CHECK(!told_secret(cdn));
}

TEST_CASE("class 11, without the defence: the other host is told the password") {
  registry_world w;
  fault_registry cdn{[&](const seen_request& r) { return w.honest(r); }};
  w.redirect_layer("http://" + cdn.at("localhost") + "/");
  fetch_carelessly("http://" + w.registry.at() + "/v2/a/blobs/" + w.image.layer_digest);
  CHECK(told_secret(cdn));
}

TEST_CASE("class 11: who the registry sends us to is not answered either") {
  registry_world w;
  fault_registry thief{[](const seen_request&) { return challenge("Basic realm=\"r\""); }};
  w.redirect_layer("http://" + thief.at("localhost") + "/");
  arena a{{}, w.variables()};
  const auto pod = w.pull(a);
  REQUIRE(pod.last);
  CHECK(pod.last->reason == "ErrImagePull");
  CHECK(!thief.seen().empty());
  CHECK(!told_secret(thief));
}

TEST_CASE("class 11: a token server of another site is not asked") {
  fault_registry thief{[](const seen_request&) { return reply{.body = R"({"token":"t"})"}; }};
  registry_world w;
  fault_registry lure{[&](const seen_request&) {
    return challenge("Bearer realm=\"http://" + thief.at("localhost") + "/token\",service=\"s\"");
  }};
  std::ofstream{w.home.dir / ".docker/config.json"} << R"({"auths":{")" << lure.at()
                                                    << R"(":{"auth":")" << secret << "\"}}}";
  arena a{{}, w.variables()};
  auto text = manifest({.name = "puller", .image = lure.at() + "/a:1"});
  text.replace(text.find("Policy: Never"), 13, "Policy: Always");
  a.put("puller.yaml", text);
  const auto pod =
      a.await_pod("puller", "cannot pull", [](const pod_status& p) { return !!p.last; });
  CHECK(pod.last->reason == "ErrImagePull");
  CHECK_MESSAGE(has(pod.last->message, "credentials are not sent there"), pod.last->message);
  CHECK(!lure.seen().empty());
  CHECK(thief.seen().empty());
}

TEST_CASE("class 11: layers that a manifest says to be elsewhere are not fetched") {
  fault_registry elsewhere{[](const seen_request&) { return reply{.status = 404}; }};
  registry_world w;
  auto document = nlohmann::json::parse(w.image.manifest);
  document["layers"][0]["urls"] = {"http://" + elsewhere.at("localhost") + "/layer"};
  w.image.manifest = document.dump();
  w.image.manifest_digest = digest_of(w.image.manifest).to_string();
  arena a{{}, w.variables()};
  const auto pod = w.pull(a);
  REQUIRE_MESSAGE(pod.last, pod.message);
  CHECK(pod.last->reason == "ErrImagePull");
  CHECK(w.registry.count("/manifests/") > 0);
  CHECK(elsewhere.seen().empty());
}

TEST_CASE("class 11: no redirect leads from https to http") {
  fault_registry plain{[](const seen_request&) { return reply{.status = 404}; }};
  registry_world w{true};
  {
    arena a{{}, w.variables()};
    const auto pod = w.pull(a);
    CHECK_MESSAGE(pod.state == pod_state::running, pod.message); // but for the redirect, it works
  }
  w.redirect_layer("http://" + plain.at() + "/");
  arena a{{}, w.variables()};
  const auto pod = w.pull(a);
  REQUIRE_MESSAGE(pod.last, pod.message);
  CHECK_MESSAGE(has(pod.last->message, "from https to http"), pod.last->message);
  CHECK(plain.seen().empty());
}

} // namespace registry_test

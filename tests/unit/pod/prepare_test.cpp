#include "base/unique_fd.hpp"
#include "pod/container.hpp"
#include "pod/log_retention.hpp"
#include "pod/manifest_set.hpp"
#include "pod/sandbox.hpp"
#include "tests/actor/cgroup_recorder.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace prepare_test {

using namespace tank;
namespace fs = std::filesystem;

namespace {

/// Trees on disk, and nothing else of a kernel. Whoever runs the test owns what is made.
class disk_port final : public testing::cgroup_recorder {
 public:
  result<void> remove_tree(const fs::path& path) override {
    fs::remove_all(path);
    return {};
  }
  result<void> make_upper(const fs::path& dir, std::uint32_t) override {
    fs::create_directories(dir / "upper");
    fs::create_directories(dir / "work");
    return {};
  }
  result<void> make_directory(const fs::path& path, mode_t mode) override {
    return kernel::make_directory(path, mode);
  }
  result<void> make_empty_dir(const fs::path& path, mode_t mode, std::uint32_t,
                              std::uint32_t) override {
    return kernel::make_empty_dir(path, mode, ::geteuid(), ::getegid());
  }
  result<void> write_pod_file(const fs::path& dir, const std::string& name, std::string_view text,
                              std::uint32_t, std::uint32_t) override {
    return kernel::write_pod_file(dir, name, text, ::geteuid(), ::getegid());
  }
  result<fs::path> resolve_host_path(const fs::path& path, kernel::host_path_type type, bool create,
                                     const kernel::untrusted_directory& untrusted) override {
    return kernel::resolve_host_path(path, type, create, untrusted);
  }
  result<kernel::seccomp_filter> compile_filter(const kernel::seccomp_request& wanted) override {
    filters.push_back(wanted);
    return kernel::seccomp_filter{"12345678", 0};
  }
  std::vector<kernel::seccomp_request> filters;
};

} // namespace

TEST_CASE("hostPath types: each finds its own kind, makes what it may, refuses the rest") {
  std::string name = (fs::temp_directory_path() / "tank-prepare-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const fs::path root = name;
  fs::create_directory(root / "dir");
  std::ofstream(root / "file") << "x";
  disk_port port;
  const auto check = [&](const char* path, const char* type) {
    return resolve_host_path({"data", root / path, type}, port, nullptr);
  };
  CHECK(check("dir", ""));
  CHECK(check("dir", "Directory"));
  CHECK(check("dir", "DirectoryOrCreate"));
  CHECK(check("file", "File"));
  CHECK(check("file", "FileOrCreate"));
  CHECK(resolve_host_path({"null", "/dev/null", "CharDevice"}, port, nullptr) == "/dev/null");
  for (const char* type : {"Directory", "DirectoryOrCreate", "Socket", "CharDevice", "BlockDevice"})
    CHECK_FALSE(check("file", type));
  for (const char* type : {"File", "FileOrCreate", "Socket"})
    CHECK_FALSE(check("dir", type));
  for (const char* type : {"Directory", "File", "Socket", "CharDevice", "BlockDevice"})
    CHECK(check("missing", type).error().code == errc::not_found);
  CHECK(check("any", "") == root / "any"); // as kubelet's runtimes do
  CHECK(fs::is_directory(root / "any"));
  CHECK(resolve_host_path({"data", "any", ""}, port, nullptr).error().code == errc::invalid);
  CHECK(check("missing", "Directory").error().message() ==
        "cannot use hostPath of volume 'data' '" + (root / "missing").string() +
            "': No such file or directory (create it, or set type: DirectoryOrCreate)");
  CHECK(check("new/deep", "DirectoryOrCreate"));
  CHECK(fs::is_directory(root / "new/deep"));
  CHECK_FALSE(check("absent/file", "FileOrCreate")); // the parent must exist
  CHECK(check("new/file", "FileOrCreate"));
  CHECK(fs::is_regular_file(root / "new/file"));
  CHECK(check("dir", "Nonsense").error().code == errc::invalid);
  fs::remove_all(root);
}

TEST_CASE("a directory that could not be put on account is tried again") {
  std::string name = (fs::temp_directory_path() / "tank-prepare-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const fs::path root = name;
  directories dirs;
  dirs.state_dir = root / "state";
  fs::create_directories(root / "shared");
  given_paths given{dirs};
  CHECK_FALSE(given.add(root / "shared")); // there is no state directory
  fs::create_directory(dirs.state_dir);
  REQUIRE(given.add(root / "shared"));
  struct stat st {};
  REQUIRE(::stat((root / "shared").c_str(), &st) == 0);
  CHECK(given_paths{dirs}.contains(st));
  fs::remove_all(root);
}

TEST_CASE("class 3: a link that a pod may have planted leads the next pod nowhere") {
  std::string name = (fs::temp_directory_path() / "tank-prepare-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const fs::path root = name;
  directories dirs;
  dirs.state_dir = root / "state";
  fs::create_directories(dirs.state_dir);
  fs::create_directories(root / "shared/deep");
  fs::create_directories(root / "host/inner");
  disk_port port;
  given_paths given{dirs};
  given_paths beside{dirs}; // of another instance, which has looked before
  struct stat st {};
  REQUIRE(::stat(root.c_str(), &st) == 0);
  CHECK_FALSE(beside.contains(st));
  const auto resolve = [&](const fs::path& path, const char* type, given_paths* by) {
    return resolve_host_path({"data", path, type, true}, port, by);
  };
  REQUIRE(resolve(root / "shared", "", &given));
  fs::create_symlink(root / "host", root / "shared/x");
  fs::create_symlink("../../host/inner", root / "shared/deep/y");
  fs::create_symlink("shared/deep", root / "mine"); // of the host's administrator
  given_paths next_daemon{dirs};
  for (auto* by : {&given, &beside, &next_daemon}) {
    for (const auto* path : {"shared/x/inner", "shared/x", "shared/deep/y", "mine/y"}) {
      CAPTURE(path);
      const auto refused = resolve(root / path, "DirectoryOrCreate", by);
      REQUIRE_FALSE(refused);
      CHECK(refused.error().code == errc::denied);
      CHECK(refused.error().message().find("pods write to its directory") != std::string::npos);
    }
    CHECK_FALSE(resolve(root / "shared/x/made", "DirectoryOrCreate", by));
    CHECK_FALSE(resolve(root / "shared/x/file", "FileOrCreate", by));
    CHECK(resolve(root / "mine", "Directory", by) == root / "shared/deep");
  }
  CHECK_FALSE(fs::exists(root / "host/made"));
  CHECK_FALSE(fs::exists(root / "host/file"));
  // Without account of what pods write to, the link is as good as the host's.
  CHECK(resolve(root / "shared/x/inner", "Directory", nullptr) == root / "host/inner");
  REQUIRE(::chmod((root / "shared").c_str(), 0777) == 0);
  CHECK_FALSE(resolve(root / "shared/x/inner", "Directory", nullptr)); // anybody's, then
  fs::remove_all(root);
}

TEST_CASE("a run never writes into the log of an earlier one") {
  std::string name = (fs::temp_directory_path() / "tank-prepare-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const fs::path root = name;
  CHECK(unused_log(root / "none/0.log") == root / "none/0.log");
  CHECK(unused_log(root / "3.log") == root / "3.log");
  for (const char* file :
       {"0.log", "4.log", "4.log.1", "x.log", "99999999999.log", "7.txt", "-9.log"})
    std::ofstream(root / file) << "x";
  CHECK(unused_log(root / "0.log") == root / "5.log");
  CHECK(unused_log(root / "4.log") == root / "5.log");
  CHECK(unused_log(root / "8.log") == root / "8.log");
  fs::remove_all(root);
}

TEST_CASE("the newest five runs of a container keep their logs, rotated files with them") {
  log_listing there;
  for (const char* file :
       {"0.log", "0.log.1", "9.log", "10.log", "10.log.2", "11.log", "12.log", "13.log"})
    there.files.push_back({file});
  CHECK(logs_to_remove(there).files == std::vector<std::string>{"0.log", "0.log.1"});
  there.files.push_back({"14.log"});
  CHECK(logs_to_remove(there).files == std::vector<std::string>{"0.log", "0.log.1", "9.log"});
  there.files[1].in_use = true; // one file of a run keeps all of it
  CHECK(logs_to_remove(there).files == std::vector<std::string>{"9.log"});
  there.files.erase(there.files.begin()); // rotated away: what is left still belongs to run 0
  there.files[0].in_use = false;
  CHECK(logs_to_remove(there).files == std::vector<std::string>{"0.log.1", "9.log"});
}

TEST_CASE("files that are no logs are neither counted nor removed") {
  log_listing there;
  for (const char* file : {"x.log", "1.logs", "1.log.gz", "-1.log", ".log", "1.log.",
                           "99999999999.log", "notes", "1.log.1.log"})
    there.files.push_back({file});
  for (const char* file : {"2.log", "3.log", "4.log", "5.log", "6.log"})
    there.files.push_back({file});
  CHECK(logs_to_remove(there) == old_logs{});
}

TEST_CASE("of the contents a pod had, the two written last keep their logs beside the new one") {
  log_listing there;
  CHECK(logs_to_remove(there) == old_logs{});
  there.others = {{"d_web_a", 30}, {"d_web_b", 10}};
  CHECK(logs_to_remove(there) == old_logs{});
  there.others.push_back({"d_web_c", 20});
  there.others.push_back({"d_web_d", 5});
  CHECK(logs_to_remove(there).pods == std::vector<std::string>{"d_web_b", "d_web_d"});
  there.others[1].in_use = true;
  CHECK(logs_to_remove(there).pods == std::vector<std::string>{"d_web_d"});
}

TEST_CASE("of too many log directories the oldest go, in one sweep, and never one in use") {
  std::vector<log_listing::pod> there;
  for (int i = 1; i < 10; ++i)
    there.push_back({"d_p" + std::to_string(i) + "_u", 100 - i, i == 8});
  CHECK(pods_too_many(there, 10, 7).empty()); // the new run's own is the tenth
  there.push_back({"d_late_u", 200});
  CHECK(pods_too_many(there, 10, 7) ==
        std::vector<std::string>{"d_p9_u", "d_p7_u", "d_p6_u", "d_p5_u"});
  for (auto& pod : there)
    pod.in_use = true;
  CHECK(pods_too_many(there, 10, 7).empty());
}

TEST_CASE("ever new names of pods do not fill the log directory") {
  std::string root = (fs::temp_directory_path() / "tank-logs-XXXXXX").string();
  REQUIRE(::mkdtemp(root.data()) != nullptr);
  const fs::path pods = fs::path{root} / "pods";
  for (std::size_t i = 0; i < kept_directories; ++i)
    fs::create_directories(pods / ("default_once" + std::to_string(i) + "_u"));
  fs::create_directories(pods / "not ours");
  const auto count = [&] { return std::distance(fs::directory_iterator{pods}, {}); };
  fs::create_directories(pods / "default_new_u" / "main");
  remove_old_logs(pods / "default_new_u" / "main" / "0.log");
  CHECK(count() == static_cast<std::ptrdiff_t>(kept_after_sweep) + 1);
  CHECK(fs::exists(pods / "default_new_u" / "main"));
  CHECK(fs::exists(pods / "not ours"));
  fs::remove_all(root);
}

TEST_CASE("a manifest is judged: good ones have pods, wrong and unsupported ones only errors") {
  const std::string good = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
                           "spec: {containers: [{name: main, image: 'web:1'}]}\n";
  const auto ok = judge_manifest("a.yaml", good);
  REQUIRE(ok.pods.size() == 1);
  CHECK(ok.errors.empty());
  CHECK(ok.pods[0].key == "default/web");
  CHECK(ok.pods[0].desired.uid.size() == 36);
  // identity is content: a comment changes nothing, another image does
  CHECK(judge_manifest("b.yaml", "# hello\n" + good).pods.at(0).desired.uid ==
        ok.pods[0].desired.uid);
  auto other = good;
  other.replace(other.find("web:1"), 5, "web:2");
  CHECK(judge_manifest("a.yaml", other).pods.at(0).desired.uid != ok.pods[0].desired.uid);

  const auto twice = judge_manifest("a.yaml", good + "---\n" + other);
  CHECK(twice.pods.empty());
  CHECK_FALSE(twice.errors.empty());
  CHECK(judge_manifest("a.yaml", "").errors.size() == 1);
  auto unsafe = good;
  unsafe.replace(unsafe.find("name: web"), 9, "name: web, uid: ../../x");
  CHECK(judge_manifest("a.yaml", unsafe).pods.empty());
  auto unsupported = good;
  unsupported.replace(unsupported.find("spec: {"), 7, "spec: {setHostnameAsFQDN: true, ");
  const auto refused = judge_manifest("a.yaml", unsupported);
  CHECK(refused.pods.empty());
  REQUIRE(refused.errors.size() == 1);
  CHECK(refused.errors[0].find("not supported yet: spec.setHostnameAsFQDN") != std::string::npos);
}

namespace {

struct launch_world {
  fs::path root;
  directories dirs;
  disk_port port;
  std::string manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
                         "spec:\n"
                         "  volumes: [{name: data, emptyDir: {}}]\n"
                         "  containers:\n"
                         "  - {name: main, image: 'web:1', command: [/bin/web],\n"
                         "     volumeMounts: [{name: data, mountPath: /data}]}\n";

  launch_world() {
    std::string name = (fs::temp_directory_path() / "tank-prepare-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
    dirs = {root / "pods.d", root / "state", root / "run", root / "log", {}};
    fs::create_directories(root / "layer/etc");
  }
  ~launch_world() { fs::remove_all(root); }

  pod_request request(std::uint32_t restart = 0) {
    const auto judged = judge_manifest("a.yaml", manifest);
    REQUIRE(judged.pods.size() == 1);
    auto host = std::make_shared<kernel::host_facts>();
    host->hostname = "node";
    host->nameservers = {"10.0.0.1"};
    return {.pod = judged.pods[0].desired.pod,
            .host = host,
            .dirs = dirs,
            .uid = "u-1",
            .restart = restart,
            .log = {.max_bytes = 4096, .max_files = 3}};
  }
  /// One container, in a sandbox that is there.
  result<container_inputs> prepare(const pod_request& r, std::uint32_t attempt = 0,
                                   std::size_t which = 0) {
    oci::image image;
    image.name = "docker.io/library/web:1";
    image.layers = {root / "layer"};
    return prepare_container(r, r.pod->spec.containers.at(which), attempt, image, port);
  }
  /// A whole run of a pod of one container.
  result<container_inputs> launch(std::uint32_t restart = 0) {
    const auto r = request(restart);
    TANK_TRY(prepare_sandbox(r, port));
    return prepare(r);
  }
  static std::string text(const fs::path& path) {
    std::ifstream in{path};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  static unsigned mode(const fs::path& path) {
    struct stat st {};
    REQUIRE(::stat(path.c_str(), &st) == 0);
    return st.st_mode & 07777;
  }
};

} // namespace

TEST_CASE("a launch is prepared: directories, etc files") {
  launch_world w;
  const auto before = ::umask(0077); // what is bound into a container must not depend on it
  const auto made = w.launch(2);
  ::umask(before);
  REQUIRE_MESSAGE(made.has_value(), made.error().message());
  const auto run = w.dirs.pod_run("u-1");
  const auto etc = w.dirs.pod_etc("u-1");
  CHECK(w.text(etc / "hostname") == "web\n");
  CHECK(w.text(etc / "hosts").find("web") != std::string::npos);
  CHECK(w.text(etc / "resolv.conf").find("nameserver 10.0.0.1") != std::string::npos);
  CHECK(w.mode(etc / "hosts") == 0644);
  CHECK(w.mode(run) == 0700);
  CHECK(fs::is_directory(w.dirs.container_state("u-1", "main") / "upper"));
  CHECK(w.mode(w.dirs.volume_state("u-1", "data")) == 0777);
  CHECK(made->plan.log.path == w.dirs.pod_log("default", "web", "u-1") / "main/2.log");
  CHECK(fs::is_directory(made->plan.log.path.parent_path()));
  CHECK(made->plan.log.max_bytes == 4096);
  CHECK(made->plan.log.max_files == 3);
}

TEST_CASE("a second run starts from a clean layer, and keeps the emptyDir") {
  launch_world w;
  REQUIRE(w.launch().has_value());
  std::ofstream(w.dirs.container_state("u-1", "main") / "upper/dirt") << "x";
  std::ofstream(w.dirs.volume_state("u-1", "data") / "kept") << "x";
  const auto again = w.launch(1); // the first was never cleaned
  REQUIRE_MESSAGE(again.has_value(), again.error().message());
  CHECK_FALSE(fs::exists(w.dirs.container_state("u-1", "main") / "upper/dirt"));
  CHECK(fs::exists(w.dirs.volume_state("u-1", "data") / "kept"));

  REQUIRE(clean_sandbox(*w.request().pod, w.dirs, "u-1", w.port).has_value());
  CHECK_FALSE(fs::exists(w.dirs.pod_run("u-1")));
  CHECK_FALSE(fs::exists(w.dirs.container_state("u-1", "main")));
  CHECK(fs::exists(w.dirs.volume_state("u-1", "data") / "kept"));
}

TEST_CASE(
    "a run bounds the logs of the runs before it, and spares what is written or not its own") {
  launch_world w;
  const auto logs = w.dirs.pod_log("default", "web", "u-1") / "main";
  const auto pod = [&](const char* name, const char* uid, int age) {
    const auto dir = w.dirs.pod_log("default", name, uid);
    fs::create_directories(dir / "main");
    std::ofstream(dir / "main/0.log") << "x";
    const auto when = fs::file_time_type::clock::now() - std::chrono::hours(age);
    for (const auto& path : {dir / "main/0.log", dir / "main", dir})
      fs::last_write_time(path, when);
    return dir;
  };
  fs::create_directories(logs);
  for (int run = 0; run < 8; ++run)
    std::ofstream(logs / (std::to_string(run) + ".log")) << "x";
  std::ofstream(logs / "1.log.1") << "x";
  const unique_fd written{::open((logs / "0.log").c_str(), O_WRONLY | O_CLOEXEC)};
  REQUIRE(::flock(written.get(), LOCK_SH) == 0);
  const auto newest = pod("web", "u-2", 1);
  const auto oldest = pod("web", "u-3", 9);
  const auto second = pod("web", "u-4", 2);
  const auto busy = pod("web", "u-5", 8);
  const auto other = pod("web-2", "u-6", 20);
  const unique_fd log_of_busy{::open((busy / "main/0.log").c_str(), O_WRONLY | O_CLOEXEC)};
  REQUIRE(::flock(log_of_busy.get(), LOCK_SH) == 0);
  fs::create_directory(w.root / "outside");
  std::ofstream(w.root / "outside/0.log") << "x";
  fs::create_directory_symlink(w.root / "outside", oldest / "link");
  const timespec long_ago[2]{{1000, 0}, {1000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, (oldest / "link").c_str(), long_ago, AT_SYMLINK_NOFOLLOW) == 0);
  fs::last_write_time(oldest, fs::file_time_type::clock::now() - std::chrono::hours(9));

  const auto made = w.launch();
  REQUIRE_MESSAGE(made.has_value(), made.error().message());
  CHECK(made->plan.log.path == logs / "8.log");
  CHECK(fs::exists(logs / "0.log"));
  for (const char* gone : {"1.log", "1.log.1", "2.log"})
    CHECK_FALSE(fs::exists(logs / gone));
  for (const char* kept : {"3.log", "4.log", "5.log", "6.log", "7.log"})
    CHECK(fs::exists(logs / kept));
  CHECK_FALSE(fs::exists(oldest));
  for (const auto& kept : {newest, second, busy, other})
    CHECK(fs::exists(kept / "main/0.log"));
  CHECK(fs::exists(w.root / "outside/0.log"));
}

TEST_CASE("a container that cannot be prepared makes nothing, and says why") {
  launch_world w;
  w.manifest.replace(w.manifest.find("emptyDir: {}"), 12,
                     "hostPath: {path: /no/such/thing, type: Directory}");
  const auto refused = w.launch();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message().find("hostPath of volume 'data'") != std::string::npos);
  CHECK_FALSE(fs::exists(w.dirs.container_states("u-1")));
  CHECK(clean_sandbox(*w.request().pod, w.dirs, "u-1", w.port).has_value());
  CHECK_FALSE(fs::exists(w.dirs.pod_run("u-1")));
  CHECK_FALSE(fs::exists(w.dirs.pod_state("u-1")));
}

TEST_CASE("a sandbox that cannot be planned makes nothing") {
  launch_world w;
  w.manifest.replace(w.manifest.find("command:"), 0, // and there are no cgroups
                     "resources: {limits: {memory: 64Mi}}, ");
  const auto refused = prepare_sandbox(w.request(), w.port);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message().starts_with("cannot limit 'main'"));
  CHECK_FALSE(fs::exists(w.dirs.pod_run("u-1")));
}

TEST_CASE("a container that runs again starts from a clean layer, a log and a cgroup of its own") {
  launch_world w;
  w.manifest += "  - {name: side, image: 'web:1', command: [/bin/side]}\n";
  w.dirs.cgroups = {cgroup_version::v2, {{{"memory"}, w.root / "c", w.root / "c"}}};
  const auto r = w.request();
  REQUIRE(prepare_sandbox(r, w.port).has_value());
  const auto name = w.dirs.pod_cgroup("u-1");
  CHECK(w.port.cgroup_calls ==
        std::vector<std::string>{"remove " + name.string(), "make " + name.string()});
  w.port.cgroup_calls.clear();
  const auto first = w.prepare(r).value();
  REQUIRE(w.prepare(r, 0, 1).has_value());
  CHECK(w.port.cgroup_calls.empty()); // theirs were made with the pod's
  std::ofstream(w.dirs.container_state("u-1", "main") / "upper/dirt") << "x";
  std::ofstream(w.dirs.container_state("u-1", "side") / "upper/kept") << "x";
  std::ofstream(w.dirs.volume_state("u-1", "data") / "kept") << "x";
  std::ofstream(first.plan.log.path) << "x";

  const auto again = w.prepare(r, 1);
  REQUIRE_MESSAGE(again.has_value(), again.error().message());
  CHECK(again->plan.attempt == 1);
  CHECK(again->plan.log.path == first.plan.log.path.parent_path() / "1.log");
  CHECK(w.port.cgroup_calls == std::vector<std::string>{"make_one " + (name / "main").string()});
  CHECK_FALSE(fs::exists(w.dirs.container_state("u-1", "main") / "upper/dirt"));
  CHECK(fs::exists(w.dirs.container_state("u-1", "side") / "upper/kept"));
  CHECK(fs::exists(w.dirs.volume_state("u-1", "data") / "kept"));

  REQUIRE(clean_sandbox(*r.pod, w.dirs, "u-1", w.port).has_value());
  CHECK_FALSE(fs::exists(w.dirs.container_state("u-1", "main")));
  CHECK_FALSE(fs::exists(w.dirs.container_state("u-1", "side")));
  CHECK(fs::exists(w.dirs.volume_state("u-1", "data") / "kept"));
  CHECK(w.port.cgroups.empty());
}

} // namespace prepare_test

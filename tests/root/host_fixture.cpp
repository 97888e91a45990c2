#include "tests/root/host_fixture.hpp"

#include "api/api_protocol.hpp"
#include "config/pod.hpp"
#include "kernel/cgroup_probe.hpp"
#include "kernel/port.hpp"
#include "tests/unit/oci/tar_builder.hpp"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include <csignal>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace tank::testing {
namespace {

namespace fs = std::filesystem;
using clock = std::chrono::steady_clock;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  REQUIRE_MESSAGE(value != nullptr, name << " is not set: the build does it for its own tests");
  return value;
}

unique_fd unix_socket(int type, const fs::path& path, bool bind_it) {
  unique_fd fd{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
  REQUIRE(fd);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.string().size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.string().size() + 1);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  const int failed = bind_it ? ::bind(fd.get(), where, sizeof address)
                             : ::connect(fd.get(), where, sizeof address);
  REQUIRE_MESSAGE(failed == 0, "socket " << path.string() << ": " << std::strerror(errno));
  return fd;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    out += c;
  }
  return out + "\"";
}

std::string told(const host::pods& all) {
  std::string text;
  for (const auto& [name, p] : all)
    text += "  " + name + " " + std::string{to_string(p.state)} + " pid " +
            std::to_string(p.host_pid) + " restarts " + std::to_string(p.restarts) + " uid " +
            p.uid + " file " + p.file + ": " + p.message + "\n";
  return text;
}

int left(clock::time_point deadline) {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
  return ms > 0 ? static_cast<int>(ms) : 0;
}

} // namespace

std::string file_text(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  return text.str();
}

bool await_file(const fs::path& path, const std::function<bool(const std::string&)>& good) {
  const auto deadline = clock::now() + std::chrono::milliseconds{patience_ms};
  const unique_fd watch{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  REQUIRE(::inotify_add_watch(watch.get(), path.parent_path().c_str(),
                              IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE) >= 0);
  std::string now;
  while (!good(now = file_text(path))) {
    pollfd readable{watch.get(), POLLIN, 0};
    if (::poll(&readable, 1, left(deadline)) <= 0) {
      MESSAGE("'" << path.string() << "' holds:\n" << now);
      return false;
    }
    char events[4096];
    while (::read(watch.get(), events, sizeof events) > 0) {
    }
  }
  return true;
}

void kill_workload(const pod_status& pod) {
  REQUIRE(pod.host_pid > 0); // a run that is about to end has none, and 0 is this process group
  ::kill(pod.host_pid, SIGKILL);
}

std::string log_text(const fs::path& file, std::string_view stream) {
  std::ifstream in{file};
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const auto a = line.find(' ');
    const auto b = line.find(' ', a + 1);
    const auto c = line.find(' ', b + 1);
    REQUIRE_MESSAGE(c != std::string::npos, "no CRI line: " << line);
    if (std::string_view(line).substr(a + 1, b - a - 1) != stream) continue;
    out += line.substr(c + 1);
    if (line[b + 1] == 'F') out += '\n';
  }
  return out;
}

std::string manifest(const pod_text& pod) {
  // SIGTERM is lost on a pid namespace's init that has not asked for it yet: then grace runs out.
  const bool says = pod.spec_more.find("terminationGracePeriodSeconds") != std::string::npos;
  const std::string grace = says ? "" : "  terminationGracePeriodSeconds: 2\n";
  std::string text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + pod.name +
                     "\nspec:\n  restartPolicy: " + pod.restart + "\n" + grace + pod.spec_more +
                     "  containers:\n  - name: main\n    image: " + pod.image +
                     "\n    imagePullPolicy: Never\n    command: [";
  for (const auto& word : pod.command)
    text += (&word == &pod.command.front() ? "" : ", ") + quoted(word);
  return text + "]\n" + pod.container_more;
}

pod_text living_pod(const std::string& name, const std::string& word, const fs::path& shared) {
  const auto here = "/shared/" + name;
  pod_text pod{.name = name};
  // A signal before the trap is set is lost on the first process of a pid namespace.
  pod.command = {"/bin/sh", "-c",
                 "trap 'echo term " + word + " >> " + here + ".log; rmdir " + here +
                     ".alive; exit 0' TERM; mkdir " + here + ".alive || echo twice >> " + here +
                     ".overlap; echo start " + word + " >> " + here + ".log; echo " + word +
                     "; while :; do sleep 1000 & wait $!; done"};
  pod.container_more = "    volumeMounts:\n    - {name: shared, mountPath: /shared}\n";
  pod.spec_more = "  terminationGracePeriodSeconds: 10\n"
                  "  volumes:\n  - {name: shared, hostPath: {path: " +
                  shared.string() + ", type: Directory}}\n";
  return pod;
}

host::host(std::string more_settings) {
  become_subreaper();
  char name[] = "/tmp/tank-e2e.XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  root = name;
  dirs = {root / "pods.d", root / "state", root / "run", root / "log"};
  shared = root / "shared";
  for (const auto& dir : {dirs.manifest_dir, shared})
    REQUIRE(fs::create_directory(dir));
  if (auto tree = kernel::probe_cgroups(cgroup_root())) dirs.cgroups = *tree;
  program = variable("TANK_PROGRAM");
  write_settings(more_settings);
  import_image();
}

host::~host() {
  stream_.reset();
  daemon_.reset();
  kill_descendants();
  auto all = dirs.cgroups;
  for (auto& h : all.hierarchies)
    h.directory = h.mount;
  CHECK(kernel::remove_cgroup(all, cgroup_root().substr(1)));
  CHECK(kernel::make_port("")->remove_tree(root));
}

std::string host::cgroup_root() {
  return "/tank-test-" + std::to_string(::getpid());
}

void host::write_settings(const std::string& more) const {
  std::ofstream{root / "tank.yaml"}
      << "manifestDir: " << dirs.manifest_dir.string() << "\nstateDir: " << dirs.state_dir.string()
      << "\nrunDir: " << dirs.run_dir.string() << "\nlogDir: " << dirs.log_dir.string()
      << "\nshim: " << variable("TANK_SHIM") << "\ncgroupRoot: " << cgroup_root() << "\n"
      << (more.find("stopPodsOnExit") == std::string::npos ? "stopPodsOnExit: true\n" : "") << more;
}

void host::import_image() {
  oci::testing::tar_builder tar;
  tar.dir("bin").dir("etc").dir("tmp", 01777).dir("data");
  tar.file("bin/witness", file_text(variable("TANK_WITNESS")), 0755);
  if (fs::exists("/bin/busybox")) {
    tar.file("bin/busybox", file_text("/bin/busybox"), 0755);
    for (const auto* applet :
         {"sh", "cat", "sleep", "mkdir", "rmdir", "id", "ls", "mv", "stat", "grep", "head", "rm"})
      tar.symlink(std::string{"bin/"} + applet, "busybox");
  }
  tar.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/data:/bin/sh\n");
  tar.file("etc/group", "root:x:0:\napp:x:1000:\n");
  std::ofstream{root / "image.tar"} << tar.bytes();
  hear({"image", "import", (root / "image.tar").string(), "localhost/witness:1"});
  fs::remove(root / "image.tar");
}

std::vector<std::string> host::env() const {
  std::vector<std::string> all{"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                               "TANK_CONFIG=" + (root / "tank.yaml").string()};
  for (const auto& [name, value] : environment)
    all.push_back(name + "=" + value);
  return all;
}

std::unique_ptr<child> host::spawn(const std::vector<std::string>& args) {
  auto argv = args;
  argv.insert(argv.begin(), program);
  return std::make_unique<child>(argv, env());
}

output host::tank(const std::vector<std::string>& args, std::string_view input) {
  auto argv = args;
  argv.insert(argv.begin(), program);
  child run{argv, env(), input};
  const int code = run.wait();
  return {code, run.out, run.err};
}

std::string host::hear(const std::vector<std::string>& args, std::string_view input) {
  const auto said = tank(args, input);
  REQUIRE_MESSAGE(said.code == 0, "tank " << args.front() << ": " << said.out << said.err);
  return said.out;
}

void host::start_daemon(const std::vector<std::string>& args) {
  const auto socket = root / "notify.sock";
  notify_ = unix_socket(SOCK_DGRAM, socket, true);
  environment["NOTIFY_SOCKET"] = socket.string();
  daemon_ = spawn(args);
  environment.erase("NOTIFY_SOCKET");
  const auto deadline = clock::now() + std::chrono::milliseconds{patience_ms};
  for (;;) {
    char state[64] = {};
    if (::recv(notify_.get(), state, sizeof state - 1, MSG_DONTWAIT) > 0) {
      CHECK(std::string{state} == "READY=1");
      break;
    }
    if (daemon_->ended() || left(deadline) == 0) FAIL("the daemon is not ready: " << daemon_->err);
    daemon_->listen(left(deadline), notify_.get());
  }
  connect();
}

void host::connect() {
  stream_ = unix_socket(SOCK_STREAM, dirs.control_socket(), false);
  unread_.clear();
  seen_.clear();
  const auto ask = api::encode({.verb = api::verb::watch});
  REQUIRE(::send(stream_.get(), ask.data(), ask.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(ask.size()));
}

void host::kill_daemon() {
  daemon_->signal(SIGKILL);
  CHECK(daemon_->wait() == -SIGKILL);
  stream_.reset();
  notify_.reset();
  fs::remove(root / "notify.sock");
  daemon_.reset();
}

void host::stop_daemon() {
  daemon_->signal(SIGTERM);
  const int code = daemon_->wait();
  CHECK_MESSAGE(code == 0, daemon_->err);
  stream_.reset();
  notify_.reset();
  fs::remove(root / "notify.sock");
  daemon_.reset();
}

void host::put(const std::string& file, const std::string& text) const {
  const auto beside = root / ("new-" + file);
  std::ofstream{beside} << text;
  fs::rename(beside, dirs.manifest_dir / file);
}

void host::remove(const std::string& file) const {
  REQUIRE(fs::remove(dirs.manifest_dir / file));
}

/// One more list from the stream; false when the time is over.
bool host::next_state(int milliseconds) {
  const auto deadline = clock::now() + std::chrono::milliseconds{milliseconds};
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      const auto rows = api::decode_pods(std::string_view(unread_).substr(0, end));
      REQUIRE_MESSAGE(rows, "the stream says: " << unread_.substr(0, end));
      unread_.erase(0, end + 1);
      seen_.clear();
      for (const auto& row : *rows)
        seen_.emplace(row.key.starts_with("default/") ? row.key.substr(8) : row.key, row);
      return true;
    }
    char buffer[65536];
    const auto n = ::recv(stream_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n > 0) {
      unread_.append(buffer, static_cast<std::size_t>(n));
      continue;
    }
    REQUIRE_MESSAGE(n != 0, "the daemon closed its stream; it said:\n" << daemon_->err);
    if (left(deadline) == 0) return false;
    daemon_->listen(left(deadline), stream_.get()); // its output must not fill the pipe
  }
}

const host::pods& host::await(const std::string& what,
                              const std::function<bool(const pods&)>& good) {
  const auto deadline = clock::now() + std::chrono::milliseconds{patience_ms};
  while (!good(seen_)) {
    if (!next_state(left(deadline)))
      FAIL("never: " << what << "\nlast seen:\n"
                     << told(seen_) << "the daemon said:\n"
                     << daemon_->err);
  }
  return seen_;
}

pod_status host::await_pod(const std::string& name, const std::string& what,
                           const std::function<bool(const pod_status&)>& good) {
  const auto& all = await(name + " " + what, [&](const pods& now) {
    const auto at = now.find(name);
    return at != now.end() && good(at->second);
  });
  return all.at(name);
}

pod_status host::await_running(const std::string& name, const std::string& not_uid) {
  return await_pod(name, "runs", [&](const pod_status& p) {
    return p.state == pod_state::running && p.host_pid > 0 && p.uid != not_uid;
  });
}

void host::await_gone(const std::string& name) {
  await(name + " is gone", [&](const pods& now) { return !now.contains(name); });
}

void host::barrier() {
  const auto name = "barrier-" + std::to_string(barriers_++);
  put({.name = name, .command = {"/bin/witness", "exit", "0"}, .restart = "Never"});
  await_pod(name, "ends", [](const pod_status& p) { return p.state == pod_state::terminal; });
  remove(name + ".yaml");
  await_gone(name);
}

host_snapshot host::snapshot(int settle_ms) const {
  auto now = take_snapshot({.dirs = {dirs.run_dir, dirs.pod_states(), dirs.images()},
                            .cgroups = {cgroup_root().substr(1), dirs.instance()}},
                           settle_ms);
  // A daemon's own that stay: of no pod.
  now["file"].erase(dirs.lock_file().string());
  now["file"].erase(dirs.pod_runs().string());
  now["file"].erase(dirs.pod_records().string());
  now["file"].erase(dirs.pod_volumes().string());
  now["file"].erase(dirs.cgroups_file().string());
  return now;
}

fs::path host::log_dir(const pod_status& pod) const {
  const auto slash = pod.key.find('/');
  return dirs.pod_log(pod.key.substr(0, slash), pod.key.substr(slash + 1), pod.uid) / "main";
}

std::string host::shared_text(const std::string& file) const {
  return file_text(shared / file);
}

} // namespace tank::testing

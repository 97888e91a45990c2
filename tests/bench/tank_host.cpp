#include "tests/bench/tank_host.hpp"

#include "base/unique_fd.hpp"
#include "tests/bench/measure.hpp"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace tank::bench {

namespace fs = std::filesystem;

static std::string uid_of(const std::string& name) {
  return "bench-" + name;
}

bool tank_host::open(std::string program, const fs::path& scratch, const std::string& rootfs_tar) {
  program_ = std::move(program);
  scratch_ = scratch;
  dirs_ = {scratch / "pods.d", scratch / "state", scratch / "run", scratch / "log"};
  fs::create_directories(dirs_.manifest_dir);
  const auto imported =
      run(command({"image", "import", rootfs_tar, "localhost/bench:1"}), /*show_errors=*/true);
  return imported.status == 0;
}

std::vector<std::string> tank_host::command(std::vector<std::string> words,
                                            const char* run_dir) const {
  std::vector<std::string> argv{
      program_,        "--manifest-dir", dirs_.manifest_dir,           "--state-dir",
      dirs_.state_dir, "--run-dir",      fs::path{scratch_} / run_dir, "--log-dir",
      dirs_.log_dir};
  argv.insert(argv.end(), words.begin(), words.end());
  return argv;
}

std::string tank_host::manifest(const std::string& name, const std::string& what,
                                const std::string& restart_policy) {
  return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\n  uid: " + uid_of(name) +
         "\nspec:\n  restartPolicy: " + restart_policy +
         "\n  containers:\n  - name: main\n    image: localhost/bench:1\n"
         "    command: [/bin/witness, " +
         what + "]\n";
}

std::int64_t tank_host::drop(const std::string& name, const std::string& text) const {
  const auto tmp = dirs_.manifest_dir / ("." + name);
  std::ofstream{tmp} << text;
  const auto at = now_ns();
  fs::rename(tmp, dirs_.manifest_dir / (name + ".yaml"));
  return at;
}

std::int64_t tank_host::remove(const std::string& name) const {
  const auto at = now_ns();
  fs::remove(dirs_.manifest_dir / (name + ".yaml"));
  return at;
}

bool tank_host::start_daemon() {
  const unique_fd notify{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  const auto path = scratch_ + "/notify";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  fs::remove(path);
  if (::bind(notify.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return false;
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  daemon_ = start(command({"daemon", "--stop-pods-on-exit"}), scratch_ + "/daemon.log");
  ::unsetenv("NOTIFY_SOCKET");
  pollfd ready{notify.get(), POLLIN, 0};
  return daemon_ > 0 && ::poll(&ready, 1, 30'000) == 1;
}

void tank_host::stop_daemon() {
  if (daemon_ <= 0) return;
  ::kill(daemon_, SIGTERM);
  wait_for(daemon_);
  daemon_ = -1;
}

fs::path tank_host::log_file(const std::string& name) const {
  return dirs_.pod_log("default", name, uid_of(name)) / "main" / "0.log";
}

/// Waits on `dir` for events until `done` holds or 30 s pass.
template <class Done>
static bool wait_in(const fs::path& dir, std::uint32_t mask, Done done) {
  const unique_fd notify{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  fs::create_directories(dir);
  if (::inotify_add_watch(notify.get(), dir.c_str(), mask) < 0) return false;
  const auto deadline = now_ns() + 30'000'000'000LL;
  while (!done()) {
    const auto left = (deadline - now_ns()) / 1'000'000;
    pollfd p{notify.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&p, 1, static_cast<int>(left)) <= 0) return false;
    std::array<char, 4096> drop{};
    while (::read(notify.get(), drop.data(), drop.size()) > 0) {
    }
  }
  return true;
}

std::optional<std::string> tank_host::first_line(const std::string& name) const {
  std::string line;
  const auto file = log_file(name);
  const bool seen = wait_in(file.parent_path(), IN_MODIFY | IN_CREATE | IN_CLOSE_WRITE, [&] {
    std::ifstream in(file);
    return static_cast<bool>(std::getline(in, line)) && !in.eof();
  });
  if (!seen) return std::nullopt;
  return line;
}

std::int64_t tank_host::wait_gone(const std::string& name) const {
  const auto run = dirs_.pod_run(uid_of(name));
  const auto log = log_file(name);
  std::int64_t gone = 0; // taken inside: closing an inotify descriptor waits for the kernel's RCU
  wait_in(dirs_.pod_runs(), IN_DELETE | IN_MOVED_FROM, [&] {
    if (fs::exists(run) || !fs::exists(log)) return false;
    gone = now_ns();
    return true;
  });
  return gone;
}

std::vector<pid_t> tank_host::shims() const {
  auto found = processes_named("tank-shim");
  std::erase_if(found, [this](pid_t pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
    std::string stat;
    std::getline(in, stat);
    const auto close = stat.rfind(')');
    return close == std::string::npos || std::atoi(stat.c_str() + close + 4) != daemon_;
  });
  return found;
}

} // namespace tank::bench

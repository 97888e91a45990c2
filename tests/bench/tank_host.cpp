#include "tests/bench/tank_host.hpp"

#include "pod/manifest_set.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

namespace tank::bench {

namespace fs = std::filesystem;

static std::string uid_of(const std::string& name) {
  return "bench-" + name;
}

bool tank_host::open(tank_build build, const fs::path& scratch, const std::string& rootfs_tar) {
  build_ = std::move(build);
  scratch_ = scratch;
  dirs_ = {scratch / "pods.d", scratch / "state", scratch / "run", scratch / "log"};
  fs::create_directories(dirs_.manifest_dir);
  std::ofstream settings{scratch / "tank.yaml"};
  if (!build_.shim.empty()) settings << "shim: " << build_.shim << "\n";
  settings.close();
  const auto imported = run(command({"image", "import", rootfs_tar, "localhost/bench:1"}));
  if (imported.status != 0) failure_ = "image import: " + why_failed(imported);
  return imported.status == 0;
}

std::string tank_host::failure() const {
  return failure_.empty() ? "its log ends with: " + error_text(daemon_) : failure_;
}

std::vector<std::string> tank_host::command(std::vector<std::string> words,
                                            const char* run_dir) const {
  std::vector<std::string> argv{build_.program,   "--config",         scratch_ / "tank.yaml",
                                "--manifest-dir", dirs_.manifest_dir, "--state-dir",
                                dirs_.state_dir,  "--run-dir",        scratch_ / run_dir,
                                "--log-dir",      dirs_.log_dir};
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
  // As `tank delete` does: of a file that is only gone the daemon waits whether it comes back.
  const auto mark = dirs_.manifest_dir / removal_mark(name + ".yaml");
  fs::rename(dirs_.manifest_dir / (name + ".yaml"), mark);
  fs::remove(mark);
  return at;
}

bool tank_host::start_daemon() {
  failure_.clear();
  const unique_fd notify{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  const auto path = (scratch_ / "notify").string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  fs::remove(path);
  if (::bind(notify.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    failure_ = "cannot bind " + path + ": " + std::strerror(errno);
    return false;
  }
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  daemon_ = start(command({"daemon", "--stop-pods-on-exit"}));
  ::unsetenv("NOTIFY_SOCKET");
  const unique_fd end{static_cast<int>(::syscall(SYS_pidfd_open, daemon_.pid, 0))};
  std::array<pollfd, 2> either{{{notify.get(), POLLIN, 0}, {end.get(), POLLIN, 0}}};
  if (daemon_.pid > 0) ::poll(either.data(), either.size(), 30'000);
  if ((either[0].revents & POLLIN) != 0) return true;
  finished ended{.err = error_text(daemon_)};
  if (daemon_.pid > 0) {
    ::kill(daemon_.pid, SIGTERM);
    ended.status = wait_for(daemon_.pid);
    daemon_.pid = -1;
  }
  failure_ = "the daemon did not get ready: " + why_failed(ended);
  return false;
}

void tank_host::stop_daemon() {
  if (daemon_.pid <= 0) return;
  ::kill(daemon_.pid, SIGTERM);
  wait_for(daemon_.pid);
  daemon_.pid = -1;
}

fs::path tank_host::log_file(const std::string& name) const {
  return dirs_.pod_log("default", name, uid_of(name)) / "main" / "0.log";
}

/// Waits on `watched` for events until `done` holds or 30 s pass.
template <class Done>
static bool wait_in(const std::vector<fs::path>& watched, std::uint32_t mask, Done done) {
  const unique_fd notify{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  for (const auto& dir : watched)
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
  fs::create_directories(file.parent_path());
  const bool seen = wait_in({file.parent_path()}, IN_MODIFY | IN_CREATE | IN_CLOSE_WRITE, [&] {
    std::ifstream in(file);
    return static_cast<bool>(std::getline(in, line)) && !in.eof();
  });
  if (!seen) return std::nullopt;
  return line;
}

std::vector<fs::path> tank_host::run_directories() const {
  std::vector<fs::path> found;
  std::error_code ec;
  for (fs::directory_iterator it{dirs_.run_dir, ec}, end; !ec && it != end; it.increment(ec))
    if (it->is_directory()) found.push_back(it->path());
  return found;
}

bool tank_host::has_run_directory(const std::string& uid) const {
  const auto all = run_directories();
  return std::any_of(all.begin(), all.end(),
                     [&](const auto& dir) { return fs::is_directory(dir / uid); });
}

std::optional<std::int64_t> tank_host::wait_gone(const std::string& name) const {
  const auto log = log_file(name);
  std::int64_t gone = 0; // taken inside: closing an inotify descriptor waits for the kernel's RCU
  const bool seen = wait_in(run_directories(), IN_DELETE | IN_MOVED_FROM, [&] {
    if (!fs::exists(log) || has_run_directory(uid_of(name))) return false;
    gone = now_ns();
    return true;
  });
  if (!seen) return std::nullopt;
  return gone;
}

std::vector<pid_t> tank_host::shims() const {
  auto found = processes_named("tank-shim");
  std::erase_if(found, [this](pid_t pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
    std::string stat;
    std::getline(in, stat);
    const auto close = stat.rfind(')');
    return close == std::string::npos || std::atoi(stat.c_str() + close + 4) != daemon_.pid;
  });
  return found;
}

} // namespace tank::bench

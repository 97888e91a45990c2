#include "oci/helper_runner.hpp"

#include "base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tank::oci {

namespace {

using clock = std::chrono::steady_clock;
constexpr std::size_t max_answer = 64u << 10;

result<std::string> find_program(const std::string& path, const std::string& name) {
  for (std::size_t at = 0; at <= path.size();) {
    const auto end = std::min(path.find(':', at), path.size());
    const auto directory = path.substr(at, end - at);
    at = end + 1;
    // Never from where we happen to be.
    if (!directory.starts_with('/')) continue;
    auto program = directory + "/" + name;
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return fail(errc::not_found, "run", name, "there is no such program in PATH",
              "install it, or take it out of the credential files");
}

int milliseconds_until(clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

/// Kills and reaps on destruction.
class child {
 public:
  explicit child(pid_t pid) : pid_(pid), fd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL); // not reaped yet: it is still this one
    (void)reap();
  }
  /// Its exit status; nullopt when it has not ended by then.
  std::optional<int> wait(clock::time_point deadline) {
    pollfd p{fd_.get(), POLLIN, 0};
    int ready = 0;
    do
      ready = ::poll(&p, 1, milliseconds_until(deadline));
    while (ready < 0 && errno == EINTR);
    if (ready <= 0) return std::nullopt;
    const int status = reap();
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  [[nodiscard]] int reap() const {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  pid_t pid_;
  unique_fd fd_;
};

struct spawn_setup {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
  spawn_setup() {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
  }
  spawn_setup(const spawn_setup&) = delete;
  spawn_setup& operator=(const spawn_setup&) = delete;
  ~spawn_setup() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
};

/// Its end of the socket is both its input and its output.
result<pid_t> spawn(const std::string& program, int end, std::vector<std::string> environment) {
  spawn_setup setup;
  ::posix_spawn_file_actions_adddup2(&setup.files, end, 0);
  ::posix_spawn_file_actions_adddup2(&setup.files, end, 1);
  ::posix_spawn_file_actions_addopen(&setup.files, 2, "/dev/null", O_WRONLY, 0);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&setup.attributes, &none);
  ::posix_spawnattr_setsigdefault(&setup.attributes, &all);
  ::posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  auto name = program;
  std::string verb = "get";
  std::array<char*, 3> argv{name.data(), verb.data(), nullptr};
  std::vector<char*> env;
  for (auto& entry : environment)
    env.push_back(entry.data());
  env.push_back(nullptr);
  pid_t pid = 0;
  // glibc makes it with vfork: no copy of this process, no code of ours in between.
  const int rc = ::posix_spawn(&pid, program.c_str(), &setup.files, &setup.attributes, argv.data(),
                               env.data());
  if (rc != 0) return fail_errno(rc, "run", program);
  return pid;
}

/// Everything it says until it closes its output.
result<std::string> listen(int fd, const std::string& name, clock::time_point deadline) {
  std::string out;
  std::array<char, 4096> piece{};
  for (;;) {
    pollfd p{fd, POLLIN, 0};
    const int ready = ::poll(&p, 1, milliseconds_until(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return fail(errc::timeout, "run", name, "it does not answer");
    const auto n = ::read(fd, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "read from", name);
    if (n == 0) return out;
    out.append(piece.data(), static_cast<std::size_t>(n));
    if (out.size() > max_answer) return fail(errc::limit, "run", name, "it says more than 64 KiB");
  }
}

result<credential_world::answer> run(const std::string& program, const std::string& server,
                                     const std::vector<std::string>& environment,
                                     clock::time_point deadline) {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail_errno(errno, "create", "socket");
  const unique_fd ours{ends[0]};
  unique_fd theirs{ends[1]};
  child helper {
    TANK_TRY(spawn(program, theirs.get(), environment))
  };
  theirs.reset();
  // One short line: it fits into the socket. A helper that does not read it is no failure yet.
  (void)::send(ours.get(), server.data(), server.size(), MSG_NOSIGNAL);
  ::shutdown(ours.get(), SHUT_WR);
  credential_world::answer out;
  out.text = TANK_TRY(listen(ours.get(), program, deadline));
  const auto ended = helper.wait(deadline);
  if (!ended) return fail(errc::timeout, "run", program, "it has answered but does not end");
  out.exit_code = *ended;
  return out;
}

} // namespace

std::function<result<credential_world::answer>(const std::string&, const std::string&)>
helper_runner(std::string path, std::vector<std::string> environment,
              std::chrono::milliseconds limit) {
  return [path = std::move(path), environment = std::move(environment),
          limit](const std::string& suffix,
                 const std::string& server) -> result<credential_world::answer> {
    const auto program = TANK_TRY(find_program(path, "docker-credential-" + suffix));
    return run(program, server + "\n", environment, clock::now() + limit);
  };
}

} // namespace tank::oci

#include "kernel/shim_start.hpp"

#include "kernel/protocol.hpp"
#include "kernel/shim_session.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tank::kernel {

namespace {

/// Away from the numbers that the shim's own descriptors get, so that making one of them cannot
/// hit what is still needed for the others, or for exec.
result<unique_fd> above_shim_fds(unique_fd fd) {
  if (fd.get() > protocol::socket_fd) return fd;
  unique_fd moved{::fcntl(fd.get(), F_DUPFD_CLOEXEC, protocol::socket_fd + 1)};
  if (!moved) return fail_errno(errno, "duplicate a descriptor for", "the shim");
  return moved;
}

/// The shim runs from a sealed copy: through /proc/<pid>/exe a workload could otherwise reach and
/// overwrite the program every later pod is started with (CVE-2019-5736). One copy serves all
/// shims, which share its pages; it also survives an upgrade of the file.
result<unique_fd> load_program(const std::filesystem::path& path) {
  const unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return fail_errno(errno, "open the shim program", path);
  constexpr unsigned wanted = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  constexpr unsigned executable = 0x10; // MFD_EXEC, where vm.memfd_noexec asks for it
  unique_fd copy{::memfd_create("tank-shim", wanted | executable)};
  if (!copy && errno == EINVAL) copy.reset(::memfd_create("tank-shim", wanted));
  if (!copy) return fail_errno(errno, "create a memfd for", path);
  std::array<char, 65536> buffer;
  for (;;) {
    const auto n = ::read(file.get(), buffer.data(), buffer.size());
    if (n == 0) break;
    if (n < 0 || ::write(copy.get(), buffer.data(), static_cast<std::size_t>(n)) != n)
      return fail_errno(errno, "copy the shim program", path);
  }
  if (::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
      0)
    return fail_errno(errno, "seal the copy of", path);
  // A descriptor for reading only: the one that wrote would make exec answer ETXTBSY.
  unique_fd program{
      ::open(("/proc/self/fd/" + std::to_string(copy.get())).c_str(), O_RDONLY | O_CLOEXEC)};
  if (!program) return fail_errno(errno, "open the copy of", path);
  return above_shim_fds(std::move(program));
}

/// `shim.sock` of a run directory as a socket address: through an fd, since sun_path has 108 bytes.
struct shim_address {
  unique_fd directory;
  sockaddr_un address{};

  static result<shim_address> of(const std::filesystem::path& run_dir) {
    shim_address a;
    a.directory.reset(::open(run_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!a.directory) return fail_errno(errno, "open the pod's run directory", run_dir);
    a.address.sun_family = AF_UNIX;
    const auto path = "/proc/self/fd/" + std::to_string(a.directory.get()) + "/" +
                      std::string{protocol::socket_name};
    path.copy(a.address.sun_path, sizeof a.address.sun_path - 1);
    return a;
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
  static constexpr socklen_t size = sizeof(sockaddr_un);
};

result<unique_fd> make_socket() {
  unique_fd fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd) return fail_errno(errno, "make a socket", protocol::socket_name);
  return fd;
}

/// Binds but does not listen: listen(2) is the shim's, so that SO_PEERCRED names the shim.
result<unique_fd> bind_socket(const std::filesystem::path& run_dir) {
  const auto where = TANK_TRY(shim_address::of(run_dir));
  auto fd = TANK_TRY(make_socket());
  ::fchmod(fd.get(), 0600); // before bind: the name is born with this mode
  if (::bind(fd.get(), where.get(), where.size) == 0) return fd;
  if (errno != EADDRINUSE) return fail_errno(errno, "bind the shim's socket in", run_dir);
  // Asked with the wrong type of socket, the kernel tells a living owner (EPROTOTYPE) from a dead
  // name (ECONNREFUSED) without disturbing the shim, for which a new connection is a new daemon.
  const unique_fd probe{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!probe) return fail_errno(errno, "make a socket", protocol::socket_name);
  if (::connect(probe.get(), where.get(), where.size) == 0 || errno != ECONNREFUSED)
    return fail(errc::exists, "start a shim in", run_dir, "one is serving there already");
  ::unlinkat(where.directory.get(), protocol::socket_name, 0);
  if (::bind(fd.get(), where.get(), where.size) != 0)
    return fail_errno(errno, "bind the shim's socket in", run_dir);
  return fd;
}

/// posix_spawn's attributes and file actions, freed on every way out.
struct spawn_setup {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  spawn_setup() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~spawn_setup() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  spawn_setup(const spawn_setup&) = delete;
  spawn_setup& operator=(const spawn_setup&) = delete;
};

/// vfork semantics (glibc's posix_spawn): the cost does not grow with the daemon's memory.
result<pid_t> spawn_shim(int program, int connection, int socket) {
  spawn_setup setup;
  for (int fd = 0; fd < 3; ++fd)
    ::posix_spawn_file_actions_addopen(&setup.actions, fd, "/dev/null", O_RDWR, 0);
  ::posix_spawn_file_actions_adddup2(&setup.actions, connection, protocol::first_connection_fd);
  ::posix_spawn_file_actions_adddup2(&setup.actions, socket, protocol::socket_fd);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&setup.attributes, &none);
  ::posix_spawnattr_setsigdefault(&setup.attributes, &all);
  ::posix_spawnattr_setflags(&setup.attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  const auto path = "/proc/self/fd/" + std::to_string(program);
  char name[] = "tank-shim";
  char* argv[] = {name, nullptr};
  char* env[] = {nullptr};
  pid_t pid = 0;
  const int rc = ::posix_spawn(&pid, path.c_str(), &setup.actions, &setup.attributes, argv, env);
  if (rc != 0) return fail_errno(rc, "start", "tank-shim");
  return pid;
}

result<protocol::sandbox_frame> to_frame(const sandbox_spec& sandbox) {
  protocol::sandbox_frame f;
  f.new_net = !sandbox.host_network;
  f.new_ipc = !sandbox.host_ipc;
  f.first_id = sandbox.users.first;
  f.ids = sandbox.users.count;
  if (sandbox.hostname.size() >= sizeof f.hostname)
    return fail(errc::limit, "set the hostname", sandbox.hostname, "it is longer than 64 bytes");
  sandbox.hostname.copy(f.hostname, sizeof f.hostname - 1);
  return f;
}

unique_fd open_pidfd(pid_t pid) {
  return unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
}

/// The process at the other end of `connection`, whose number was `pid` when it began to listen. A
/// number alone may be another process's by now: the kernel names the process itself since 6.5;
/// before that, a connection that is still open after the number was looked up proves that its
/// only holder was alive at that time.
result<unique_fd> open_peer(int connection, pid_t pid, const std::filesystem::path& run_dir) {
  constexpr int so_peerpidfd = 77;
  int fd = -1;
  socklen_t size = sizeof fd;
  if (::getsockopt(connection, SOL_SOCKET, so_peerpidfd, &fd, &size) == 0) return unique_fd{fd};
  auto pidfd = open_pidfd(pid);
  if (!pidfd && errno != ESRCH) return fail_errno(errno, "watch the shim of", run_dir);
  pollfd open{connection, POLLRDHUP, 0};
  if (pidfd && ::poll(&open, 1, 0) == 0) return pidfd;
  return fail(errc::not_found, "find the shim of", run_dir, "it has just ended");
}

result<std::unique_ptr<session>> make_session(unique_fd socket, unique_fd pidfd, pid_t pid,
                                              const std::shared_ptr<shim_reaper>& reaper,
                                              shim_session::origin from) {
  auto connection =
      TANK_TRY(shim_connection::make(std::move(socket), std::move(pidfd), pid, reaper));
  return std::make_unique<shim_session>(std::move(connection), from);
}

} // namespace

result<int> linux_shims::program() {
  const std::lock_guard lock{mutex_};
  if (!program_) program_ = TANK_TRY(load_program(shim_path_));
  return program_.get();
}

result<std::unique_ptr<session>> linux_shims::start_session(const sandbox_spec& sandbox) {
  reaper_->sweep();
  const int program_fd = TANK_TRY(program());
  const auto frame = TANK_TRY(to_frame(sandbox));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return fail_errno(errno, "make a connection for the shim of", sandbox.uid);
  unique_fd ours{ends[0]};
  const auto theirs = TANK_TRY(above_shim_fds(unique_fd{ends[1]}));
  auto bound = TANK_TRY(bind_socket(sandbox.run_dir));
  const auto socket = TANK_TRY(above_shim_fds(std::move(bound)));
  // Sent before there is a reader: the shim finds it when it looks.
  if (::send(ours.get(), &frame, sizeof frame, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return fail_errno(errno, "describe the sandbox of", sandbox.uid);
  const pid_t pid = TANK_TRY(spawn_shim(program_fd, theirs.get(), socket.get()));
  // Our unreaped child: the number cannot have been given to anybody else.
  auto pidfd = open_pidfd(pid);
  if (!pidfd) {
    auto failed = fail_errno(errno, "watch the shim of", sandbox.uid);
    ours.reset(); // without daemon and container it ends by itself
    ::waitpid(pid, nullptr, 0);
    return failed;
  }
  return make_session(std::move(ours), std::move(pidfd), pid, reaper_,
                      shim_session::origin::started);
}

result<std::unique_ptr<session>> linux_shims::adopt_session(const std::filesystem::path& run_dir) {
  reaper_->sweep();
  const auto where = TANK_TRY(shim_address::of(run_dir));
  auto fd = TANK_TRY(make_socket());
  if (::connect(fd.get(), where.get(), where.size) != 0) {
    if (errno == ECONNREFUSED || errno == ENOENT)
      return fail(errc::not_found, "find the shim of", run_dir, "nobody listens there");
    if (errno == EAGAIN) // it accepts nobody any more: stopped, or stuck in the kernel
      return fail(errc::timeout, "connect to the shim of", run_dir, "it does not answer");
    return fail_errno(errno, "connect to the shim of", run_dir);
  }
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
    return fail_errno(errno, "identify the shim of", run_dir);
  if (who.uid != ::geteuid())
    return fail(errc::denied, "trust the shim of", run_dir, "it runs as another user");
  auto pidfd = TANK_TRY(open_peer(fd.get(), who.pid, run_dir));
  return make_session(std::move(fd), std::move(pidfd), who.pid, reaper_,
                      shim_session::origin::adopted);
}

} // namespace tank::kernel

// Verbs that try what a pod must not be able to do; they say how far they came.
#include "tests/root/witness/rt.hpp"

#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/socket.h>
#include <linux/un.h>

namespace witness {
namespace {

/// "VERB OBJECT: errno N" on stdout, 0 for success: an attack that fails is no failure.
int told(const char* verb, const char* object, long result) noexcept {
  writer(1).raw(verb).raw(" ").raw(object).raw(": errno ").num(result < 0 ? -result : 0).raw("\n");
  return 0;
}

/// The connection, or -errno. A name with '@' is one of the abstract ones.
long open_connection(const char* path, long type) noexcept {
  sockaddr_un address{};
  address.sun_family = 1; // AF_UNIX
  std::size_t n = 0;
  for (; path[n] != '\0' && n < sizeof address.sun_path - 1; ++n)
    address.sun_path[n] = path[n];
  const bool abstract = address.sun_path[0] == '@';
  if (abstract) address.sun_path[0] = '\0';
  const long size = static_cast<long>(sizeof address.sun_family + n + (abstract ? 0 : 1));
  const long fd = sys(__NR_socket, 1, type, 0);
  if (fd < 0) return fd;
  const long rc = sys(__NR_connect, fd, arg(&address), size);
  if (rc >= 0) return fd;
  sys(__NR_close, fd);
  return rc;
}

int connect_to(const char* path, long type) noexcept {
  const long fd = open_connection(path, type);
  if (fd >= 0) sys(__NR_close, fd);
  return told("connect", path, fd);
}

/// Waits for the first packet from there, or for the end of the connection.
int hear_greeting(const char* path) noexcept {
  constexpr long packets = 5; // SOCK_SEQPACKET
  constexpr long ended = -61; // ENODATA
  const long fd = open_connection(path, packets);
  if (fd < 0) return told("greeted", path, fd);
  char byte = 0;
  const long n = sys(__NR_read, fd, arg(&byte), 1);
  sys(__NR_close, fd);
  return told("greeted", path, n == 0 ? ended : n);
}

int open_for(const char* verb, const char* path, long flags) noexcept {
  const long fd = sys(__NR_openat, AT_FDCWD, arg(path), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd >= 0) sys(__NR_close, fd);
  return told(verb, path, fd);
}

/// Types one character into the terminal, as whoever reads it would (TIOCSTI).
int inject(const char* path) noexcept {
  const long fd = sys(__NR_openat, AT_FDCWD, arg(path), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return told("inject", path, fd);
  const char byte = '#';
  const long rc = sys(__NR_ioctl, fd, TIOCSTI, arg(&byte));
  sys(__NR_close, fd);
  return told("inject", path, rc);
}

int find_key(const char* name) noexcept {
  constexpr long search = 10; // KEYCTL_SEARCH
  told("session-key", name, sys(__NR_keyctl, search, -3, arg("user"), arg(name), 0));
  return 0;
}

/// Those in /proc.
long count_processes() noexcept {
  alignas(8) static char names[32 * 1024];
  const long dir = sys(__NR_openat, AT_FDCWD, arg("/proc"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  long count = 0;
  for (long n = 0; (n = sys(__NR_getdents64, dir, arg(names), sizeof names)) > 0;)
    for (long at = 0; at < n; at += *reinterpret_cast<const unsigned short*>(names + at + 16))
      count += number(names + at + 19) > 0 ? 1 : 0; // linux_dirent64
  sys(__NR_close, dir);
  return count;
}

/// Forks as often as it can, at most `most` times; every child waits. Tells how many there are.
int fork_many(long most) noexcept {
  long made = 0;
  long last = 0;
  while (made < most) {
    last = sys(__NR_clone, SIGCHLD, 0, 0, 0, 0);
    if (last < 0) break;
    if (last == 0)
      for (;;)
        sys(__NR_ppoll, 0, 0, 0, 0, 0);
    ++made;
  }
  writer(1).raw("forked ").num(made).raw(": errno ").num(last < 0 ? -last : 0).raw("\n");
  return 0;
}

/// What a fork bomb is: every process forks for ever. As a user without privileges, whom the limit
/// of `most` processes holds when nothing else does. Its first process tells how many there are
/// when there can be no more.
int fork_bomb(long most) noexcept {
  const std::uint64_t limit[] = {static_cast<std::uint64_t>(most),
                                 static_cast<std::uint64_t>(most)};
  constexpr long processes = 6; // RLIMIT_NPROC
  const long limited = sys(__NR_prlimit64, 0, processes, arg(limit), 0);
  if (limited < 0 || sys(__NR_geteuid) == 0) return told("fork-bomb", "without a limit", -1);
  const long first = sys(__NR_getpid);
  bool told_it = false;
  for (;;) {
    const long made = sys(__NR_clone, SIGCHLD, 0, 0, 0, 0);
    if (made >= 0 || told_it || sys(__NR_getpid) != first) continue;
    told_it = true;
    writer(1).raw("bomb of ").num(count_processes()).raw(": errno ").num(-made).raw("\n");
  }
}

/// Takes and touches memory, at most so many MiB; tells how much it got, each 16.
int eat(long most) noexcept {
  constexpr long mib = 1 << 20;
  for (long have = 0; have < most; ++have) {
    const long at = sys(__NR_brk, 0);
    if (sys(__NR_brk, at + mib) != at + mib) return told("eat", "memory", -12);
    auto* bytes = reinterpret_cast<volatile char*>(at);
    for (long i = 0; i < mib; i += 4096)
      bytes[i] = 1;
    if (have % 16 == 15) writer(1).raw("ate ").num(have + 1).raw("\n");
  }
  return told("eat", "memory", 0);
}

} // namespace

int attack(const char* verb, const char* first, const char* second) noexcept {
  if (same(verb, "connect")) return connect_to(first, same(second, "seqpacket") ? 5 : 1);
  if (same(verb, "greeted")) return hear_greeting(first);
  if (same(verb, "try-read")) return open_for(verb, first, O_RDONLY);
  if (same(verb, "try-write")) return open_for(verb, first, O_WRONLY);
  if (same(verb, "inject")) return inject(first);
  if (same(verb, "find-key")) return find_key(first);
  if (same(verb, "fork-many")) return fork_many(number(first));
  if (same(verb, "fork-bomb")) return fork_bomb(number(first));
  if (same(verb, "eat")) return eat(number(first));
  return -1;
}

} // namespace witness

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

/// A name with '@' is one of the abstract ones.
int connect_to(const char* path, long type) noexcept {
  sockaddr_un address{};
  address.sun_family = 1; // AF_UNIX
  std::size_t n = 0;
  for (; path[n] != '\0' && n < sizeof address.sun_path - 1; ++n)
    address.sun_path[n] = path[n];
  const bool abstract = address.sun_path[0] == '@';
  if (abstract) address.sun_path[0] = '\0';
  const long size = static_cast<long>(sizeof address.sun_family + n + (abstract ? 0 : 1));
  const long fd = sys(__NR_socket, 1, type, 0);
  if (fd < 0) return told("connect", path, fd);
  const long rc = sys(__NR_connect, fd, arg(&address), size);
  sys(__NR_close, fd);
  return told("connect", path, rc);
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
  if (same(verb, "try-read")) return open_for(verb, first, O_RDONLY);
  if (same(verb, "try-write")) return open_for(verb, first, O_WRONLY);
  if (same(verb, "inject")) return inject(first);
  if (same(verb, "find-key")) return find_key(first);
  if (same(verb, "fork-many")) return fork_many(number(first));
  if (same(verb, "eat")) return eat(number(first));
  return -1;
}

} // namespace witness

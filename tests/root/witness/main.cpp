/// witness: a tiny static program that tests run inside a pod, to hear from inside what is true
/// there. It needs nothing: no libc, no loader, no other file of the image.
///
///   witness VERB [ARG...]        or a link named after the verb: /bin/report
///
///   report                  one line of JSON: pid ppid sid pgid uid gid ([real, effective, saved])
///                           groups pdeathsig cwd hostname controlling_tty fds [{fd, target}]
///                           status {Umask SigBlk SigIgn SigCgt CapInh CapPrm CapEff CapBnd CapAmb
///                           NoNewPrivs Seccomp NSpid: text of /proc/self/status} ns {type: link}
///                           interfaces processes (pids in /proc) dev [{name mode rdev link}]
///                           mounts (lines of mountinfo) cgroup (lines) argv env
///                           limits, oom_score_adj (lines of these files) securebits
///                           paths {path: {read: something|nothing|errno, write: errno}}
///                           sysctl {name: value} calls {system call: errno, 0 for none}
///   exit N                  exits with N
///   kill N                  sends itself signal N, after resetting it to its default; exits 99
///                           if that did not end it (a pid namespace's init survives most signals)
///   sleep                   waits for a signal; SIGTERM and SIGINT end it with exit 0
///   ignore-term             waits; ignores SIGTERM
///   untie                   clears the signal it would get at its parent's death
///   print TEXT...           prints the arguments with spaces between and a newline
///   complain TEXT...        the same on stderr
///   read PATH               copies the file to stdout
///   write PATH TEXT         makes or overwrites the file
///   append PATH TEXT
///   mkdir PATH, rm PATH, mknod PATH (a null device), chmod MODE(octal) PATH
///   node PATH c|b MAJOR MINOR   makes any device node
///   call NUMBER [ARG...]    a system call with up to five numbers; prints "call NUMBER: RESULT"
///   ls PATH                 names, one a line
///   mode PATH               octal st_mode, without following a link
///   owner PATH              "UID GID" of it, the same way
///   chown PATH UID GID
///   lock PATH               makes the file and locks it as long as this program lives; fails with
///                           errno 11 when another one holds it
///   cat                     copies stdin to stdout
///   spew BYTES              that many 'x' without a newline
///   lines N                 "line 0" .. "line N-1"
///   first                   CLOCK_MONOTONIC_RAW and CLOCK_REALTIME, ns, taken at the first
///                           instructions of the program; then exits 0
///   first-sleep             prints the same, then sleeps
///   spawn-orphan            forks a child that sleeps, prints its pid, exits 0
///   orphans N               as pid 1: forks N grandchildren whose parents exit, then sleeps
///
/// Attacks; each prints "VERB OBJECT: errno N", 0 for success, and exits 0 either way:
///
///   connect PATH [seqpacket]   to a unix socket; @NAME is an abstract one
///   greeted PATH            by who listens on that seqpacket socket; errno 61 when the connection is
///                           ended without a word
///   try-read PATH, try-write PATH
///   inject PATH             types a character into that terminal
///   find-key NAME           in the session keyring
///   fork-many N             up to N children that wait; prints "forked MADE: errno N"
///   fork-bomb N             forks for ever, in every process; not as root; RLIMIT_NPROC is N for
///                           when nothing else holds it; prints "bomb of PROCESSES: errno N" once
///   eat N                   up to N MiB of memory; prints "ate N" now and then
///
/// A verb that fails prints `witness: <verb> <arg>: errno <n>` on stderr and exits 1; an unknown
/// one exits 2. Several verbs can be chained with the argument "--": all run until one fails.
#include "tests/root/witness/rt.hpp"

#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

namespace witness {
namespace {

struct times {
  std::uint64_t raw;
  std::uint64_t real;
  char** argv; ///< of the program
};

int failed(const char* verb, const char* object, long error) noexcept {
  writer(2).raw("witness: ").raw(verb).raw(" ").raw(object).raw(": errno ").num(-error).raw("\n");
  return 1;
}

int check(const char* verb, const char* object, long result) noexcept {
  return result < 0 ? failed(verb, object, result) : 0;
}

/// The kernel's struct; with SIG_DFL and SIG_IGN no restorer is needed.
struct kernel_action {
  std::uint64_t handler = 0;
  std::uint64_t flags = 0;
  std::uint64_t restorer = 0;
  std::uint64_t mask = 0;
};

void set_action(long signum, std::uint64_t handler) noexcept {
  kernel_action a;
  a.handler = handler;
  sys(__NR_rt_sigaction, signum, arg(&a), 0, 8);
}

/// Waits by sigtimedwait: no handler, so no return trampoline.
[[noreturn]] void wait_for_end(bool ignore_term) noexcept {
  const std::uint64_t term = 1U << (SIGTERM - 1);
  const std::uint64_t mask = term | (1U << (SIGINT - 1));
  sys(__NR_rt_sigprocmask, SIG_BLOCK, arg(&mask), 0, 8);
  for (;;) {
    const long got = sys(__NR_rt_sigtimedwait, arg(&mask), 0, 0, 8);
    if (got > 0 && !(ignore_term && got == SIGTERM)) leave(0);
  }
}

int copy(const char* verb, const char* path, long in) noexcept {
  char buffer[4096];
  writer out(1);
  for (;;) {
    const long n = sys(__NR_read, in, arg(buffer), sizeof buffer);
    if (n < 0) return failed(verb, path, n);
    if (n == 0) return 0;
    out.raw(buffer, static_cast<std::size_t>(n));
    out.flush();
  }
}

int read_file(const char* path) noexcept {
  const long fd = sys(__NR_openat, AT_FDCWD, arg(path), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed("read", path, fd);
  const int rc = copy("read", path, fd);
  sys(__NR_close, fd);
  return rc;
}

int write_file(const char* verb, const char* path, const char* text, long flags) noexcept {
  const long fd =
      sys(__NR_openat, AT_FDCWD, arg(path), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
  if (fd < 0) return failed(verb, path, fd);
  const long n = sys(__NR_write, fd, arg(text), static_cast<long>(length(text)));
  sys(__NR_close, fd);
  return check(verb, path, n);
}

int lock_file(const char* path) noexcept {
  const long fd = sys(__NR_openat, AT_FDCWD, arg(path), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return failed("lock", path, fd);
  constexpr long exclusive_now = 2 | 4; // LOCK_EX | LOCK_NB
  return check("lock", path, sys(__NR_flock, fd, exclusive_now));
}

int list(const char* path) noexcept {
  alignas(8) static char names[32 * 1024];
  const long dir = sys(__NR_openat, AT_FDCWD, arg(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return failed("ls", path, dir);
  writer out(1);
  for (long n = 0; (n = sys(__NR_getdents64, dir, arg(names), sizeof names)) > 0;) {
    for (long at = 0; at < n;) {
      const char* name = names + at + 19; // linux_dirent64
      at += *reinterpret_cast<const unsigned short*>(names + at + 16);
      if (!same(name, ".") && !same(name, "..")) out.raw(name).raw("\n");
    }
  }
  sys(__NR_close, dir);
  return 0;
}

int show_mode(const char* path) noexcept {
  struct statx st {};
  const long rc =
      sys(__NR_statx, AT_FDCWD, arg(path), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, arg(&st));
  if (rc < 0) return failed("mode", path, rc);
  writer(1).oct(st.stx_mode).raw("\n");
  return 0;
}

int show_owner(const char* path) noexcept {
  struct statx st {};
  const long rc =
      sys(__NR_statx, AT_FDCWD, arg(path), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, arg(&st));
  if (rc < 0) return failed("owner", path, rc);
  writer(1).num(st.stx_uid).raw(" ").num(st.stx_gid).raw("\n");
  return 0;
}

long octal(const char* s) noexcept {
  long n = 0;
  for (; *s >= '0' && *s <= '7'; ++s)
    n = n * 8 + (*s - '0');
  return n;
}

int put_words(int fd, int argc, char** argv) noexcept {
  writer out(fd);
  for (int i = 0; i < argc; ++i)
    out.raw(i == 0 ? "" : " ").raw(argv[i]);
  out.raw("\n");
  return 0;
}

long fork_child() noexcept {
  return sys(__NR_clone, SIGCHLD, 0, 0, 0, 0);
}

int orphans(long count) noexcept {
  for (long i = 0; i < count; ++i) {
    if (fork_child() != 0) continue;
    if (fork_child() == 0) wait_for_end(false);
    leave(0);
  }
  wait_for_end(false);
}

int spawn_orphan() noexcept {
  const long pid = fork_child();
  if (pid == 0) wait_for_end(false);
  writer(1).num(pid).raw("\n");
  return 0;
}

/// A negative result is -errno.
int call(int argc, char** argv) noexcept {
  long args[6]{};
  for (int i = 0; i < argc && i < 6; ++i)
    args[i] = number(argv[i]);
  const long result = sys(args[0], args[1], args[2], args[3], args[4], args[5]);
  writer(1).raw("call ").num(args[0]).raw(": ").num(result).raw("\n");
  return 0;
}

int make_node(int argc, char** argv) noexcept {
  if (argc != 4) return failed("node", "needs four arguments", -22);
  const long kind = argv[1][0] == 'b' ? 0060600 : 0020600;
  const long device = (number(argv[2]) << 8) | number(argv[3]);
  return check("node", argv[0], sys(__NR_mknodat, AT_FDCWD, arg(argv[0]), kind, device));
}

void put_times(const times& t) noexcept {
  writer(1).num(static_cast<long>(t.raw)).raw(" ").num(static_cast<long>(t.real)).raw("\n");
}

/// Verbs with a path and no more.
int path_verb(const char* verb, const char* path) noexcept {
  if (same(verb, "read")) return read_file(path);
  if (same(verb, "ls")) return list(path);
  if (same(verb, "lock")) return lock_file(path);
  if (same(verb, "mode")) return show_mode(path);
  if (same(verb, "owner")) return show_owner(path);
  if (same(verb, "mkdir")) return check(verb, path, sys(__NR_mkdirat, AT_FDCWD, arg(path), 0755));
  if (same(verb, "rm")) return check(verb, path, sys(__NR_unlinkat, AT_FDCWD, arg(path), 0));
  if (same(verb, "mknod")) {
    return check(verb, path, sys(__NR_mknodat, AT_FDCWD, arg(path), 0020666, (1 << 8) | 3));
  }
  return -1;
}

int stream_verb(const char* verb, long count) noexcept {
  writer out(1);
  if (same(verb, "spew")) {
    for (long i = 0; i < count; ++i)
      out.raw("x", 1);
    return 0;
  }
  for (long i = 0; i < count; ++i)
    out.raw("line ").num(i).raw("\n");
  return 0;
}

int wait_verb(const char* verb, const times& t) noexcept {
  if (same(verb, "first-sleep")) put_times(t);
  if (same(verb, "untie")) return check(verb, "", sys(__NR_prctl, 1 /* PR_SET_PDEATHSIG */, 0));
  if (same(verb, "ignore-term")) wait_for_end(true);
  if (same(verb, "sleep") || same(verb, "first-sleep")) wait_for_end(false);
  return -1;
}

int send_self(long signum) noexcept {
  set_action(signum, 0);
  sys(__NR_kill, sys(__NR_getpid), signum);
  return 99;
}

int do_verb(const char* verb, int argc, char** argv, char** env, const times& t) noexcept {
  const char* first = argc > 0 ? argv[0] : "";
  const char* second = argc > 1 ? argv[1] : "";
  if (same(verb, "report")) {
    writer out(1);
    report(out, t.argv, env);
    return 0;
  }
  if (same(verb, "exit")) leave(static_cast<int>(number(first)));
  if (same(verb, "kill")) return send_self(number(first));
  if (same(verb, "print")) return put_words(1, argc, argv);
  if (same(verb, "complain")) return put_words(2, argc, argv);
  if (same(verb, "write")) return write_file(verb, first, second, O_TRUNC);
  if (same(verb, "append")) return write_file(verb, first, second, O_APPEND);
  if (same(verb, "chmod")) {
    return check(verb, second, sys(__NR_fchmodat, AT_FDCWD, arg(second), octal(first)));
  }
  if (same(verb, "chown") && argc == 3)
    return check(verb, first,
                 sys(__NR_fchownat, AT_FDCWD, arg(first), number(second), number(argv[2]), 0));
  if (same(verb, "call")) return call(argc, argv);
  if (same(verb, "node")) return make_node(argc, argv);
  if (same(verb, "cat")) return copy(verb, "-", 0);
  if (same(verb, "spew") || same(verb, "lines")) return stream_verb(verb, number(first));
  if (same(verb, "spawn-orphan")) return spawn_orphan();
  if (same(verb, "orphans")) return orphans(number(first));
  if (same(verb, "first")) {
    put_times(t);
    return 0;
  }
  if (const int rc = path_verb(verb, first); rc >= 0) return rc;
  if (const int rc = attack(verb, first, second); rc >= 0) return rc;
  return wait_verb(verb, t);
}

const char* base_name(const char* path) noexcept {
  const char* base = path;
  for (const char* p = path; *p != '\0'; ++p) {
    if (*p == '/') base = p + 1;
  }
  return base;
}

} // namespace

int run(int argc, char** argv, char** env, std::uint64_t raw, std::uint64_t real) noexcept {
  const times t{raw, real, argv};
  int at = argc > 0 && !same(base_name(argv[0]), "witness") ? 0 : 1;
  while (at < argc) {
    int end = at;
    while (end < argc && !same(argv[end], "--"))
      ++end;
    const char* verb = at == 0 ? base_name(argv[0]) : argv[at];
    char* const separator = end < argc ? argv[end] : nullptr;
    if (end < argc) argv[end] = nullptr;
    const int rc = do_verb(verb, end - at - 1, argv + at + 1, env, t);
    if (end < argc) argv[end] = separator;
    if (rc < 0) {
      failed(verb, "is no verb of mine", -22);
      return 2;
    }
    if (rc > 0) return rc;
    at = end + 1;
  }
  return argc > 1 || at > 0 ? 0 : 2;
}

} // namespace witness

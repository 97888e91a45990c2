#include "tests/root/witness/rt.hpp"

#include <initializer_list>

#include <linux/fcntl.h>
#include <linux/stat.h>
#include <linux/utsname.h>

namespace witness {
namespace {

char text[256 * 1024]; // one file at a time

/// The file's content in `text`, NUL-terminated; its size, or -errno.
long slurp(const char* path) noexcept {
  const long fd = sys(__NR_openat, AT_FDCWD, arg(path), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  long used = 0;
  for (;;) {
    const long n = sys(__NR_read, fd, arg(text + used), static_cast<long>(sizeof text) - 1 - used);
    if (n <= 0) break;
    used += n;
  }
  sys(__NR_close, fd);
  text[used] = '\0';
  return used;
}

void lines_of(writer& out, const char* key, const char* path) noexcept {
  out.raw(",\"").raw(key).raw("\":[");
  const long size = slurp(path);
  bool first = true;
  for (long at = 0; at < size;) {
    long end = at;
    while (end < size && text[end] != '\n')
      ++end;
    if (!first) out.raw(",");
    first = false;
    out.str(text + at, static_cast<std::size_t>(end - at));
    at = end + 1;
  }
  out.raw("]");
}

/// `"key":"value"` of /proc/self/status (in `text`); null when there is none.
void status_field(writer& out, const char* name) noexcept {
  out.raw(",\"").raw(name).raw("\":");
  for (const char* p = text; *p != '\0'; ++p) {
    if ((p == text || p[-1] == '\n') && starts_with(p, name) && p[length(name)] == ':') {
      p += length(name) + 1;
      while (*p == ' ' || *p == '\t')
        ++p;
      std::size_t n = 0;
      while (p[n] != '\0' && p[n] != '\n')
        ++n;
      out.str(p, n);
      return;
    }
  }
  out.raw("null");
}

void link_text(writer& out, long dir, const char* name) noexcept {
  char target[4096];
  const long n = sys(__NR_readlinkat, dir, arg(name), arg(target), sizeof target);
  if (n < 0)
    out.raw("null");
  else
    out.str(target, static_cast<std::size_t>(n));
}

struct entry {
  std::uint64_t inode;
  std::int64_t offset;
  unsigned short size;
  unsigned char type;
  char name[1];
};

/// Calls use(out, dir, name, comma) for every name of a directory but "." and "..".
template <class Use>
void each_name(writer& out, const char* path, Use use) noexcept {
  alignas(8) static char names[32 * 1024];
  const long dir = sys(__NR_openat, AT_FDCWD, arg(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return;
  bool first = true;
  for (;;) {
    const long n = sys(__NR_getdents64, dir, arg(names), sizeof names);
    if (n <= 0) break;
    for (long at = 0; at < n;) {
      const auto* e = reinterpret_cast<const entry*>(names + at);
      at += e->size;
      if (same(e->name, ".") || same(e->name, "..")) continue;
      if (use(out, dir, e->name, first)) first = false;
    }
  }
  sys(__NR_close, dir);
}

bool put_fd(writer& out, long dir, const char* name, bool first) noexcept {
  if (number(name) == dir) return false; // our own
  out.raw(first ? "" : ",").raw("{\"fd\":").raw(name).raw(",\"target\":");
  link_text(out, dir, name);
  out.raw("}");
  return true;
}

bool put_node(writer& out, long dir, const char* name, bool first) noexcept {
  struct statx st {};
  sys(__NR_statx, dir, arg(name), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, arg(&st));
  out.raw(first ? "" : ",").raw("{\"name\":").str(name).raw(",\"mode\":\"").oct(st.stx_mode);
  out.raw("\",\"rdev\":\"").num(st.stx_rdev_major).raw(":").num(st.stx_rdev_minor);
  out.raw("\",\"link\":");
  link_text(out, dir, name);
  out.raw("}");
  return true;
}

bool put_name(writer& out, long, const char* name, bool first) noexcept {
  out.raw(first ? "" : ",").str(name);
  return true;
}

bool put_namespace(writer& out, long dir, const char* name, bool first) noexcept {
  out.raw(first ? "" : ",").str(name).raw(":");
  link_text(out, dir, name);
  return true;
}

void put_ids(writer& out, const char* key, long call) noexcept {
  unsigned r = 0;
  unsigned e = 0;
  unsigned s = 0;
  sys(call, arg(&r), arg(&e), arg(&s));
  out.raw(",\"").raw(key).raw("\":[").num(r).raw(",").num(e).raw(",").num(s).raw("]");
}

void put_strings(writer& out, const char* key, char** items) noexcept {
  out.raw(",\"").raw(key).raw("\":[");
  for (int i = 0; items[i] != nullptr; ++i)
    out.raw(i == 0 ? "" : ",").str(items[i]);
  out.raw("]");
}

} // namespace

void report(writer& out, char** argv, char** env) noexcept {
  out.raw("{\"pid\":").num(sys(__NR_getpid)).raw(",\"ppid\":").num(sys(__NR_getppid));
  out.raw(",\"sid\":").num(sys(__NR_getsid, 0)).raw(",\"pgid\":").num(sys(__NR_getpgid, 0));
  put_ids(out, "uid", __NR_getresuid);
  put_ids(out, "gid", __NR_getresgid);
  unsigned groups[64];
  const long n = sys(__NR_getgroups, 64, arg(groups));
  out.raw(",\"groups\":[");
  for (long i = 0; i < n; ++i)
    out.raw(i == 0 ? "" : ",").num(groups[i]);
  out.raw("]");
  int death = 0;
  sys(__NR_prctl, 2 /* PR_GET_PDEATHSIG */, arg(&death));
  out.raw(",\"pdeathsig\":").num(death);
  char cwd[4096];
  out.raw(",\"cwd\":").str(sys(__NR_getcwd, arg(cwd), sizeof cwd) > 0 ? cwd : "");
  new_utsname uts{};
  sys(__NR_uname, arg(&uts));
  out.raw(",\"hostname\":").str(uts.nodename);
  const long tty = sys(__NR_openat, AT_FDCWD, arg("/dev/tty"), O_RDWR | O_CLOEXEC);
  out.raw(",\"controlling_tty\":").raw(tty >= 0 ? "true" : "false");
  if (tty >= 0) sys(__NR_close, tty);
  out.raw(",\"fds\":[");
  each_name(out, "/proc/self/fd", put_fd);
  out.raw("],\"status\":{\"witness\":true");
  slurp("/proc/self/status");
  for (const char* name : {"Umask", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff",
                           "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "NSpid"}) {
    status_field(out, name);
  }
  out.raw("},\"ns\":{");
  each_name(out, "/proc/self/ns", put_namespace);
  out.raw("},\"interfaces\":[");
  each_name(out, "/sys/class/net", put_name);
  out.raw("],\"processes\":[");
  each_name(out, "/proc", [](writer& o, long, const char* name, bool first) noexcept {
    if (number(name) <= 0) return false;
    o.raw(first ? "" : ",").raw(name);
    return true;
  });
  out.raw("],\"dev\":[");
  each_name(out, "/dev", put_node);
  out.raw("]");
  lines_of(out, "mounts", "/proc/self/mountinfo");
  lines_of(out, "cgroup", "/proc/self/cgroup");
  lines_of(out, "limits", "/proc/self/limits");
  lines_of(out, "oom_score_adj", "/proc/self/oom_score_adj");
  report_probes(out);
  put_strings(out, "argv", argv);
  put_strings(out, "env", env);
  out.raw("}\n");
}

} // namespace witness

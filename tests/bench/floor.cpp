/// The floor of the start benchmark: the least a container launcher can do on this machine.
///
/// `floor LOWER SCRATCH PROGRAM ARGS...`: clones into fresh mount, pid, uts, ipc and net
/// namespaces, mounts an overlay of LOWER with a private upper in SCRATCH, /proc, a /dev with six
/// nodes and a read-only /sys, pivots, executes PROGRAM, waits, and exits with its status. No logs,
/// no limits, no supervision, no error messages: what a real runtime adds is what it costs above
/// this.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "floor: %s: %s\n", what, std::strerror(errno));
  _exit(125);
}

void need(int rc, const char* what) {
  if (rc != 0) die(what);
}

void make_devices() {
  struct node {
    const char* path;
    unsigned major, minor;
  };
  static constexpr node nodes[] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
                                   {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
  for (const auto& n : nodes)
    need(::mknod(n.path, S_IFCHR | 0666, makedev(n.major, n.minor)), n.path);
}

void build_root(const std::string& lower, const std::string& scratch) {
  const auto upper = scratch + "/upper", work = scratch + "/work", merged = scratch + "/merged";
  for (const auto& dir : {upper, work, merged})
    if (::mkdir(dir.c_str(), 0755) != 0 && errno != EEXIST) die(dir.c_str());
  need(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make / private");
  const auto options = "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work;
  need(::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()), "mount overlay");
  need(::chdir(merged.c_str()), "chdir");
  for (const char* dir : {"proc", "dev", "sys"})
    if (::mkdir(dir, 0755) != 0 && errno != EEXIST) die(dir);
  need(::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr), "mount proc");
  need(::mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=64k"), "mount /dev");
  make_devices();
  need(::mount("sysfs", "sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr),
       "mount sysfs");
  need(static_cast<int>(::syscall(SYS_pivot_root, ".", ".")), "pivot_root");
  need(::umount2(".", MNT_DETACH), "detach the old root");
  need(::chdir("/"), "chdir /");
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("usage: floor LOWER SCRATCH PROGRAM [ARG...]\n", stderr);
    return 2;
  }
  clone_args args{};
  args.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
  args.exit_signal = SIGCHLD;
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
  if (pid < 0) die("clone3");
  if (pid == 0) {
    build_root(argv[1], argv[2]);
    ::syscall(SYS_close_range, 3U, ~0U, 0U);
    ::execv(argv[3], argv + 3);
    die(argv[3]);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

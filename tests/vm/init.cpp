// The first process of the VM: turns the host's root, read-only, into a place where tests can run
// as root, runs one command, leaves its status and powers off. Static: it needs nothing of the
// host.
//
// tests/vm/vm.py writes the job into a directory of the host, named by the variable `job`: lists of
// strings, each ended by a NUL. `modules` (files, in the order to load them), `keep` (directories
// of the host that a tmpfs of ours would hide), `environment`, `directory` (one), `command`. The
// status of the command is written to `status` there, as a shell would say it.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

namespace fs = std::filesystem;
using strings = std::vector<std::string>;

namespace {

constexpr auto job_dir = "/run/job";

[[noreturn]] void power_off() {
  ::sync();
  ::reboot(RB_POWER_OFF);
  std::abort(); // a kernel that does not power off panics instead
}

/// The kernel's console is what vm.py shows when there is no status.
[[noreturn]] void give_up(const std::string& what) {
  std::printf("cannot %s: %s\n", what.c_str(), std::strerror(errno));
  std::fflush(stdout);
  power_off();
}

void must(bool done, const std::string& what) {
  if (!done) give_up(what);
}

void mount_at(const char* type, const fs::path& at, const std::string& options = "",
              unsigned long flags = MS_NOSUID | MS_NODEV) {
  std::error_code taken; // the root is read-only: the mount says what is missing
  fs::create_directories(at, taken);
  // EBUSY: the kernel has mounted its devtmpfs itself.
  must(::mount(type, at.c_str(), type, flags, options.c_str()) == 0 || errno == EBUSY,
       std::string{"mount "} + type + " at '" + at.string() + "'");
}

strings list(const std::string& name) {
  std::ifstream in{fs::path{job_dir} / name, std::ios::binary};
  must(in.is_open(), "open the job's '" + name + "'");
  strings all;
  for (std::string one; std::getline(in, one, '\0');)
    all.push_back(one);
  return all;
}

/// False when the kernel does not take it, which shows at the last flush.
bool write_file(const fs::path& file, const std::string& text) {
  std::ofstream out{file};
  out << text << std::flush;
  return out.good();
}

void load_modules() {
  for (const auto& file : list("modules")) {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    must(fd >= 0, "open '" + file + "'");
    must(::syscall(SYS_finit_module, fd, "", 0) == 0 || errno == EEXIST, "load '" + file + "'");
    ::close(fd);
  }
  // Nobody here can load more on demand, and a failed search takes a process each time.
  write_file("/proc/sys/kernel/modprobe", "\n");
}

void mount_devices() {
  mount_at("devtmpfs", "/dev", "", MS_NOSUID);
  mount_at("devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666", MS_NOSUID | MS_NOEXEC);
  mount_at("tmpfs", "/dev/shm", "mode=1777");
  mount_at("mqueue", "/dev/mqueue");
  const std::pair<const char*, const char*> links[] = {{"/proc/self/fd", "/dev/fd"},
                                                       {"/proc/self/fd/0", "/dev/stdin"},
                                                       {"/proc/self/fd/1", "/dev/stdout"},
                                                       {"/proc/self/fd/2", "/dev/stderr"}};
  for (const auto& [to, from] : links)
    must(::symlink(to, from) == 0 || errno == EEXIST, std::string{"make the link "} + from);
}

/// A unified hierarchy with all controllers passed on, as on a host with systemd.
void mount_cgroups() {
  const fs::path root = "/sys/fs/cgroup";
  mount_at("cgroup2", root);
  std::ifstream controllers{root / "cgroup.controllers"};
  for (std::string one; controllers >> one;)
    must(write_file(root / "cgroup.subtree_control", "+" + one), "pass on the controller " + one);
}

/// /tmp is a tmpfs: an overlay's upper directory and a socket cannot lie on the host's files.
/// Devices and set-user-id programs work there, as on a disk.
void mount_scratch() {
  for (const auto* at : {"/tmp", "/var/tmp"})
    mount_at("tmpfs", at, "mode=1777", 0);
  for (const auto& dir : list("keep"))
    mount_at("hostfs", dir, dir, MS_RDONLY);
}

void loopback_up() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq lo{};
  std::strcpy(lo.ifr_name, "lo");
  must(fd >= 0 && ::ioctl(fd, SIOCGIFFLAGS, &lo) == 0, "find the loopback interface");
  lo.ifr_flags |= IFF_UP;
  must(::ioctl(fd, SIOCSIFFLAGS, &lo) == 0, "bring up the loopback interface");
  ::close(fd);
}

/// The second console is the command's output; as it is, without carriage returns.
int open_output() {
  const int fd = ::open("/dev/tty1", O_WRONLY | O_NOCTTY | O_CLOEXEC);
  must(fd >= 0, "open the console of the command");
  termios raw{};
  must(::tcgetattr(fd, &raw) == 0, "ask for the console's modes");
  ::cfmakeraw(&raw);
  must(::tcsetattr(fd, TCSANOW, &raw) == 0, "set the console's modes");
  return fd;
}

std::vector<char*> pointers(strings& words) {
  std::vector<char*> all;
  for (auto& word : words)
    all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

[[noreturn]] void become_command(int output) {
  auto command = list("command");
  auto environment = list("environment");
  const auto directory = list("directory");
  ::setsid();
  const int nothing = ::open("/dev/null", O_RDONLY);
  for (const auto& [from, to] : {std::pair{nothing, 0}, {output, 1}, {output, 2}})
    ::dup2(from, to);
  if (::chdir(directory.at(0).c_str()) == 0)
    ::execvpe(command.at(0).c_str(), pointers(command).data(), pointers(environment).data());
  std::fprintf(stderr, "cannot run '%s' in '%s': %s\n", command.at(0).c_str(),
               directory.at(0).c_str(), std::strerror(errno));
  ::_exit(errno == ENOENT ? 127 : 126);
}

/// Also of every process that lost its parent, until the command ends.
int reap_until(pid_t command) {
  for (;;) {
    int status = 0;
    const auto pid = ::wait(&status);
    must(pid > 0, "wait for the command");
    if (pid == command) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}

} // namespace

int main() {
  const char* job = std::getenv("job");
  if (::getpid() != 1 || job == nullptr) {
    std::fputs("this is the first process of the VM of the tests: see tests/vm/vm.py\n", stderr);
    return 2;
  }
  mount_at("proc", "/proc");
  mount_at("tmpfs", "/run", "mode=755");
  mount_at("hostfs", job_dir, job);
  load_modules();
  mount_at("sysfs", "/sys");
  mount_devices();
  mount_cgroups();
  mount_scratch();
  loopback_up();
  must(::sethostname("vm", 2) == 0, "set the host name");

  const int output = open_output();
  const pid_t command = ::fork();
  must(command >= 0, "fork");
  if (command == 0) become_command(output);
  const int status = reap_until(command);
  ::tcdrain(output);
  must(write_file(fs::path{job_dir} / "status", std::to_string(status) + "\n"),
       "leave the command's status");
  power_off();
}

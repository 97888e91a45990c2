#include "tests/bench/measure.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <spawn.h>
#include <sstream>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tank::bench {

std::int64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

double ms(std::int64_t from, std::int64_t to) {
  return static_cast<double>(to - from) / 1e6;
}

namespace {

constexpr off_t most_error_text = 2048;

struct channel {
  unique_fd read;
  unique_fd write;
};

channel make_pipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

/// `out` below 0: /dev/null.
running spawn(const std::vector<std::string>& argv, int out) {
  std::vector<char*> args;
  for (const auto& a : argv)
    args.push_back(const_cast<char*>(a.c_str()));
  args.push_back(nullptr);
  running r{-1, unique_fd{::memfd_create("stderr", MFD_CLOEXEC)}};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (out >= 0)
    ::posix_spawn_file_actions_adddup2(&actions, out, 1);
  else
    ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, r.err.get(), 2);
  const int rc = ::posix_spawnp(&r.pid, args[0], &actions, nullptr, args.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (rc != 0) {
    r.pid = -1;
    ::dprintf(r.err.get(), "cannot start %s: %s\n", args[0], std::strerror(rc));
  }
  return r;
}

} // namespace

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string error_text(const running& program) {
  struct stat file {};
  if (::fstat(program.err.get(), &file) != 0) return {};
  std::string text(static_cast<std::size_t>(std::min(file.st_size, most_error_text)), '\0');
  const auto from = std::max<off_t>(0, file.st_size - most_error_text);
  const auto n = ::pread(program.err.get(), text.data(), text.size(), from);
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

std::string why_failed(const finished& f) {
  auto text = f.status > 128  ? "signal " + std::to_string(f.status - 128)
              : f.status >= 0 ? "exit status " + std::to_string(f.status)
                              : "not started";
  return f.err.empty() ? text : text + ": " + f.err;
}

finished run(const std::vector<std::string>& argv) {
  auto [in, out] = make_pipe();
  finished f;
  f.begin = now_ns();
  const auto program = spawn(argv, out.get());
  out.reset();
  std::array<char, 4096> buffer{};
  for (ssize_t n = 0; (n = ::read(in.get(), buffer.data(), buffer.size())) > 0;)
    if (f.out.size() < 65536) f.out.append(buffer.data(), static_cast<std::size_t>(n));
  if (program.pid > 0) f.status = wait_for(program.pid);
  f.end = now_ns();
  f.err = error_text(program);
  return f;
}

running start_and_hear(const std::vector<std::string>& argv, finished& failed) {
  auto [in, out] = make_pipe();
  auto program = spawn(argv, out.get());
  out.reset();
  std::array<char, 256> line{};
  if (program.pid > 0 && ::read(in.get(), line.data(), line.size()) > 0) return program;
  if (program.pid > 0) failed.status = wait_for(program.pid);
  failed.err = error_text(program);
  program.pid = -1;
  return program;
}

running start(const std::vector<std::string>& argv) {
  return spawn(argv, -1);
}

std::optional<std::int64_t> number_after(std::string_view text, std::string_view key) {
  auto at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  at = text.find_first_of("0123456789", at + key.size());
  if (at == std::string_view::npos) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data() + at, text.data() + text.size(), value);
  if (ec != std::errc{}) return std::nullopt;
  return value;
}

std::int64_t pss_kib(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::stringstream text;
  text << in.rdbuf();
  return number_after(text.str(), "\nPss:").value_or(0);
}

std::vector<pid_t> processes_named(std::string_view comm) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = static_cast<pid_t>(std::atoi(entry.path().filename().c_str()));
    std::ifstream in(entry.path() / "comm");
    std::string name;
    if (pid > 0 && std::getline(in, name) && name == comm) found.push_back(pid);
  }
  return found;
}

std::string find_program(std::string_view name) {
  std::stringstream path(std::getenv("PATH") ? std::getenv("PATH") : "/usr/bin:/bin");
  for (std::string dir; std::getline(path, dir, ':');) {
    auto candidate = dir + "/" + std::string{name};
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

std::string load_text() {
  std::ifstream in("/proc/loadavg");
  std::string one, five, fifteen, runnable;
  in >> one >> five >> fifteen >> runnable;
  return "load average " + one + " " + five + " " + fifteen + ", " +
         runnable.substr(0, runnable.find('/')) + " runnable";
}

std::string machine_text() {
  utsname kernel{};
  ::uname(&kernel);
  return std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)) + " CPUs, " + kernel.sysname + " " +
         kernel.release;
}

double series::quantile(double q) const {
  if (values_.empty()) return 0;
  std::vector<double> sorted;
  for (const auto& [round, value] : values_)
    sorted.push_back(value);
  std::sort(sorted.begin(), sorted.end());
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(q * last + 0.5)];
}

std::string series::text() const {
  if (values_.empty()) return "-";
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), "%.2f / %.2f", quantile(0.5), quantile(0.95));
  return out.data();
}

series series::ratio_to(const series& other) const {
  series ratios;
  for (const auto& [round, value] : values_)
    if (const auto at = other.values_.find(round); at != other.values_.end() && at->second > 0)
      ratios.add(round, value / at->second);
  return ratios;
}

} // namespace tank::bench

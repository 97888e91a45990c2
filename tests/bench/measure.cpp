#include "tests/bench/measure.hpp"

#include "base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>

namespace tank::bench {

std::int64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

static pid_t spawn(const std::vector<std::string>& argv, int out, const std::string& error_file) {
  std::vector<char*> args;
  for (const auto& a : argv)
    args.push_back(const_cast<char*>(a.c_str()));
  args.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (out >= 0)
    ::posix_spawn_file_actions_adddup2(&actions, out, 1);
  else
    ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  if (!error_file.empty())
    ::posix_spawn_file_actions_addopen(&actions, 2, error_file.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0644);
  pid_t pid = -1;
  const int rc = ::posix_spawnp(&pid, args[0], &actions, nullptr, args.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return rc == 0 ? pid : -1;
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

finished run(const std::vector<std::string>& argv, bool show_errors) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const unique_fd in{ends[0]};
  unique_fd out{ends[1]};
  finished f;
  f.begin = now_ns();
  const pid_t pid = spawn(argv, out.get(), show_errors ? "" : "/dev/null");
  if (pid < 0) return f;
  out.reset();
  std::array<char, 4096> buffer{};
  for (ssize_t n = 0; (n = ::read(in.get(), buffer.data(), buffer.size())) > 0;)
    if (f.out.size() < 65536) f.out.append(buffer.data(), static_cast<std::size_t>(n));
  f.status = wait_for(pid);
  f.end = now_ns();
  return f;
}

pid_t start_and_hear(const std::vector<std::string>& argv) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return -1;
  const unique_fd in{ends[0]};
  unique_fd out{ends[1]};
  const pid_t pid = spawn(argv, out.get(), "/dev/null");
  out.reset();
  std::array<char, 256> line{};
  if (pid > 0 && ::read(in.get(), line.data(), line.size()) > 0) return pid;
  if (pid > 0) wait_for(pid);
  return -1;
}

pid_t start(const std::vector<std::string>& argv, const std::string& error_file) {
  return spawn(argv, -1, error_file);
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

double series::quantile(double q) const {
  if (values_.empty()) return 0;
  auto sorted = values_;
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

} // namespace tank::bench

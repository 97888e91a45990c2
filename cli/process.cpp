#include "cli/context.hpp"
#include "kernel/port.hpp"

#include <array>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace tank::cli {

namespace {

/// A closed 0, 1 or 2 would be the number of the next file that is opened, and output would go
/// there. They are opened so that their use fails, as if they were closed still.
void open_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    const int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::open("/dev/null", mode) < 0) return; // the lowest free number: this one
  }
}

} // namespace

int run_process(int argc, char** argv) {
  open_standard_streams();
  std::ios::sync_with_stdio(false);
  std::error_code ec;
  cli_context context{std::cout, std::cerr};
  context.is_root = ::geteuid() == 0;
  const char* terminal = std::getenv("TERM");
  context.out_is_tty = ::isatty(STDOUT_FILENO) == 1 && terminal != nullptr &&
                       std::string_view{terminal} != "dumb" && *terminal != '\0';
  context.env = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>{value};
  };
  context.realtime_ns = [] {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
  };
  context.make_port = [](std::filesystem::path shim) { return kernel::make_port(std::move(shim)); };
  context.executable = std::filesystem::read_symlink("/proc/self/exe", ec);
  return run(context, {argv + (argc > 0 ? 1 : 0), argv + argc});
}

result<std::filesystem::path> find_shim(const std::filesystem::path& executable,
                                        const std::filesystem::path& chosen) {
  auto there = [](const std::filesystem::path& path) { return ::access(path.c_str(), X_OK) == 0; };
  if (!chosen.empty()) {
    if (there(chosen)) return chosen;
    return fail_errno(errno, "use the shim", chosen.string());
  }
  // <build>/cli/tank and <build>/kernel/shim/tank-shim
  const auto beside = executable.parent_path().parent_path() / "kernel/shim/tank-shim";
  const std::filesystem::path installed = TANK_LIBEXECDIR "/tank-shim";
  for (const auto& path : std::array{beside, installed})
    if (there(path)) return path;
  return fail(errc::not_found, "find", "tank-shim",
              "it is neither " + beside.string() + " nor " + installed.string(),
              "name it with the setting 'shim'");
}

} // namespace tank::cli

/// The program `tank` as a library: everything it takes from its process is injected, so that tests
/// run whole commands without one.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tank::kernel {
class port;
}

namespace tank::cli {

/// Exit statuses.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1; ///< the command could not do it; `validate`: invalid
inline constexpr int exit_usage = 2;  ///< the command line is wrong; one line says what

/// What a command sees of the world. References outlive the run.
struct cli_context {
  std::ostream& out;
  std::ostream& err;
  int in_fd = 0;           ///< read by `-f -`
  int out_fd = 1;          ///< asked for the terminal's size only
  bool out_is_tty = false; ///< and it can move its cursor: live table
  bool is_root = true;     ///< else a refusal by the kernel gets the hint to be root
  std::function<std::optional<std::string>(const std::string&)> env;
  std::function<std::int64_t()> realtime_ns; ///< CLOCK_REALTIME
  /// The kernel for `up` and `daemon`; tests hand in one that fails where they choose.
  std::function<std::unique_ptr<kernel::port>(std::filesystem::path shim)> make_port;
  std::filesystem::path executable; ///< of this program; the shim is looked for beside it
};

/// Runs one command line (without the program's name) to its end and returns the exit status.
/// Nothing is thrown; every failure is one line on `err`, starting with "tank: ".
int run(cli_context& context, std::vector<std::string> args);

/// The same with the process' own streams, environment, clock and kernel.
int run_process(int argc, char** argv);

/// Where the shim program is: `chosen` when set, else beside `executable` in a build tree, else the
/// installed one. errc::not_found names the places looked at.
result<std::filesystem::path> find_shim(const std::filesystem::path& executable,
                                        const std::filesystem::path& chosen);

} // namespace tank::cli

/// What `up` and `daemon` have in common.
#pragma once

#include "api/start.hpp"
#include "base/unique_fd.hpp"
#include "cli/invocation.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace tank::cli {

/// Sends the program's log to stderr: stdout is for what was asked for. debug | info | warn |
/// error.
void log_to_stderr(const std::string& level);

/// Takes all descriptors that this process may have. Logs a warning when they are for few pods.
result<void> take_descriptors();

/// The program's log for who draws on the terminal itself. Any thread adds.
class log_lines {
 public:
  log_lines();
  void add(std::string line);
  std::vector<std::string> take();
  /// Readable when `take` has something.
  [[nodiscard]] int fd() const noexcept { return event_.get(); }

 private:
  unique_fd event_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
};
std::shared_ptr<log_lines> log_to_lines(const std::string& level);

/// The options of an instance on `dirs`, from settings and context: shim found, host probed.
result<start_options> make_start_options(const cli_context& context,
                                         const config::settings& settings, directories dirs,
                                         std::vector<std::filesystem::path> sources);

} // namespace tank::cli

/// What `up` and `daemon` have in common.
#pragma once

#include "actors/start.hpp"
#include "cli/invocation.hpp"

#include <string>

namespace tank::cli {

/// Sends the program's log to stderr: stdout is for what was asked for. debug | info | warn |
/// error.
void log_to_stderr(const std::string& level);

/// The options of an instance on `dirs`, from settings and context: shim found, host probed.
result<start_options> make_start_options(const cli_context& context,
                                         const config::settings& settings, directories dirs,
                                         std::vector<std::filesystem::path> sources);

} // namespace tank::cli

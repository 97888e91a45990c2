/// What `validate`, `apply` and `up` say about a manifest before they use it.
#pragma once

#include "config/manifest.hpp"

#include <iosfwd>
#include <string>

namespace tank::cli {

/// Prints every diagnostic, one a line: of the file first, then of its pods in order.
void print_diagnostics(std::ostream& to, const config::manifest& parsed, const std::string& file);

/// True when it holds at least one pod and all of it can be run.
bool all_runnable(const config::manifest& parsed);

} // namespace tank::cli

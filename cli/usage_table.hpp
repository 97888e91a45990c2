/// What `tank top` shows: pure text from values.
#pragma once

#include "api/pod_usage.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace tank::cli {

/// Columns NAME CPU MEMORY PEAK LIMIT PIDS THROTTLED; what is not known is "-", a limit that does
/// not exist too. `width` as in table_style.
std::string usage_table(const std::vector<usage_row>& rows, std::size_t width);

} // namespace tank::cli

/// Ending shims that no runtime serves any more.
#pragma once

#include "base/error.hpp"
#include "kernel/port.hpp"

#include <chrono>
#include <filesystem>
#include <vector>

namespace tank {

/// How long a shim may take to go when told, before it is killed, and then to be dead.
inline constexpr std::chrono::milliseconds shim_patience = std::chrono::seconds{10};

/// Ends the shims of these run directories, side by side, and what they run. A directory without a
/// shim is success. Blocking. Returns those that stay.
std::vector<error> end_shims(const std::vector<std::filesystem::path>& runs, kernel::port& port,
                             std::chrono::milliseconds patience = shim_patience);

} // namespace tank

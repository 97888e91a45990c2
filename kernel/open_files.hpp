/// How many files this process may have open at once: RLIMIT_NOFILE, getrlimit(2).
#pragma once

#include "base/error.hpp"

#include <cstdint>

namespace tank::kernel {

/// What one running pod costs the process that follows it: the shim's connection, the descriptors
/// of processes (pidfd), a timer.
inline constexpr std::uint64_t files_of_a_pod = 4;

/// Raises the soft limit to the hard one: the soft one is as low as 1024 for the sake of programs
/// that use select(2), which are none of ours, and 250 pods reach it. Returns the limit. What is
/// started gets limits of its own. Thread-safe.
result<std::uint64_t> raise_open_files();

} // namespace tank::kernel

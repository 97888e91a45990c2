/// The part of the port that turns seccomp profiles into filters.
#pragma once

#include "base/capability.hpp"
#include "base/error.hpp"
#include "kernel/launch_plan.hpp"

#include <filesystem>
#include <string>

namespace tank::kernel {

/// Which compiled filter is wanted.
struct seccomp_request {
  std::filesystem::path directory;  ///< of Localhost profiles
  std::string localhost;            ///< a path in it, without ".."; empty: RuntimeDefault
  capability_mask capabilities = 0; ///< the container's bounding set: profiles depend on it
  bool operator==(const seccomp_request&) const = default;
};

class seccomp_filters {
 public:
  virtual ~seccomp_filters() = default;

  /// The filter of a profile, compiled the first time and remembered. Blocking. Thread-safe.
  virtual result<seccomp_filter> compile_filter(const seccomp_request& wanted) = 0;
};

} // namespace tank::kernel

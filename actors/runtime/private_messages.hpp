/// What a runtime tells itself; for its own sources.
#pragma once

#include "actors/caf_compat.hpp"
#include "base/error.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace tank {

struct launch_inputs;

struct launch_prepared {
  std::shared_ptr<const launch_inputs> inputs; ///< null on failure
  error why;
  std::chrono::microseconds limits{0}; ///< how long its cgroups took to make
};
struct launch_cleaned {
  std::optional<error> why;
};
/// The cgroups have the limits of `hash`, or not.
struct limits_put {
  std::string hash;
  std::optional<error> why;
};
struct runtime_timer {
  std::uint64_t serial = 0;
  bool operator==(const runtime_timer&) const = default;
};

} // namespace tank

#define TANK_RUNTIME_PRIVATE_MESSAGES(M, O, b)                                                     \
  O(b, launch_prepared)                                                                            \
  O(b, launch_cleaned)                                                                             \
  O(b, limits_put)                                                                                 \
  M(b, runtime_timer, serial)
TANK_PRIVATE_MESSAGES(tank_runtime_private, ::tank::compat::roles::runtime,
                      TANK_RUNTIME_PRIVATE_MESSAGES);

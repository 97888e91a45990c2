/// What a runtime tells itself; for its own sources.
#pragma once

#include "actors/caf_compat.hpp"
#include "base/error.hpp"
#include "pod/run_steps.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tank {

struct container_inputs;
struct sandbox_inputs;

/// A worker has made what a run::prepare asked for, or not.
struct launch_prepared {
  struct container {
    run::index who = 0;
    std::uint32_t attempt = 0;
    std::shared_ptr<const container_inputs> inputs; ///< null on failure
    error why;
  };
  bool sandbox = false;                         ///< was asked for
  std::shared_ptr<const sandbox_inputs> shared; ///< null on failure; then there are no containers
  error why;
  std::chrono::microseconds limits{0}; ///< how long its cgroups took to make
  std::vector<container> containers;
};
struct launch_cleaned {
  std::optional<error> why;
};
/// Volumes show the documents of now, or why not.
struct volumes_refreshed {
  std::optional<error> why;
};
/// The cgroups have the limits of `hash`, or not.
struct limits_put {
  std::string hash;
  std::optional<error> why;
};

} // namespace tank

#define TANK_RUNTIME_PRIVATE_MESSAGES(M, O, b)                                                     \
  O(b, launch_prepared)                                                                            \
  O(b, launch_cleaned)                                                                             \
  O(b, limits_put)                                                                                 \
  O(b, volumes_refreshed)
TANK_PRIVATE_MESSAGES(tank_runtime_private, ::tank::compat::roles::runtime,
                      TANK_RUNTIME_PRIVATE_MESSAGES);

/// Makes the messages of supervisors sendable through CAF, and nothing else of this project's. For
/// whoever asks a supervisor (which_children, start_child, ...) or reads a stop_reason by CAF's
/// means.
#pragma once

#include "actors/caf_compat.hpp"
#include "actors/supervision/supervisor_spec.hpp"
#include "base/stop_reason.hpp"

#include <cstdint>

namespace tank {

// --- what a supervisor tells itself --------------------------------------------------------------

struct child_down {
  std::uint64_t ref = 0;
  stop_reason why;
  bool operator==(const child_down&) const = default;
};
struct shutdown_timeout {
  std::uint64_t token = 0;
  bool operator==(const shutdown_timeout&) const = default;
};
struct try_again_restart {
  std::uint64_t key = 0;
  bool operator==(const try_again_restart&) const = default;
};

TANK_INSPECT_ENUM(errc)
TANK_INSPECT_ENUM(stop_class)
TANK_INSPECT_ENUM(stop_cause)

} // namespace tank

#define TANK_SUPERVISION_MESSAGES(M, O, b)                                                         \
  M(b, stop_reason, cls, cause, code, text)                                                        \
  M(b, error, code, sys, step, object, cause, hint)                                                \
  M(b, child_down, ref, why)                                                                       \
  M(b, shutdown_timeout, token)                                                                    \
  M(b, try_again_restart, key)                                                                     \
  O(b, start_child)                                                                                \
  M(b, terminate_child, id)                                                                        \
  M(b, terminate_dynamic, child)                                                                   \
  M(b, restart_child, id)                                                                          \
  M(b, delete_child, id)                                                                           \
  M(b, child_started, child)                                                                       \
  M(b, child_done)                                                                                 \
  M(b, which_children)                                                                             \
  O(b, child_list)                                                                                 \
  M(b, count_children)                                                                             \
  M(b, child_counts, specs, active, supervisors, workers)
// Ours begin at TANK_TYPE_ID_BASE (caf_build.hpp), which leaves the 256 numbers from
// caf::first_custom_type_id on to the program that embeds us. One that needs them for itself builds
// libtank with another -Dcaf_type_id_offset.
TANK_ROLE_MESSAGES(tank_supervision, ::tank::compat::roles::supervision, TANK_SUPERVISION_MESSAGES);

namespace tank {

/// Makes CAF know them: before the first actor_system of the process, any number of times.
void init_supervisor_types();

} // namespace tank

/// Makes the messages of supervisors sendable through CAF, and nothing else of this project's. For
/// whoever asks a supervisor (which_children, start_child, ...) or reads a stop_reason by CAF's
/// means.
#pragma once

#include "actors/caf_compat.hpp"
#include "actors/stop_reason.hpp"
#include "actors/supervisor_spec.hpp"

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
TANK_INSPECT(stop_reason, cls, what, code, text)
TANK_INSPECT(error, code, sys, step, object, cause, hint)
TANK_INSPECT(child_down, ref, why)
TANK_INSPECT(shutdown_timeout, token)
TANK_INSPECT(try_again_restart, key)
TANK_INSPECT(terminate_child, id)
TANK_INSPECT(terminate_dynamic, child)
TANK_INSPECT(restart_child, id)
TANK_INSPECT(delete_child, id)
TANK_INSPECT(child_started, child)
TANK_INSPECT(child_done)
TANK_INSPECT(which_children)
TANK_INSPECT(count_children)
TANK_INSPECT(child_counts, specs, active, supervisors, workers)

} // namespace tank

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::start_child)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::child_list)

// CAF >= 1.0 numbers every message type in one table of the process; two types with one number
// abort at the start. Ours begin at TANK_TYPE_ID_BASE (caf_build.hpp), which leaves the 256 numbers
// from caf::first_custom_type_id on to the program that embeds us. One that needs them for itself
// builds libtank with another -Dcaf_type_id_offset.
CAF_BEGIN_TYPE_ID_BLOCK(tank_otp, TANK_TYPE_ID_BASE)
CAF_ADD_TYPE_ID(tank_otp, (tank::stop_reason))
CAF_ADD_TYPE_ID(tank_otp, (tank::error))
CAF_ADD_TYPE_ID(tank_otp, (tank::child_down))
CAF_ADD_TYPE_ID(tank_otp, (tank::shutdown_timeout))
CAF_ADD_TYPE_ID(tank_otp, (tank::try_again_restart))
CAF_ADD_TYPE_ID(tank_otp, (tank::start_child))
CAF_ADD_TYPE_ID(tank_otp, (tank::terminate_child))
CAF_ADD_TYPE_ID(tank_otp, (tank::terminate_dynamic))
CAF_ADD_TYPE_ID(tank_otp, (tank::restart_child))
CAF_ADD_TYPE_ID(tank_otp, (tank::delete_child))
CAF_ADD_TYPE_ID(tank_otp, (tank::child_started))
CAF_ADD_TYPE_ID(tank_otp, (tank::child_done))
CAF_ADD_TYPE_ID(tank_otp, (tank::which_children))
CAF_ADD_TYPE_ID(tank_otp, (tank::child_list))
CAF_ADD_TYPE_ID(tank_otp, (tank::count_children))
CAF_ADD_TYPE_ID(tank_otp, (tank::child_counts))
CAF_END_TYPE_ID_BLOCK(tank_otp)

namespace tank {

/// Makes CAF know them: before the first actor_system of the process, any number of times.
void init_supervisor_types();

} // namespace tank

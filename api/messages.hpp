/// What this room's actors are told by it.
#pragma once

#include "actors/caf_compat.hpp"

namespace tank {

/// To the observer: it is time to ask again for what nobody answered.
struct observer_due {
  bool stopping = false;
  bool operator==(const observer_due&) const = default;
};

} // namespace tank

#define TANK_API_MESSAGES(M, O, b) M(b, observer_due, stopping)
TANK_ROLE_MESSAGES(tank_api, ::tank::compat::roles::api, TANK_API_MESSAGES);

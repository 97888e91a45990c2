/// Why a pod has no image.
#pragma once

#include <cstdint>

namespace tank {

/// `invalid_name`: nothing could have it. `never_pull`: it is not here, and the policy or the name
/// forbids to ask. `pull_failed`: who was asked did not give it; that may change.
enum class image_problem : std::uint8_t { none, invalid_name, never_pull, pull_failed };

} // namespace tank

/// The parked child: from clone to exec.
#pragma once

#include "kernel/shim/steps.hpp"

#include <cstdint>

namespace tank::kernel::shim {

/// What crosses the checkpoint socket (SOCK_SEQPACKET). Shim to child: a `command`. Child to shim:
/// a `report`. End of file means exec to the shim, and "end yourself" to the child.
enum class command : std::uint32_t { build = 1, proceed };
struct report {
  std::uint32_t failed = 0; ///< 0: the steps are done
  step_failure why;         ///< sent only when `failed`
};

/// Private exit statuses of a child that did not exec; never shown, they only tell a trace apart.
inline constexpr int exit_abandoned = 102;
inline constexpr int exit_failed = 127;

class sources;

/// Runs in the child, never returns. With `opened` it is in a user namespace, whose root it
/// becomes, and has these beside its other descriptors until it has built. `checkpoint` is its end
/// of the socket; `output` and `errors` become fds 1 and 2 (-1: /dev/null, as fd 0). The plan is
/// the child's own copy of the mapping.
[[noreturn]] void run_child(const wire::plan_view& plan, int checkpoint, int output, int errors,
                            const sources* opened) noexcept;

} // namespace tank::kernel::shim

/// The namespaces a pod's containers share, held by the shim being in them.
#pragma once

#include "kernel/protocol.hpp"
#include "kernel/shim/user_space.hpp"

namespace tank::kernel::shim {

struct sandbox {
  user_space users;
  unique_fd network; ///< the pod's network namespace; empty when that is the host's
};

/// Enters fresh namespaces as the frame asks: a network with lo up, IPC, UTS with its hostname.
/// With ids they belong to a user namespace, which is made for the containers and not entered.
/// Returns nullptr, or the step that failed (static text) with errno set.
const char* enter_sandbox(const protocol::sandbox_frame& wanted, sandbox* out) noexcept;

} // namespace tank::kernel::shim

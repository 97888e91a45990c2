/// A pod's user namespace as the shim, which stays outside of it, holds it.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/protocol.hpp"
#include "kernel/shim/child.hpp"
#include "kernel/shim/sources.hpp"

namespace tank::kernel::shim {

struct user_space {
  unique_fd ns; ///< -1: the pod has the host's users
  std::uint32_t first = 0;

  explicit operator bool() const noexcept { return static_cast<bool>(ns); }
  /// The host's id of the pod's id `id`.
  [[nodiscard]] std::uint32_t host_id(std::uint32_t id) const noexcept { return first + id; }
};

/// Makes the user namespace, its maps, and the other namespaces that `flags` (CLONE_NEW*) names,
/// owned by it; enters those, and leaves the user namespace to the children. Returns nullptr, or
/// the step that failed (static text) with errno set.
const char* make_user_space(const protocol::sandbox_frame& wanted, int flags,
                            user_space* out) noexcept;

/// What a container's process is cloned with; see run_child.
struct clone_setup {
  const wire::plan_view* plan = nullptr;
  int checkpoint = -1;
  int output = -1;
  int errors = -1;
  std::uint64_t namespaces = 0; ///< CLONE_NEW*
  int cgroup = -1;              ///< as of clone_into
};

/// As clone_into, for a child in the user namespace. The child is ours, as if we had cloned it.
/// Its pid, or -1 with errno.
pid_t clone_in_user_namespace(const user_space& users, const sources& opened,
                              const clone_setup& child, int* pidfd) noexcept;

} // namespace tank::kernel::shim

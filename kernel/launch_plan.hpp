/// What the shim is told to build, as values: the only language between policy and mechanism.
///
/// A `launch_plan` is made by a pure function, encoded once into a sealed memfd (kernel/wire.hpp),
/// and carried out by the parked child inside its own fresh namespaces, in order; every failing
/// step is reported by its index, its name, its object and errno.
///
/// All target paths are inside the container, absolute, and resolved in its root by file descriptor
/// (openat2 RESOLVE_IN_ROOT): a symlink of the image can never lead a step outside.
#pragma once

#include "base/capability.hpp"
#include "kernel/instance.hpp"
#include "kernel/plan_parts.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tank::kernel {

/// The host's ids that are 0, 1, ... in a pod's user namespace, of users and of groups alike.
struct user_range {
  std::uint32_t first = 0;
  std::uint32_t count = 0; ///< 0: no user namespace, ids are the host's
  explicit operator bool() const noexcept { return count != 0; }
  bool operator==(const user_range&) const = default;
};

/// The form of a plan that owns what it says.
struct plan_values {
  using text = std::string;
  using path = std::filesystem::path;
  using texts = std::vector<std::string>;
  using paths = std::vector<std::filesystem::path>;
  using numbers = std::vector<std::uint32_t>;
  using rlimits = std::vector<plan::rlimit>;
  using bytes = std::string;
  using maybe_number = std::optional<std::int32_t>;
  using steps = std::vector<plan::steps_of<plan_values, std::variant>>;
  static constexpr std::uint64_t usual_capabilities = default_capabilities;
};

// What each is: kernel/plan_parts.hpp.
using overlay_step = plan::overlay<plan_values>;
using filesystem_step = plan::filesystem<plan_values>;
using bind_step = plan::bind<plan_values>;
using device_step = plan::device<plan_values>;
using symlink_step = plan::symlink<plan_values>;
using directory_step = plan::directory<plan_values>;
using mask_step = plan::mask<plan_values>;
using read_only_step = plan::read_only<plan_values>;
using pivot_step = plan::pivot<plan_values>;
using fault_step = plan::fault<plan_values>;
using sysctl_step = plan::sysctl<plan_values>;
using volume_step = plan::volume<plan_values>;
using step = plan_values::steps::value_type;
using rlimit_spec = plan::rlimit;
using capability_sets = plan::capabilities<plan_values>;
using seccomp_filter = plan::seccomp<plan_values>;
using process_spec = plan::process<plan_values>;
using log_spec = plan::log<plan_values>;
using launch_plan = plan::launch<plan_values>;

inline instance instance_of(const launch_plan& plan) {
  return {plan.container, plan.attempt};
}

/// What the containers of a pod share. Made by the shim before it serves its first request, and
/// held by being in it.
struct sandbox_spec {
  std::string uid;               ///< the pod's; names the shim in messages
  std::filesystem::path run_dir; ///< exists, 0700; `shim.sock` is made in it
  bool host_network = false;     ///< false: a fresh network namespace with lo up
  bool host_ipc = false;
  std::string hostname; ///< set in a fresh UTS namespace; empty: the host's UTS namespace
  /// A fresh user namespace, which owns those above and those of the containers. In it the plan's
  /// ids are the namespace's; the shim itself stays outside.
  user_range users = {};
  bool operator==(const sandbox_spec&) const = default;
};

} // namespace tank::kernel

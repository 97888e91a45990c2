/// From a pod and its image to everything a launch needs, as values. Pure: the plan is decided
/// here, and carried out by prepare_launch (directories, files) and by the shim (steps).
///
/// Decisions:
///  * A workingDir of the image is made when missing; one of the manifest must exist.
///  * /etc/{hosts,hostname,resolv.conf} are the pod's own, unless the container mounts something
///    exactly there.
///  * Mounts go from the shallow to the deep, so that one below another one is never hidden.
///  * With `hostUsers: false` the pod's own directories and files belong to its root; the image's
///    layers and hostPaths, which are others' too, are mapped when they are mounted.
///  * runAsUser, runAsGroup: the container's word counts before the pod's, that before the image's.
#pragma once

#include "pod/etc_files.hpp"
#include "pod/plan_cgroup.hpp"
#include "pod/plan_security.hpp"
#include "base/error.hpp"
#include "base/paths.hpp"
#include "config/pod.hpp"
#include "kernel/launch_plan.hpp"
#include "kernel/port.hpp"
#include "oci/image.hpp"
#include "oci/run_params.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tank {

/// Of one container's log; see kernel::log_spec.
struct log_limits {
  std::uint64_t max_bytes = 10 * 1024 * 1024;
  std::uint32_t max_files = 5;
  bool operator==(const log_limits&) const = default;
};

/// What a plan is made from; borrowed for the call.
struct launch_request {
  const config::pod& pod;
  const config::container& container;
  const oci::image& image;
  const oci::run_params& params;
  const oci::user_ids& user; ///< what `user_text` resolved to
  const kernel::host_facts& host;
  const directories& dirs;
  std::string_view uid;
  std::uint32_t restart = 0; ///< number of the log file
  log_limits log;
  std::vector<kernel::device_step> devices = {}; ///< of the host, for a privileged container
  std::uint64_t pids_limit = 0;                  ///< of the pod; 0: none
  kernel::user_range users = {};                 ///< of a pod with `hostUsers: false`
};

/// An emptyDir to be made; exists as long as the pod, over its restarts.
struct empty_dir {
  std::filesystem::path path;
  std::uint32_t mode = 0777;
  std::uint32_t uid = 0; ///< as is the group: the host's ids
  std::uint32_t gid = 0;
  bool operator==(const empty_dir&) const = default;
};

/// A hostPath that must be there, and be of its type.
struct host_path {
  std::string volume;
  std::filesystem::path path;
  std::string type; ///< as in the manifest
  bool operator==(const host_path&) const = default;
};

struct launch_inputs {
  kernel::sandbox_spec sandbox;
  kernel::launch_plan plan;
  etc_files etc;
  std::filesystem::path etc_dir;   ///< where the etc files go
  std::filesystem::path upper_dir; ///< parent of upper and work; empty: the image is used as it is
  seccomp_choice seccomp;          ///< prepare_launch puts the compiled filter into the plan
  kernel::pod_cgroup cgroup;       ///< to be made before the shim starts; no name: none
  std::vector<empty_dir> empty_dirs;
  std::vector<host_path> host_paths;
  int stop_signal = 15;
  bool operator==(const launch_inputs&) const = default;
};

result<launch_inputs> plan_launch(const launch_request& request);

// --- the parts that come before, for prepare_launch ----------------------------------------------

/// The container's own variables in order, fieldRefs resolved; `$(VAR)` is not expanded yet.
result<std::vector<std::pair<std::string, std::string>>>
container_env(const config::pod& pod, const config::container& container,
              const kernel::host_facts& host, std::string_view uid);

/// The user to run as, in the form of an image's USER, after runAsNonRoot had its say.
result<std::string> user_text(const config::pod& pod, const config::container& container,
                              const oci::image_config& image);

/// "SIGTERM", "TERM", "15", "SIGRTMIN+3" -> the number.
result<int> signal_number(std::string_view text);

/// Puts a hint to a failure of a launch that says what to change in the manifest or the image.
error explain_failure(const kernel::failed_event& failed, const launch_inputs& inputs);

} // namespace tank

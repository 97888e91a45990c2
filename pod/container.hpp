/// One container of a pod: planned, prepared, and cleaned up.
///
/// plan_container is pure: the plan is decided there, and carried out by prepare_container
/// (directories, files, its cgroup) and by the shim (steps). prepare_container and clean_container
/// go through the kernel port; they block and are called from worker threads.
///
/// Decisions:
///  * A workingDir of the image is made when missing; one of the manifest must exist.
///  * Mounts go from the shallow to the deep, so that one below another one is never hidden.
///  * With `hostUsers: false` the image's layers and hostPaths, which are others' too, are mapped
///    when they are mounted.
///  * runAsUser, runAsGroup: the container's word counts before the pod's, that before the image's.
///  * Each attempt begins with an empty writable layer and a log file of its own; emptyDirs stay.
///  * Variables from ConfigMaps and Secrets have the values of the attempt's start.
#pragma once

#include "base/error.hpp"
#include "config/pod.hpp"
#include "kernel/launch_plan.hpp"
#include "kernel/port.hpp"
#include "oci/image.hpp"
#include "oci/run_params.hpp"
#include "pod/documents.hpp"
#include "pod/managed_volumes.hpp"
#include "pod/plan_security.hpp"
#include "pod/plan_volumes.hpp"
#include "pod/run_steps.hpp"
#include "pod/sandbox.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tank {

/// What a plan is made from; borrowed for the call.
struct container_request {
  const pod_request& pod;
  const config::container& container;
  std::uint32_t attempt = 0; ///< in this run
  const oci::image& image;
  const oci::run_params& params;
  const oci::user_ids& user;                     ///< what `user_text` resolved to
  std::vector<kernel::device_step> devices = {}; ///< of the host, for a privileged container
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
  std::string type;      ///< as in the manifest
  bool writable = false; ///< somewhere in the container
  bool operator==(const host_path&) const = default;
};

/// An emptyDir in memory; the same.
struct memory_dir {
  std::filesystem::path path;
  kernel::memory_mount what;
  bool operator==(const memory_dir&) const = default;
};

struct container_inputs {
  kernel::launch_plan plan;
  std::filesystem::path upper_dir; ///< parent of upper and work; empty: the image is used as it is
  seccomp_choice seccomp;          ///< prepare_container puts the compiled filter into the plan
  std::optional<kernel::pod_cgroup::member> cgroup; ///< of a pod that has cgroups
  std::vector<empty_dir> empty_dirs;
  std::vector<memory_dir> memory_dirs;
  std::vector<host_path> host_paths;
  std::vector<projected_volume> projections;
  std::vector<managed_volume> claims;
  bool secret_env = false; ///< values of Secrets may be among plan.process.env
  int stop_signal = 15;
  bool operator==(const container_inputs&) const = default;
};

result<container_inputs> plan_container(const container_request& request);

/// Resolves the user, decides the plan, checks hostPaths, makes the directories. What an earlier
/// attempt has left is removed first: its writable layer, and with `attempt` above 0 its cgroup.
/// On failure the caller cleans up with the run.
result<container_inputs> prepare_container(const pod_request& pod,
                                           const config::container& container,
                                           std::uint32_t attempt, const oci::image& image,
                                           kernel::port& port);

/// Removes the writable layer of the container's last attempt.
result<void> clean_container(const config::container& container, const directories& dirs,
                             const std::string& uid, kernel::pod_files& files);

/// What of a plan is asked for as long as the attempt runs.
run::facts facts_of(const container_inputs& inputs);

// --- the parts that come before, for prepare_container -------------------------------------------

/// The container's own variables in order, those of envFrom first, references resolved; `$(VAR)` is
/// not expanded yet. errc::not_found for what `data` has not and is not optional.
result<std::vector<std::pair<std::string, std::string>>>
container_env(const config::pod& pod, const config::container& container,
              const kernel::host_facts& host, std::string_view uid, const documents& data = {});

/// Some of them come from Secrets, and any other may have been made of those.
bool has_secret_env(const config::container& container);

/// The variables of an attempt that are in no record, for a daemon that takes the run over: in the
/// pod's tmpfs, ours alone. Empty when they are not there. A short read from memory.
std::vector<std::string> read_secret_env(const directories& dirs, const std::string& uid,
                                         const std::string& container);

/// The user to run as, in the form of an image's USER, after runAsNonRoot had its say.
result<std::string> user_text(const config::pod& pod, const config::container& container,
                              const oci::image_config& image);

/// "SIGTERM", "TERM", "15", "SIGRTMIN+3" -> the number.
result<int> signal_number(std::string_view text);

/// Puts a hint to a failure of a launch that says what to change in the manifest or the image.
error explain_failure(const kernel::failed_event& failed, const container_inputs& inputs);

/// `<n>.log` as `wanted`, with n raised over all that are there: an earlier Tank may have run the
/// same content, and two attempts never share a log. Blocking.
std::filesystem::path unused_log(const std::filesystem::path& wanted);

/// Where the path leads, without links; it is there and of the wanted type. Made for the *OrCreate
/// types, and, as kubelet's runtimes do, as a directory where no type is given. Links that pods may
/// have made (`given`; may be null) are not followed, and what this pod may write to is noted
/// there. Blocking.
result<std::filesystem::path> resolve_host_path(const host_path& wanted, kernel::pod_files& files,
                                                given_paths* given);

} // namespace tank

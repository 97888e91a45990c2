/// What the containers of a pod share: planned, prepared, and cleaned up.
///
/// plan_sandbox is pure. prepare_sandbox makes what it says on the host, through the kernel port,
/// and clean_sandbox removes all that a run made there; both block and are called from worker
/// threads.
///
/// /etc/{hosts,hostname,resolv.conf} are the pod's own, unless a container mounts something exactly
/// there. With `hostUsers: false` the pod's own directories and files belong to its root.
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"
#include "config/pod.hpp"
#include "kernel/port.hpp"
#include "pod/documents.hpp"
#include "pod/etc_files.hpp"
#include "pod/given_paths.hpp"
#include "pod/id_ranges.hpp"
#include "pod/plan_cgroup.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace tank {

/// Of one container's log; see kernel::log_spec.
struct log_limits {
  std::uint64_t max_bytes = 10 * 1024 * 1024;
  std::uint32_t max_files = 5;
  bool operator==(const log_limits&) const = default;
};

/// What all plans of one run are made from.
struct pod_request {
  std::shared_ptr<const config::pod> pod;
  std::shared_ptr<const kernel::host_facts> host;
  directories dirs;
  std::string uid;
  std::uint32_t restart = 0; ///< runs of this content before: the lowest number of the log file
  log_limits log;
  std::uint64_t pids_limit = 0;            ///< of the pod; 0: none
  std::shared_ptr<id_ranges> ids = {};     ///< null: no pod can have users of its own
  std::shared_ptr<given_paths> given = {}; ///< null: nobody keeps account of hostPaths
  /// ConfigMaps and Secrets as of now; null: there are none.
  std::shared_ptr<const documents> data = {};
};

struct sandbox_inputs {
  kernel::sandbox_spec spec;
  etc_files etc;
  std::filesystem::path etc_dir; ///< where the etc files go
  kernel::pod_cgroup cgroup;     ///< with one for each container; no name: none
  bool operator==(const sandbox_inputs&) const = default;
};

/// The hostname that the pod's containers see.
std::string sandbox_hostname(const config::pod& pod, const kernel::host_facts& host);

/// `users` are the pod's; none: those of the host.
result<sandbox_inputs> plan_sandbox(const pod_request& request, kernel::user_range users);

/// The ids of a pod with `hostUsers: false`, which keeps them until it is gone; else none.
result<kernel::user_range> users_of(const pod_request& request);

/// What a run that ended badly has left of this pod is removed first. On failure the caller cleans
/// up with clean_sandbox, as after any run. `cgroups_took`: how long the cgroups took to make.
struct prepared_sandbox {
  sandbox_inputs inputs;
  std::chrono::microseconds cgroups_took{0};
};
result<prepared_sandbox> prepare_sandbox(const pod_request& request, kernel::port& port);

/// Writes the etc files again when they are not there: earlier versions had them elsewhere.
result<void> restore_etc(const pod_request& request, kernel::user_range users,
                         kernel::pod_files& files);

/// Removes what one run made: its shim, should it live (after a failure of ours), its cgroups with
/// whatever still runs in them, its run directory, its etc files and its writable layers. emptyDirs
/// stay for the next run of the pod: the janitor removes them when the pod is gone for good.
result<void> clean_sandbox(const config::pod& pod, const directories& dirs, const std::string& uid,
                           kernel::port& port);

} // namespace tank

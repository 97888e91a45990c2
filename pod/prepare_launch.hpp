/// The blocking half of a bring-up and its undoing: directories, /etc files, checks on the host.
/// Called from worker threads.
#pragma once

#include "pod/id_ranges.hpp"
#include "pod/plan_launch.hpp"
#include "base/error.hpp"
#include "kernel/port.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace tank {

/// Resolves the user, decides the plan, checks hostPaths, makes the directories and writes the
/// files. What a run that ended badly has left of this pod is removed first. On failure the caller
/// cleans up with `clean_launch`, as after any run.
struct prepare_request {
  std::shared_ptr<const config::pod> pod;
  std::shared_ptr<const oci::image> image;
  std::shared_ptr<const kernel::host_facts> host;
  directories dirs;
  std::string uid;
  std::uint32_t restart = 0;
  log_limits log;
  std::uint64_t pids_limit = 0; ///< see launch_request
  std::shared_ptr<id_ranges> ids = {}; ///< null: no pod can have users of its own
};
result<launch_inputs> prepare_launch(const prepare_request& request, kernel::port& port);

/// Removes what one run made: its shim, should it live (after a failure of ours), its cgroups with
/// whatever still runs in them, its run directory and its writable layer. emptyDirs stay for the
/// next run of the pod: the janitor (pod_storage.hpp) removes them when the pod is gone for good.
result<void> clean_launch(const config::pod& pod, const directories& dirs, const std::string& uid,
                          kernel::port& port);

/// `<n>.log` as `wanted`, with n raised over all that are there: an earlier Tank may have run the
/// same content, and two runs never share a log.
std::filesystem::path unused_log(const std::filesystem::path& wanted);

/// Checks that the path exists and is of the wanted type, making it for the *OrCreate types.
result<void> check_host_path(const host_path& wanted);

} // namespace tank

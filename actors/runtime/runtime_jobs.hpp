/// What a runtime has done by worker threads: all that blocks; and what it is asked for, pure.
#pragma once

#include "actors/runtime/private_messages.hpp"
#include "actors/runtime/runtime.hpp"
#include "pod/container.hpp"
#include "pod/sandbox.hpp"

#include <memory>
#include <string>
#include <vector>

namespace tank {

/// Of a run::prepare.
struct prepare_job {
  struct container {
    run::index who = 0;
    std::uint32_t attempt = 0;
    std::shared_ptr<const oci::image> image;
  };
  pod_request pod;
  bool sandbox = false;
  std::vector<container> containers;
};

pod_request request_for(const runtime_args& args, const runtime_options& options);

/// What each container lacks of the documents that are known; see run::data_known. Pure.
run::data_known data_known_of(const runtime_args& args);
/// Some volume of the pod shows documents.
bool shows_data(const config::pod& pod);
/// They show something else now; `before` may be null.
bool shows_edit(const config::pod& pod, const documents* before, const documents& now);
volumes_refreshed refresh_run_volumes(const pod_request& request, const runtime_options& options);
/// Completes what a record may not hold.
void restore_secret_env(run_record& record, const std::string& uid, const directories& dirs);

/// Everything of a sandbox and of containers but the shim: cgroups are there before the shim is,
/// since containers are born in them.
launch_prepared prepare_run(const prepare_job& job, const runtime_options& options);

/// The cgroups of a run with the limits that its pod has now; no name: there are none to have.
/// Pure.
result<kernel::pod_cgroup> cgroups_of(const runtime_args& args, const runtime_options& options);

/// Gives cgroups that are there the limits of the content `hash`.
limits_put put_run_limits(const std::string& hash, const kernel::pod_cgroup& limits,
                          const runtime_options& options);

launch_cleaned clean_run(const config::pod& pod, const std::string& uid,
                         const runtime_options& options);

} // namespace tank

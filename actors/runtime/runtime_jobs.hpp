/// What a runtime has done by worker threads: all that blocks; and what it is asked for, pure.
#pragma once

#include "pod/prepare_launch.hpp"
#include "actors/runtime/runtime.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/private_messages.hpp"

#include <memory>
#include <string>

namespace tank {

runtime_settings settings_for(const runtime_args& args, runtime_settings patience);
prepare_request request_for(const runtime_args& args, const runtime_options& options,
                            std::shared_ptr<const oci::image> image);

/// Everything of a run but its shim: its cgroups are there before the shim is, since the container
/// is born in them.
launch_prepared prepare_run(const prepare_request& request, const runtime_options& options);

/// The cgroups of a run with the limits that its pod has now; no name: there are none to have.
/// Pure.
result<kernel::pod_cgroup> cgroups_of(const runtime_args& args, const runtime_options& options);

/// Gives cgroups that are there the limits of the content `hash`.
limits_put put_run_limits(const std::string& hash, const kernel::pod_cgroup& limits,
                          const runtime_options& options);

launch_cleaned clean_run(const config::pod& pod, const std::string& uid,
                         const runtime_options& options);

} // namespace tank

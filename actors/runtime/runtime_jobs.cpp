#include "actors/runtime/runtime_jobs.hpp"

#include <chrono>
#include <memory>
#include <utility>

namespace tank {

runtime_settings settings_for(const runtime_args& args, runtime_settings s) {
  s.name = args.key;
  s.tty = args.what.pod->spec.containers.front().tty;
  s.grace = std::chrono::seconds{args.what.pod->spec.termination_grace_period_seconds.value_or(30)};
  return s;
}

prepare_request request_for(const runtime_args& args, const runtime_options& options,
                            std::shared_ptr<const oci::image> image) {
  return {.pod = args.what.pod,
          .image = std::move(image),
          .host = options.host,
          .dirs = options.dirs,
          .uid = args.what.uid,
          .restart = args.restarts,
          .log = options.log,
          .pids_limit = options.pids_limit,
          .ids = options.ids};
}

launch_prepared prepare_run(const prepare_request& request, const runtime_options& options) {
  auto made = options.prepare(request, *options.port);
  if (!made) return {nullptr, std::move(made).error()};
  auto inputs = std::make_shared<const launch_inputs>(*std::move(made));
  if (inputs->cgroup.name.empty()) return {std::move(inputs), {}};
  const auto begin = std::chrono::steady_clock::now();
  if (auto done = options.port->make_cgroup(options.dirs.cgroups, inputs->cgroup); !done)
    return {nullptr, std::move(done).error()};
  const auto took = std::chrono::steady_clock::now() - begin;
  return {std::move(inputs), {}, std::chrono::duration_cast<std::chrono::microseconds>(took)};
}

result<kernel::pod_cgroup> cgroups_of(const runtime_args& args, const runtime_options& options) {
  const auto memory = options.host ? options.host->memory : 0;
  return plan_cgroup(plan_resources(*args.what.pod, memory, options.pids_limit),
                     options.dirs.cgroups, options.dirs.pod_cgroup(args.what.uid));
}

limits_put put_run_limits(const std::string& hash, const kernel::pod_cgroup& limits,
                          const runtime_options& options) {
  auto put = options.port->update_cgroup(options.dirs.cgroups, limits);
  return {hash, put ? std::nullopt : std::optional{std::move(put).error()}};
}

launch_cleaned clean_run(const config::pod& pod, const std::string& uid,
                         const runtime_options& options) {
  auto cleaned = options.clean(pod, options.dirs, uid, *options.port);
  return {cleaned ? std::nullopt : std::optional{std::move(cleaned).error()}};
}

} // namespace tank

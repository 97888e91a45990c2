#include "actors/runtime/runtime_jobs.hpp"

#include "config/pod.hpp"
#include "pod/plan_cgroup.hpp"
#include "pod/plan_volumes.hpp"
#include "pod/restart_on.hpp"
#include "pod/run_settings.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace tank {

pod_request request_for(const runtime_args& args, const runtime_options& options) {
  return {.pod = args.what.pod,
          .host = options.host,
          .dirs = options.dirs,
          .uid = args.what.uid,
          .restart = args.restarts,
          .log = options.log,
          .pids_limit = options.pids_limit,
          .ids = options.ids,
          .given = options.given,
          .data = args.data};
}

run::data_known data_known_of(const runtime_args& args) {
  run::data_known out;
  const auto& pod = *args.what.pod;
  for (run::index i = 0; i < container_count(pod); ++i)
    out.missing.push_back(missing_data(pod, container_of(pod, i), args.data.get()));
  return out;
}

bool shows_data(const config::pod& pod) {
  return std::any_of(pod.spec.volumes.begin(), pod.spec.volumes.end(), is_projected);
}

bool shows_edit(const config::pod& pod, const documents* before, const documents& now) {
  return before == nullptr || shows_any(pod, changed_documents(*before, now));
}

volumes_refreshed refresh_run_volumes(const pod_request& request, const runtime_options& options) {
  auto done = refresh_volumes(request, *options.port);
  return {done ? std::nullopt : std::optional{std::move(done).error()}};
}

void restore_secret_env(run_record& record, const std::string& uid, const directories& dirs) {
  for (auto& c : record.containers)
    if (c.facts.secret_env) c.facts.env = read_secret_env(dirs, uid, c.name);
}

static launch_prepared::container prepare_one(const prepare_job& job,
                                              const prepare_job::container& c,
                                              const runtime_options& options) {
  auto made = options.prepare_container(job.pod, container_of(*job.pod.pod, c.who), c.attempt,
                                        *c.image, *options.port);
  if (!made) return {c.who, c.attempt, nullptr, std::move(made).error()};
  return {c.who, c.attempt, std::make_shared<const container_inputs>(*std::move(made)), {}};
}

launch_prepared prepare_run(const prepare_job& job, const runtime_options& options) {
  launch_prepared out;
  out.sandbox = job.sandbox;
  if (job.sandbox) {
    auto made = options.prepare_sandbox(job.pod, *options.port);
    if (!made) {
      out.why = std::move(made).error();
      for (const auto& c : job.containers)
        out.containers.push_back({c.who, c.attempt, nullptr, out.why});
      return out;
    }
    out.limits = made->cgroups_took;
    out.shared = std::make_shared<const sandbox_inputs>(std::move(made->inputs));
  }
  for (const auto& c : job.containers)
    out.containers.push_back(prepare_one(job, c, options));
  return out;
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

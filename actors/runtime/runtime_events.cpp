#include "actors/runtime/runtime_events.hpp"

#include "pod/prepare_launch.hpp"

#include <utility>
#include <variant>

namespace tank {

namespace {

using kind = runtime_event_kind;

const std::string& container_of(const run_view& run) {
  return run.args.what.pod->spec.containers.front().name;
}

/// Its cgroups are made for the run and stay until it is cleaned up: what they count is its own.
bool ran_out_of_memory(const run_view& run, bool ended_well) {
  const auto& tree = run.options.dirs.cgroups;
  if (tree.version == cgroup_version::none) return false;
  return is_oom_end(0, run.options.port->count_oom_kills(tree, container_cgroup(run)), ended_well);
}

error explain(const run_view& run, const kernel::failed_event& e) {
  if (run.inputs != nullptr) return explain_failure(e, *run.inputs);
  return fail_errno(e.sys, e.step, e.object).value();
}

runtime_event as_adopted(const run_view& run) {
  runtime_event e{.kind = kind::adopted};
  const auto& container = container_of(run);
  for (const auto& c : run.session->info()) {
    if (c.container != container) continue;
    e.at = c.at;
    e.pid = c.host_pid;
    e.started_ns = c.started_ns;
    e.at_ns = kernel::is_terminal(c.at) ? c.finished_ns : c.started_ns;
    e.code = c.result;
    e.out_of_memory = kernel::is_terminal(c.at) &&
                      ran_out_of_memory(run, c.at == kernel::stage::exited && c.result == 0);
    if (c.at == kernel::stage::failed)
      e.why = explain(run, {container, c.sys, c.step, c.object, -1});
  }
  return e;
}

struct translate {
  const run_view& run;

  runtime_event operator()(const kernel::ready_event& e) const {
    return {.kind = kind::child_ready, .pid = e.host_pid};
  }
  runtime_event operator()(const kernel::built_event&) const {
    return plain_event(kind::child_built);
  }
  runtime_event operator()(const kernel::running_event& e) const {
    return {.kind = kind::child_running, .pid = e.host_pid, .at_ns = e.started_ns};
  }
  runtime_event operator()(const kernel::exited_event& e) const {
    return {.kind = kind::child_exited,
            .code = e.code,
            .at_ns = e.finished_ns,
            .out_of_memory = ran_out_of_memory(run, e.code == 0)};
  }
  runtime_event operator()(const kernel::signaled_event& e) const {
    return {.kind = kind::child_signaled,
            .code = e.signal,
            .at_ns = e.finished_ns,
            .out_of_memory = ran_out_of_memory(run, false)};
  }
  runtime_event operator()(const kernel::aborted_event&) const {
    return plain_event(kind::child_aborted);
  }
  runtime_event operator()(const kernel::failed_event& e) const {
    auto failed = failed_event(kind::child_failed, explain(run, e));
    failed.out_of_memory = ran_out_of_memory(run, false);
    return failed;
  }
  runtime_event operator()(const kernel::adopted_event&) const { return as_adopted(run); }
  runtime_event operator()(const kernel::session_down_event& e) const {
    auto down =
        failed_event(kind::session_down,
                     fail(errc::unavailable, "reach the shim of", run.args.key, e.why).value());
    down.shim_lives = e.shim_lives;
    return down;
  }
  // On its way when the last attach ended: nobody listens, and the log has it.
  std::nullopt_t operator()(const kernel::pty_output_event&) const { return std::nullopt; }
  std::nullopt_t operator()(const kernel::pty_input_dropped_event&) const { return std::nullopt; }
};

} // namespace

runtime_event plain_event(runtime_event_kind k) {
  return {.kind = k};
}

runtime_event failed_event(runtime_event_kind k, error why) {
  runtime_event e{.kind = k};
  e.why = std::move(why);
  return e;
}

std::filesystem::path container_cgroup(const run_view& run) {
  return run.options.dirs.pod_cgroup(run.args.what.uid) / container_of(run);
}

std::optional<runtime_event> to_event(const kernel::session_event& e, const run_view& run) {
  return std::visit(
      [&run](const auto& one) -> std::optional<runtime_event> { return translate{run}(one); }, e);
}

} // namespace tank

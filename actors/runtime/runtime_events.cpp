#include "actors/runtime/runtime_events.hpp"

#include "kernel/cgroup.hpp"
#include "pod/plan_cgroup.hpp"

#include <utility>
#include <variant>

namespace tank {

namespace {

/// Its cgroup is made for the attempt and stays until the next: what it counts is its own.
bool counted_oom(const run_view& v, const std::string& container, bool ended_well) {
  const auto& tree = v.options.dirs.cgroups;
  if (v.protocol >= 2 || tree.version == cgroup_version::none) return false;
  const auto stats =
      v.options.port->read_cgroup(tree, container_cgroup(v.options, v.args, container));
  return stats && is_oom_end(0, stats->oom_kills.value_or(0), ended_well);
}

error explain(const run_view& v, run::index who, const kernel::failed_event& e) {
  if (const auto& inputs = v.inputs.at(who)) return explain_failure(e, *inputs);
  return fail_errno(e.sys, e.step, e.object).value();
}

run::held_container held(const run_view& v, run::index who, const kernel::container_info& c) {
  run::held_container h;
  h.who = who;
  h.attempt = c.who.attempt;
  h.at = c.at;
  h.pid = c.host_pid;
  h.started_ns = c.started_ns;
  h.end.code = c.result;
  h.end.finished_ns = c.finished_ns;
  h.end.out_of_memory =
      c.out_of_memory ||
      (kernel::is_terminal(c.at) &&
       counted_oom(v, c.who.container, c.at == kernel::stage::exited && c.result == 0));
  switch (c.at) {
  case kernel::stage::exited:
    h.end.how = run::outcome::exited;
    break;
  case kernel::stage::signaled:
    h.end.how = run::outcome::signaled;
    break;
  case kernel::stage::aborted:
    h.end.how = run::outcome::aborted;
    break;
  case kernel::stage::failed:
    h.end.how = run::outcome::failed;
    h.end.why = explain(v, who, {c.who, c.code, c.sys, c.step, c.object, c.step_index});
    break;
  default:
    break;
  }
  return h;
}

struct translate {
  const run_view& v;

  /// The event `make(index)` of a container of this pod.
  template <class Make>
  std::optional<run::event> of(const kernel::instance& who, Make make) const {
    const auto index = v.run.find(who.container);
    if (!index || who.container.empty()) return std::nullopt;
    return run::event{make(*index)};
  }

  std::optional<run::event> operator()(const kernel::sandbox_ready_event&) const {
    return run::sandbox_up{};
  }
  std::optional<run::event> operator()(const kernel::ready_event& e) const {
    return of(e.who, [&](run::index i) { return run::child_ready{i, e.who.attempt, e.host_pid}; });
  }
  std::optional<run::event> operator()(const kernel::built_event& e) const {
    return of(e.who, [&](run::index i) { return run::child_built{i, e.who.attempt}; });
  }
  std::optional<run::event> operator()(const kernel::running_event& e) const {
    return of(e.who, [&](run::index i) {
      return run::child_running{i, e.who.attempt, e.host_pid, e.started_ns};
    });
  }
  std::optional<run::event> operator()(const kernel::exited_event& e) const {
    run::container_end end;
    end.how = run::outcome::exited;
    end.code = e.code;
    end.finished_ns = e.finished_ns;
    end.out_of_memory = e.out_of_memory || counted_oom(v, e.who.container, e.code == 0);
    return ended(e.who, std::move(end));
  }
  std::optional<run::event> operator()(const kernel::signaled_event& e) const {
    run::container_end end;
    end.how = run::outcome::signaled;
    end.code = e.signal;
    end.finished_ns = e.finished_ns;
    end.out_of_memory = e.out_of_memory || counted_oom(v, e.who.container, false);
    return ended(e.who, std::move(end));
  }
  std::optional<run::event> operator()(const kernel::aborted_event& e) const {
    run::container_end end;
    end.how = run::outcome::aborted;
    return ended(e.who, std::move(end));
  }
  std::optional<run::event> operator()(const kernel::failed_event& e) const {
    run::container_end end;
    end.how = run::outcome::failed;
    end.out_of_memory = e.out_of_memory || counted_oom(v, e.who.container, false);
    if (const auto i = v.run.find(e.who.container)) end.why = explain(v, *i, e);
    return ended(e.who, std::move(end));
  }
  std::optional<run::event> operator()(const kernel::refused_event& e) const {
    // After a refused `create` there is no such instance; other refusals crossed its end.
    if (e.about != kernel::request::create) return std::nullopt;
    run::container_end end;
    end.how = run::outcome::failed;
    end.why = e.sys != 0 ? fail_errno(e.sys, "create", to_string(e.who)).value()
                         : fail(errc::conflict, "create", to_string(e.who),
                                e.text.empty() ? std::string{to_string(e.why)} : e.text)
                               .value();
    return ended(e.who, std::move(end));
  }
  std::optional<run::event> operator()(const kernel::adopted_event&) const {
    run::adopted a;
    for (const auto& c : v.session.info())
      if (const auto i = v.run.find(c.who.container)) a.containers.push_back(held(v, *i, c));
    return a;
  }
  std::optional<run::event> operator()(const kernel::session_down_event& e) const {
    return run::session_down{
        fail(errc::unavailable, "reach the shim of", v.args.key, e.why).value(), e.shim_lives};
  }
  /// That of an attach: the runtime sees to it.
  std::optional<run::event> operator()(const kernel::terminal_opened_event&) const {
    return std::nullopt;
  }

 private:
  [[nodiscard]] std::optional<run::event> ended(const kernel::instance& who,
                                                run::container_end end) const {
    return of(who, [&](run::index i) { return run::child_ended{i, who.attempt, std::move(end)}; });
  }
};

} // namespace

std::filesystem::path container_cgroup(const runtime_options& options, const runtime_args& args,
                                       const std::string& container) {
  return options.dirs.pod_cgroup(args.what.uid) / container;
}

bool is_about_plan(const error& refused) {
  return refused.code == errc::invalid || refused.code == errc::limit ||
         refused.code == errc::exists;
}

std::string container_cgroup_directory(const runtime_options& options, const runtime_args& args,
                                       const pod_run& run, run::index who) {
  const auto& all = options.dirs.cgroups.hierarchies;
  if (all.empty()) return {};
  const auto name = container_cgroup(options, args, run.settings().containers[who].name);
  return (all.front().directory / name).string();
}

std::optional<run::event> to_event(const kernel::session_event& e, const run_view& run) {
  return std::visit(translate{run}, e);
}

} // namespace tank

// What a run tells of itself: status, records, and why it ended.
#include "base/clock.hpp"
#include "pod/container_end.hpp"
#include "pod/pod_run.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace tank {

bool pod_run::runs() const noexcept {
  return std::any_of(containers_.begin(), containers_.end(),
                     [](const auto& c) { return c.machine.runs(); });
}

bool pod_run::has_cgroups() const noexcept {
  const auto s = sandbox_.state();
  if (s != sandbox_state::preparing && s != sandbox_state::starting && s != sandbox_state::up)
    return false; // of an adopted run: its shim will tell
  return !over_ || std::any_of(containers_.begin(), containers_.end(), [](const auto& c) {
    return c.machine.state() != container_state::ended;
  });
}

std::optional<run::index> pod_run::find(std::string_view name) const noexcept {
  for (run::index i = 0; i < settings_.containers.size(); ++i) {
    const auto& c = settings_.containers[i];
    if (name.empty() ? c.kind == container_kind::main : c.name == name) return i;
  }
  return std::nullopt;
}

// --- status --------------------------------------------------------------------------------------

std::vector<container_status> pod_run::statuses() const {
  std::vector<container_status> all;
  for (run::index i = 0; i < containers_.size(); ++i)
    all.push_back(status(i));
  return all;
}

container_status pod_run::status(run::index who) const {
  const auto& c = containers_[who];
  container_status s;
  s.name = settings_.containers[who].name;
  s.kind = settings_.containers[who].kind;
  s.attempt = c.machine.attempt();
  s.restarts = c.restarts;
  s.last = c.last;
  if (c.machine.runs()) {
    s.state = container_phase::running;
    s.host_pid = c.machine.pid();
    s.started_ns = c.machine.started_ns();
    s.started = is_started(c);
    // An init container that is no sidecar is ready once it has ended well.
    s.ready = s.kind != container_kind::init && s.started &&
              (!settings_.containers[who].readiness_probe || c.readiness_passed);
  } else if (c.done) {
    s.state = container_phase::terminated;
    s.terminated = c.result->how;
    s.ready = s.kind == container_kind::init && c.result->why.cls == stop_class::normal;
  } else if (over_ && over_->why == run_over::init_failed && c.machine.end() &&
             !c.machine.touched()) {
    s.reason = "PodInitializing"; // as it will stay
  } else if (const auto* end = c.machine.end(); end != nullptr) {
    s.state = container_phase::terminated;
    s.terminated = exit_of(*end);
  } else if (c.machine.state() == container_state::killing && c.machine.started_ns() != 0) {
    s.state = container_phase::running;
    s.host_pid = c.machine.pid();
    s.started_ns = c.machine.started_ns();
  } else {
    const bool has_inits = settings_.containers.front().kind != container_kind::main;
    s.reason = !c.waiting.empty() ? c.waiting : has_inits ? "PodInitializing" : "ContainerCreating";
    s.message = c.message;
    if (c.machine.state() == container_state::found && !c.lacks.empty()) {
      s.reason = "CreateContainerConfigError";
      s.message = c.lacks;
    }
    s.restart_at_ns = c.due_ns;
  }
  return s;
}

// --- the end -------------------------------------------------------------------------------------

/// The container whose end is the run's: the one that was named, else the first main container that
/// failed, else the first.
run::index pod_run::deciding() const {
  if (over_ && over_->why != run_over::stopped && over_->why != run_over::all_done)
    return over_->who;
  const auto first = find({}).value_or(0);
  for (run::index i = first; i < containers_.size(); ++i)
    if (containers_[i].result && containers_[i].result->why.cls != stop_class::normal) return i;
  return first;
}

bool pod_run::is_final() const noexcept {
  if (recorded_) return recorded_final_;
  return over_ && (over_->why == run_over::all_done || over_->why == run_over::init_failed ||
                   over_->why == run_over::significant || over_->why == run_over::gave_up);
}

/// The end of the sandbox, when that ended the run.
std::optional<run::container_end> pod_run::sandbox_end() const {
  if (!over_) return std::nullopt;
  run::container_end end;
  end.started_ns = containers_.front().machine.started_ns();
  if (over_->why == run_over::sandbox_failed) {
    end.how = sandbox_.failure()->how;
    end.why = sandbox_.failure()->why;
    return end;
  }
  if (over_->why != run_over::sandbox_lost) return std::nullopt;
  end.how = run::outcome::session_down;
  end.why = sandbox_.lost_why();
  return end;
}

stop_reason pod_run::reason() const {
  if (recorded_ && (!stop_asked_ || recorded_->why.cause == stop_cause::stopped))
    return recorded_->why;
  if (recorded_)
    return {stop_class::shutdown, stop_cause::stopped, recorded_->how.exit_code,
            recorded_->how.message};
  const auto& c = containers_[deciding()];
  const auto end = c.machine.end() == nullptr ? run::container_end{} : *c.machine.end();
  auto why = c.result ? c.result->why : reason_of(end);
  if (stop_asked_) {
    if (why.cause == stop_cause::stopped) return why;
    const bool by_itself = end.how == run::outcome::exited || end.how == run::outcome::signaled;
    return {stop_class::shutdown, stop_cause::stopped, by_itself ? exit_of(end).exit_code : 0,
            c.result ? c.result->how.message : describe(end)};
  }
  if (const auto lost = sandbox_end()) return reason_of(*lost);
  if (over_ && over_->why == run_over::stuck && why.cause != stop_cause::bring_up_failed)
    return {stop_class::abnormal, stop_cause::bring_up_failed, 0,
            "container '" + settings_.containers[over_->who].name + "' cannot be killed"};
  if (over_ && over_->why == run_over::gave_up)
    return {stop_class::shutdown, stop_cause::gave_up, why.code,
            "CrashLoopGiveUp: container '" + settings_.containers[over_->who].name + "' ended " +
                std::to_string(settings_.profile.give_up.runs) + " times within " +
                seconds_text(settings_.profile.give_up.period) + ", the last: " + why.text};
  return why;
}

last_exit pod_run::how() const {
  if (recorded_) return recorded_->how;
  if (const auto lost = sandbox_end(); lost && !stop_asked_) return exit_of(*lost);
  const auto& c = containers_[deciding()];
  if (c.result) return c.result->how;
  auto end = c.machine.end() == nullptr ? run::container_end{} : *c.machine.end();
  if (end.how == run::outcome::none) {
    if (const auto& failed = sandbox_.failure()) {
      end.how = failed->how;
      end.why = failed->why;
    }
  }
  end.stopped = stop_asked_;
  return exit_of(end);
}

// --- records -------------------------------------------------------------------------------------

run_record pod_run::record() const {
  run_record r;
  for (run::index i = 0; i < containers_.size(); ++i) {
    const auto& c = containers_[i];
    container_record one;
    one.name = settings_.containers[i].name;
    one.attempt = c.begun ? c.machine.attempt() : c.next_attempt;
    one.phase = c.phase;
    one.facts = c.facts;
    one.restarts = c.restarts;
    one.retries = c.history.retries;
    one.released_at = c.released_at;
    if (c.due) one.restart_at = ns_of(*c.due);
    one.restart_at_ns = c.due_ns;
    one.waiting = c.waiting;
    one.message = c.message;
    one.last = c.last;
    for (const auto at : c.ends)
      one.ends.push_back(ns_of(at));
    one.end = c.result;
    one.passed = c.passed;
    one.post_started = c.post_started;
    one.startup_passed = c.startup_passed;
    one.readiness_passed = c.readiness_passed;
    r.containers.push_back(std::move(one));
  }
  if (group_)
    r.group = group_record{group_->from, group_->all, ns_of(group_->stop.by),
                           group_->stop.least.count(), ns_of(group_->due)};
  r.retries = history_.retries;
  if (history_.running_since) r.all_passed_at = ns_of(*history_.running_since);
  for (const auto at : ends_)
    r.ends.push_back(ns_of(at));
  r.released_at = released_at_;
  r.phase = released_at_ != 0 ? run_phase::released : run_phase::starting;
  if (recorded_)
    r.end = recorded_;
  else if (over_)
    r.end = run_end{reason(), how()};
  // The end counts once nothing can happen to it any more: the shim is told to go.
  const auto s = sandbox_.state();
  const bool told = s == sandbox_state::closing || s == sandbox_state::cleaning ||
                    s == sandbox_state::gone || recorded_;
  if (!told) r.end.reset();
  if (!r.end) return r;
  r.final = is_final();
  r.phase = run_phase::ended;
  for (run::index i = 0; i < containers_.size(); ++i) {
    const auto* end = containers_[i].machine.end();
    if (end == nullptr || r.containers[i].end) continue;
    r.containers[i].phase = run_phase::ended;
    r.containers[i].end = run_end{reason_of(*end), exit_of(*end)};
  }
  return r;
}

run::actions pod_run::begin_adoption(const run_record& record, const instant& now) {
  run::actions out;
  recorded_ = record.end;
  recorded_final_ = record.final;
  if (const auto& g = record.group)
    group_ = group_view{g->from,
                        g->all,
                        {steady_at(g->stop_by), std::chrono::milliseconds{g->least_ms}},
                        steady_at(g->due)};
  history_.retries = record.retries;
  if (record.all_passed_at != 0) history_.running_since = steady_at(record.all_passed_at);
  for (const auto end : record.ends)
    ends_.push_back(steady_at(end));
  released_at_ = record.released_at;
  for (auto& c : containers_) {
    const auto i = static_cast<std::size_t>(&c - containers_.data());
    const auto& name = settings_.containers[i].name;
    const auto it = std::find_if(record.containers.begin(), record.containers.end(),
                                 [&](const auto& r) { return r.name == name; });
    container_record fresh;
    fresh.name = name;
    fresh.phase = record.phase == run_phase::ended ? run_phase::starting : record.phase;
    restore(c, it == record.containers.end() ? fresh : *it, now, out);
  }
  sandbox_.handle(run::adopt_sandbox{}, out);
  if (recorded_) {
    over_ = order::end_run{run_over::all_done, 0};
    begin_stop(now);
    sandbox_.handle(run::close_sandbox{}, out); // whatever its shim holds
  }
  settle(now, out);
  return out;
}

void pod_run::restore(tracked& c, const container_record& r, const instant& now,
                      run::actions& out) {
  c.facts = r.facts;
  c.phase = r.phase;
  c.restarts = r.restarts;
  c.history.retries = r.retries;
  c.released_at = r.released_at;
  c.last = r.last;
  c.waiting = r.waiting;
  c.passed = r.passed;
  c.post_started = r.post_started;
  const auto& is = settings_.containers[static_cast<std::size_t>(&c - containers_.data())];
  c.startup_passed = r.startup_passed || !is.startup_probe;
  c.readiness_passed = r.readiness_passed;
  for (const auto end : r.ends)
    c.ends.push_back(steady_at(end));
  if (r.phase == run_phase::ended || recorded_) {
    c.done = true;
    c.phase = run_phase::ended;
    c.result = r.end ? r.end : recorded_;
    c.begun = true;
    c.next_attempt = r.attempt + 1;
    return c.machine.restore_ended(r.attempt, {});
  }
  if (r.restart_at != 0) {
    c.next_attempt = r.attempt;
    c.due = steady_at(r.restart_at);
    c.due_ns = r.restart_at_ns;
    c.message = r.message;
    c.machine.restore_waiting(r.attempt - 1);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*c.due - now.mono);
    if (left <= std::chrono::milliseconds{0}) return; // the plan begins it at once
    c.timer = ++*serials_;
    const auto i = static_cast<run::index>(&c - containers_.data());
    out.emplace_back(run::arm_timer{i, left, c.timer});
    return;
  }
  c.begun = true;
  c.next_attempt = r.attempt + 1;
  if (r.phase == run_phase::released) c.history.running_since = steady_at(r.released_at);
  c.machine.restore(r.attempt, r.facts.stop_signal, r.phase == run_phase::released);
}

} // namespace tank

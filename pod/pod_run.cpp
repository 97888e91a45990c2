#include "pod/pod_run.hpp"

#include "pod/container_end.hpp"

#include "config/pod.hpp"

#include <algorithm>
#include <utility>

namespace tank {

using steady = std::chrono::steady_clock::time_point;

run_settings run_settings_of(const std::string& key, const config::pod& pod,
                             const backoff_profile& daemons, run_limits limits) {
  run_settings s;
  s.name = key;
  for (const auto& c : pod.spec.containers)
    s.containers.push_back({c.name, container_kind::main, c.tty});
  s.policy = parse_restart_policy(pod.spec.restart_policy);
  s.profile = profile_of(pod, daemons);
  s.grace = std::chrono::seconds{pod.spec.termination_grace_period_seconds.value_or(30)};
  s.limits = limits;
  return s;
}

pod_run::pod_run(run_settings settings)
    : settings_(std::move(settings))
    , serials_(std::make_unique<timer_serials>(0))
    , sandbox_(settings_.name, settings_.limits, *serials_) {
  for (run::index i = 0; i < settings_.containers.size(); ++i) {
    const auto& name = settings_.containers.size() == 1
                           ? settings_.name
                           : settings_.name + "/" + settings_.containers[i].name;
    containers_.push_back(
        {.machine = container_machine{i, {name, settings_.grace, settings_.limits}, *serials_}});
  }
}

run::actions pod_run::begin(const instant& now) {
  run::actions out;
  settle(now, out);
  return out;
}

// --- the loop ------------------------------------------------------------------------------------

run::actions pod_run::handle(const run::event& event, const instant& now) {
  run::actions out;
  std::visit([&](const auto& e) { take(e, now, out); }, event);
  settle(now, out);
  return out;
}

pod_view pod_run::view() const {
  pod_view v;
  v.policy = settings_.policy;
  v.profile = settings_.profile;
  v.rebuild_whole = containers_.size() == 1;
  v.sandbox = sandbox_.state();
  v.sandbox_failed = sandbox_.failure().has_value();
  v.sandbox_lost = sandbox_.lost();
  v.ending = over_.has_value();
  v.grace = grace_;
  for (const auto& c : containers_)
    v.containers.push_back({.state = c.machine.state(),
                            .end = c.machine.end(),
                            .stuck = c.machine.stuck(),
                            .touched = c.machine.touched() || released_at_ != 0,
                            .done = c.done,
                            .lacks_data = !c.lacks.empty(),
                            .history = c.history,
                            .ends = c.ends,
                            .due = c.due});
  return v;
}

void pod_run::settle(const instant& now, run::actions& out) {
  // Each order changes what the next look sees: there is an end.
  for (auto orders = plan_pod(view(), now.mono); !orders.empty();
       orders = plan_pod(view(), now.mono))
    for (const auto& o : orders)
      std::visit([&](const auto& one) { carry_out(one, now, out); }, o);
  report(out);
  if (sandbox_.state() == sandbox_state::gone && !std::exchange(finished_, true))
    out.emplace_back(run::finish{});
}

void pod_run::report(run::actions& out) {
  const bool all_seen = std::all_of(containers_.begin(), containers_.end(), [](const auto& c) {
    return c.machine.runs() || c.done || c.due || c.restarts > 0 || c.machine.end() != nullptr;
  });
  const bool tells = containers_.size() > 1 || !lacking().empty();
  auto now = tells ? statuses() : std::vector<container_status>{};
  if (!reported_running_ && all_seen && runs()) {
    reported_running_ = true;
    out.emplace_back(run::report_running{});
  } else if (now != reported_ && !over_) {
    out.emplace_back(run::report_containers{});
  }
  reported_ = std::move(now);
}

// --- orders of the plan --------------------------------------------------------------------------

void pod_run::carry_out(const order::begin& o, const instant&, run::actions& out) {
  auto& c = containers_[o.who];
  if (std::exchange(c.timer, 0) != 0) out.emplace_back(run::disarm_timer{o.who});
  c.due.reset();
  c.due_ns = 0;
  c.waiting.clear();
  c.message.clear();
  c.phase = run_phase::starting;
  c.facts = {};
  c.history.running_since.reset();
  c.machine.handle(run::begin_attempt{c.next_attempt++}, out);
}

void pod_run::carry_out(const order::open_sandbox& o, const instant&, run::actions& out) {
  for (const auto who : o.with)
    containers_[who].machine.handle(run::begin_preparing{}, out);
  sandbox_.handle(run::open_sandbox{o.with}, out);
}

void pod_run::carry_out(const order::prepare& o, const instant&, run::actions& out) {
  for (const auto who : o.who)
    containers_[who].machine.handle(run::begin_preparing{}, out);
  out.emplace_back(run::prepare{false, o.who});
}

void pod_run::carry_out(const order::create& o, const instant&, run::actions& out) {
  containers_[o.who].machine.handle(run::begin_creating{}, out);
}

void pod_run::carry_out(const order::run_again& o, const instant& now, run::actions& out) {
  auto& c = containers_[o.who];
  const auto ended = *c.machine.end();
  c.last = exit_of(ended);
  c.history.retries = o.retries;
  c.ends = o.ends;
  if (o.had_image) ++c.restarts;
  c.phase = run_phase::starting;
  c.due = now.mono + o.delay;
  c.due_ns = now.wall_ns + std::chrono::nanoseconds{o.delay}.count();
  c.waiting = ended.how == run::outcome::image_failed ? "ImagePullBackOff" : "CrashLoopBackOff";
  c.message = "back-off " + seconds_text(o.delay) + ": " + describe(ended);
  c.machine.await_attempt();
  if (o.delay.count() == 0) return; // the plan begins it at once
  c.timer = ++*serials_;
  out.emplace_back(run::arm_timer{o.who, o.delay, c.timer});
}

void pod_run::carry_out(const order::leave_ended& o, const instant&, run::actions&) {
  auto& c = containers_[o.who];
  c.done = true;
  c.phase = run_phase::ended;
  c.result = run_end{reason_of(*c.machine.end()), exit_of(*c.machine.end())};
}

void pod_run::carry_out(const order::stop& o, const instant&, run::actions& out) {
  auto& c = containers_[o.who];
  if (std::exchange(c.timer, 0) != 0) out.emplace_back(run::disarm_timer{o.who});
  c.machine.handle(run::stop{grace_}, out); // its back-off stays, for a successor
}

void pod_run::carry_out(const order::close_sandbox&, const instant&, run::actions& out) {
  sandbox_.handle(run::close_sandbox{}, out);
}

void pod_run::carry_out(const order::end_run& o, const instant&, run::actions&) {
  over_ = o;
}

// --- events --------------------------------------------------------------------------------------

template <class E>
void pod_run::take(const E& e, const instant&, run::actions& out) {
  if constexpr (requires { e.who; })
    containers_[e.who].machine.handle(e, out);
  else
    sandbox_.handle(e, out);
}

void pod_run::take(const run::container_prepared& e, const instant&, run::actions& out) {
  auto& c = containers_[e.who];
  c.facts = e.facts;
  c.machine.handle(e, out);
}

void pod_run::take(const run::child_built& e, const instant& now, run::actions& out) {
  auto& c = containers_[e.who];
  const auto before = c.machine.state();
  c.machine.handle(e, out);
  if (c.machine.state() == before) return;
  note_release(c, now);
}

void pod_run::take(const run::child_running& e, const instant& now, run::actions& out) {
  auto& c = containers_[e.who];
  c.machine.handle(e, out);
  if (c.machine.runs() && !c.history.running_since) c.history.running_since = now.mono;
}

void pod_run::take(const run::adopted& e, const instant& now, run::actions& out) {
  const bool awaited = sandbox_.state() == sandbox_state::adopting;
  sandbox_.handle(e, out);
  if (!awaited || sandbox_.state() != sandbox_state::up) return;
  for (run::index i = 0; i < containers_.size(); ++i) {
    auto& c = containers_[i];
    if (!c.machine.is_with_shim()) continue;
    const auto it = std::find_if(e.containers.begin(), e.containers.end(), [&](const auto& held) {
      return held.who == i && held.attempt == c.machine.attempt();
    });
    // What the shim does not know of has not begun.
    const run::held_container unknown{.who = i, .attempt = c.machine.attempt()};
    c.machine.handle(it == e.containers.end() ? unknown : *it, out);
    if (c.machine.runs() && !c.history.running_since) c.history.running_since = now.mono;
    if (c.machine.touched() && c.phase == run_phase::starting) note_release(c, now);
    if (c.machine.state() == container_state::waiting) c.next_attempt = c.machine.attempt();
  }
  reported_running_ = false; // the owner hears it again
}

void pod_run::take(const run::session_down& e, const instant&, run::actions& out) {
  sandbox_.handle(e, out);
  if (sandbox_.state() == sandbox_state::adopting) return;
  lose_containers(e.why, out);
}

void pod_run::take(const run::session_failed& e, const instant&, run::actions& out) {
  sandbox_.handle(e, out);
  lose_containers(out);
}

/// It is let go next: a successor must know that something of it may have run.
void pod_run::note_release(tracked& c, const instant& now) {
  c.phase = run_phase::released;
  c.released_at = now.mono.time_since_epoch() / std::chrono::nanoseconds{1};
  if (released_at_ == 0) released_at_ = c.released_at;
}

/// If the shim is gone.
void pod_run::lose_containers(run::actions& out) {
  if (sandbox_.lost()) lose_containers(sandbox_.lost_why(), out);
  if (sandbox_.state() == sandbox_state::cleaning && sandbox_.failure())
    lose_containers(sandbox_.failure()->why, out);
}

/// The shim is gone, and what it held with it.
void pod_run::lose_containers(const error& why, run::actions& out) {
  for (auto& c : containers_) {
    c.machine.handle(run::session_down{why, false}, out);
    if (c.machine.state() == container_state::waiting && !c.due)
      c.next_attempt = c.machine.attempt();
  }
}

void pod_run::take(const run::stop& e, const instant&, run::actions& out) {
  stop_asked_ = true;
  if (e.grace) grace_ = e.grace;
  if (!over_) {
    over_ = order::end_run{run_over::stopped, 0};
    return;
  }
  // Those that obey a stop already hear the newest word on patience.
  for (auto& c : containers_)
    if (c.machine.state() == container_state::stopping) c.machine.handle(e, out);
}

void pod_run::take(const run::data_known& e, const instant&, run::actions&) {
  for (run::index i = 0; i < containers_.size(); ++i)
    containers_[i].lacks = i < e.missing.size() ? e.missing[i] : std::string{};
}

std::string pod_run::lacking() const {
  for (const auto& c : containers_)
    if (c.machine.state() == container_state::found && !c.lacks.empty()) return c.lacks;
  return {};
}

void pod_run::take(const run::timer_due& e, const instant& now, run::actions& out) {
  if (e.serial == sandbox_.timer()) {
    sandbox_.handle(e, out);
    return lose_containers(out);
  }
  for (auto& c : containers_) {
    if (e.serial == c.machine.timer()) return c.machine.handle(e, out);
    if (e.serial != c.timer || c.timer == 0) continue;
    c.timer = 0;
    if (c.due) c.due = std::min(*c.due, now.mono); // the clock that woke us knows best
    return;
  }
}

} // namespace tank

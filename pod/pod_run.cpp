#include "pod/pod_run.hpp"

#include "pod/container_end.hpp"

#include <algorithm>
#include <utility>

namespace tank {

using steady = std::chrono::steady_clock::time_point;

pod_run::pod_run(run_settings settings)
    : settings_(std::move(settings))
    , serials_(std::make_unique<timer_serials>(0))
    , sandbox_(settings_.name, settings_.limits, *serials_) {
  for (run::index i = 0; i < settings_.containers.size(); ++i) {
    const auto& name = settings_.containers.size() == 1
                           ? settings_.name
                           : settings_.name + "/" + settings_.containers[i].name;
    containers_.push_back({.machine = container_machine{i, {name, settings_.limits}, *serials_}});
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
  v.profile = settings_.profile;
  v.strategy = settings_.strategy;
  v.rebuild_whole = containers_.size() == 1;
  v.sandbox = sandbox_.state();
  v.sandbox_failed = sandbox_.failure().has_value();
  v.sandbox_lost = sandbox_.lost();
  v.group = group_;
  v.history = history_;
  v.ends = ends_;
  v.grace = effective_grace(settings_.grace, std::nullopt);
  v.stop = stop_;
  for (run::index i = 0; i < containers_.size(); ++i) {
    const auto& c = containers_[i];
    v.containers.push_back({.is = &settings_.containers[i],
                            .state = c.machine.state(),
                            .end = c.machine.end(),
                            .stuck = c.machine.stuck(),
                            .touched = c.machine.touched() || released_at_ != 0,
                            .lacks_data = !c.lacks.empty(),
                            .done = c.done,
                            .passed = c.passed,
                            .pre_stop = c.pre_stop,
                            .leaving = c.leaving,
                            .told = c.told,
                            .history = c.history,
                            .ends = c.ends,
                            .due = c.due});
  }
  return v;
}

void pod_run::settle(const instant& now, run::actions& out) {
  narrow_probes(out); // of who has ended: it may begin anew at once
  // Each order changes what the next look sees: there is an end.
  for (auto orders = plan_pod(view(), now.mono); !orders.empty();
       orders = plan_pod(view(), now.mono))
    for (const auto& o : orders)
      std::visit([&](const auto& one) { carry_out(one, now, out); }, o);
  for (auto& c : containers_)
    c.waited = c.machine.state() == container_state::built;
  const bool all_passed =
      std::all_of(containers_.begin(), containers_.end(), [](const auto& c) { return c.passed; });
  if (all_passed && !history_.running_since) history_.running_since = now.mono;
  narrow_probes(out);
  arm_next_look(now, out);
  report(out);
  if (sandbox_.state() == sandbox_state::gone && !std::exchange(finished_, true))
    out.emplace_back(run::finish{});
}

void pod_run::arm_next_look(const instant& now, run::actions& out) {
  const auto next = look_again(view(), now.mono);
  if (next == timer_at_ && (timer_ != 0) == next.has_value()) return;
  timer_at_ = next;
  if (next) {
    timer_ = ++*serials_;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now.mono);
    out.emplace_back(run::arm_timer{run::whole_run, left, timer_});
  } else if (std::exchange(timer_, 0) != 0) {
    out.emplace_back(run::disarm_timer{run::whole_run});
  }
}

void pod_run::report(run::actions& out) {
  bool all_seen = true;
  for (run::index i = 0; i < containers_.size(); ++i) {
    const auto& c = containers_[i];
    const bool seen = c.machine.runs() || c.done || c.due || c.restarts > 0 || c.machine.end();
    all_seen = all_seen && (seen || settings_.containers[i].kind != container_kind::main);
  }
  const auto& first = settings_.containers.front();
  const bool has_news =
      containers_.size() > 1 || first.is_probed() || first.post_start || !lacking().empty();
  auto now = has_news ? statuses() : std::vector<container_status>{};
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
  drop_due(o.who, out);
  c.waiting.clear();
  c.message.clear();
  c.phase = run_phase::starting;
  c.facts = {};
  c.history.running_since.reset();
  c.post_started = !settings_.containers[o.who].post_start;
  c.startup_passed = !settings_.containers[o.who].startup_probe;
  c.readiness_passed = false;
  c.pre_stop = hook_state::idle;
  c.leaving.reset();
  c.told.reset();
  c.begun = true;
  c.machine.handle(run::begin_attempt{c.next_attempt++}, out);
}

/// It waits no more, for whatever it did.
void pod_run::drop_due(run::index who, run::actions& out) {
  auto& c = containers_[who];
  if (std::exchange(c.timer, 0) != 0) out.emplace_back(run::disarm_timer{who});
  c.due.reset();
  c.due_ns = 0;
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

void pod_run::carry_out(const order::release& o, const instant& now, run::actions& out) {
  auto& c = containers_[o.who];
  if (c.phase == run_phase::starting)
    note_release(c, now); // else it was, by a connection that is no more
  c.machine.handle(run::release_attempt{c.waited}, out);
}

void pod_run::carry_out(const order::run_again& o, const instant& now, run::actions& out) {
  auto& c = containers_[o.who];
  const auto ended = *c.machine.end();
  c.last = exit_of(ended);
  c.history.retries = o.retries;
  c.ends = o.ends;
  if (o.had_image) ++c.restarts;
  if (settings_.containers[o.who].kind == container_kind::main) c.passed = true;
  c.phase = run_phase::starting;
  c.begun = false;
  c.due = now.mono + o.delay;
  c.due_ns = now.wall_ns + std::chrono::nanoseconds{o.delay}.count();
  c.waiting = ended.how == run::outcome::image_failed ? "ImagePullBackOff" : "CrashLoopBackOff";
  c.message = "back-off " + seconds_text(o.delay) + ": " + describe(ended);
  c.machine.await_attempt();
  if (o.delay.count() == 0) return; // the plan begins it at once
  c.timer = ++*serials_;
  out.emplace_back(run::arm_timer{o.who, o.delay, c.timer});
}

void pod_run::carry_out(const order::begin_group& o, const instant& now, run::actions& out) {
  group_ = o.group;
  history_.retries = o.retries;
  ends_ = o.ends;
  const auto& name = settings_.containers[o.who].name;
  const auto why = "back-off " + seconds_text(o.delay) + ": container '" + name + "' " +
                   describe(*containers_[o.who].machine.end());
  for (run::index i = group_->from; i < containers_.size(); ++i) {
    drop_due(i, out);
    containers_[i].waiting = "CrashLoopBackOff";
    containers_[i].message = why;
    containers_[i].due_ns = now.wall_ns + std::chrono::nanoseconds{o.delay}.count();
  }
  carry_out(order::put_back{o.who}, now, out);
}

void pod_run::carry_out(const order::put_back& o, const instant&, run::actions&) {
  auto& c = containers_[o.who];
  const auto* end = c.machine.end();
  if (c.result)
    c.last = c.result->how;
  else if (end->started_ns != 0)
    c.last = exit_of(*end);
  if (c.result || end->started_ns != 0 || !end->stopped) ++c.restarts;
  c.done = false;
  c.result.reset();
  c.begun = false;
  c.phase = run_phase::starting;
  c.machine.await_attempt();
}

void pod_run::carry_out(const order::end_group&, const instant&, run::actions&) {
  for (run::index i = group_->from; i < containers_.size(); ++i) {
    containers_[i].passed = containers_[i].done; // it was not to run again
    containers_[i].waiting.clear();
    containers_[i].message.clear();
    containers_[i].due_ns = 0;
  }
  history_.running_since.reset();
  group_.reset();
}

void pod_run::carry_out(const order::leave_ended& o, const instant&, run::actions&) {
  auto& c = containers_[o.who];
  c.done = c.passed = true;
  c.phase = run_phase::ended;
  auto end = *c.machine.end();
  end.stopped = false; // for the sake of others, if it was: what counts is how it ended
  c.result = run_end{reason_of(end), exit_of(end)};
}

void pod_run::carry_out(const order::stop& o, const instant& now, run::actions& out) {
  auto& c = containers_[o.who];
  if (std::exchange(c.timer, 0) != 0) out.emplace_back(run::disarm_timer{o.who});
  if (std::exchange(c.hook, std::nullopt)) out.emplace_back(run::drop_hook{o.who});
  c.pre_stop = hook_state::over;
  c.told = o.terms;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(o.terms.by - now.mono);
  const bool at_once = o.terms.least.count() == 0;
  // its back-off stays, for a successor
  c.machine.handle(run::terminate{at_once ? o.terms.least : std::max(left, o.terms.least)}, out);
}

void pod_run::carry_out(const order::close_sandbox&, const instant&, run::actions& out) {
  sandbox_.handle(run::close_sandbox{}, out);
}

void pod_run::carry_out(const order::end_run& o, const instant& now, run::actions&) {
  over_ = o;
  begin_stop(now);
}

void pod_run::begin_stop(const instant& now) {
  stop_ = stop_terms_of(effective_grace(settings_.grace, grace_), now.mono);
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

void pod_run::take(const run::child_running& e, const instant& now, run::actions& out) {
  auto& c = containers_[e.who];
  const bool ran = c.machine.runs();
  c.machine.handle(e, out);
  if (!c.machine.runs() || ran) return;
  if (!c.history.running_since) c.history.running_since = now.mono;
  came_up(e.who, now, out);
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
    c.told.reset(); // a stop begins anew, and its hook with it
    c.pre_stop = hook_state::idle;
    if (c.machine.runs() && !c.history.running_since) c.history.running_since = now.mono;
    if (c.machine.runs()) came_up(i, now, out);
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

void pod_run::take(const run::stop& e, const instant& now, run::actions&) {
  stop_asked_ = true;
  if (e.grace) grace_ = e.grace;
  if (over_ && !e.grace) return;
  if (!over_) over_ = order::end_run{run_over::stopped, 0};
  begin_stop(now); // the newest word on patience counts, for those too that obey already
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
  if (e.serial == timer_ && timer_ != 0) {
    timer_ = 0; // the plan looks again after each event
    timer_at_.reset();
    return;
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

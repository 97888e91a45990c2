// Probes and hooks of a run: when they begin and end, and what their verdicts mean.
#include "pod/pod_run.hpp"

#include <utility>

namespace tank {

bool pod_run::is_started(const tracked& c) const noexcept {
  return c.machine.runs() && c.post_started && c.startup_passed;
}

/// It is to end, or is on its way to.
bool pod_run::is_leaving(run::index who) const noexcept {
  return over_ || containers_[who].leaving || (group_ && who >= group_->from);
}

/// It runs; again, after a connection that was lost, or a daemon.
void pod_run::came_up(run::index who, const instant&, run::actions& out) {
  auto& c = containers_[who];
  if (c.post_started || !settings_.containers[who].post_start) return post_start_over(who, out);
  c.hook = run::hook_kind::post_start;
  out.emplace_back(run::call_hook{who, c.machine.attempt(), *c.hook, std::nullopt});
}

/// Its postStart has returned, or it has none.
void pod_run::post_start_over(run::index who, run::actions& out) {
  auto& c = containers_[who];
  const auto& is = settings_.containers[who];
  c.post_started = true;
  if (is.kind == container_kind::main || (is.kind == container_kind::sidecar && is_started(c)))
    c.passed = true;
  if (!is.is_probed()) return;
  c.probes = probing::all;
  out.emplace_back(run::begin_probes{who, c.machine.attempt(), c.startup_passed});
}

void pod_run::leave(run::index who, std::string complaint,
                    std::optional<std::chrono::seconds> grace, const instant& now) {
  auto& c = containers_[who];
  c.machine.note_complaint(std::move(complaint));
  c.leaving = stop_terms_of(effective_grace(settings_.grace, grace), now.mono);
}

void pod_run::take(const run::probe_result& e, const instant& now, run::actions&) {
  auto& c = containers_[e.who];
  const auto& is = settings_.containers[e.who];
  if (e.attempt != c.machine.attempt() || !c.machine.runs() || c.probes == probing::none) return;
  if (e.kind == run::probe_kind::readiness) {
    c.readiness_passed = e.passed;
    return;
  }
  if (is_leaving(e.who)) return;
  const bool startup = e.kind == run::probe_kind::startup;
  if (!e.passed)
    return leave(e.who, e.message, startup ? is.startup_grace : is.liveness_grace, now);
  if (startup) c.startup_passed = true;
  if (is.kind == container_kind::sidecar && is_started(c)) c.passed = true;
}

void pod_run::take(const run::hook_done& e, const instant& now, run::actions& out) {
  auto& c = containers_[e.who];
  if (e.attempt != c.machine.attempt() || !c.machine.runs() || c.hook != e.kind) return;
  c.hook.reset();
  if (e.kind == run::hook_kind::pre_stop) {
    c.pre_stop = hook_state::over; // well or not: the stop signal is next
  } else if (e.failure && is_leaving(e.who)) {
    return;
  } else if (e.failure) {
    leave(e.who, "postStart hook failed: " + e.failure->message(), std::nullopt, now);
    if (settings_.containers[e.who].kind == container_kind::main) c.passed = true;
  } else {
    post_start_over(e.who, out);
  }
}

/// Of who is being stopped only readiness is probed, of who has ended nothing.
void pod_run::narrow_probes(run::actions& out) {
  for (run::index i = 0; i < containers_.size(); ++i) {
    auto& c = containers_[i];
    if (!c.machine.runs()) {
      if (std::exchange(c.hook, std::nullopt)) out.emplace_back(run::drop_hook{i});
      if (std::exchange(c.probes, probing::none) != probing::none)
        out.emplace_back(run::end_probes{i});
    } else if (c.probes == probing::all && is_leaving(i)) {
      c.probes = probing::readiness;
      out.emplace_back(run::only_readiness{i});
    }
  }
}

void pod_run::carry_out(const order::call_pre_stop& o, const instant& now, run::actions& out) {
  auto& c = containers_[o.who];
  if (c.hook) out.emplace_back(run::drop_hook{o.who}); // a postStart that hangs
  c.hook = run::hook_kind::pre_stop;
  c.pre_stop = hook_state::runs;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(o.terms.by - now.mono);
  out.emplace_back(run::call_hook{o.who, c.machine.attempt(), *c.hook, left});
}

} // namespace tank

// What carries out the probes and hooks of a run, in the world around it.
#include "tests/model/run_world.hpp"

namespace tank::model {

static const error not_done{errc::io, 0, "call hook", "x", "it failed", ""};

// --- probes and hooks ----------------------------------------------------------------------------

/// They went through the connection that is gone; nobody says so.
void run_world::lose_helpers() {
  for (auto& [who, p] : probes_)
    p.number = ++helpers_;
  for (auto& [who, number] : hooks_)
    number = ++helpers_;
}

const attempt_will& run_world::running_will(run::index who, std::uint32_t attempt,
                                            const char* what) {
  static const attempt_will none;
  if (!shim_ || shim_->peer != peer_) return none; // its last word is on the way
  const auto it = shim_->containers.find(who);
  if (it != shim_->containers.end() && it->second.is.attempt == attempt &&
      it->second.is.started_ns != 0)
    return it->second.will;
  broken(std::string{what} + " for a container that does not run");
  return none;
}

void run_world::probe(run::index who, std::uint32_t attempt, run::probe_kind kind, bool passes,
                      ms after) {
  push(now_ + after,
       verdict{daemon_, probes_[who].number, {who, attempt, kind, passes, "the probe"}});
}

void run_world::act(const run::begin_probes& a) {
  if (!h_.words[a.who].is_probed()) broken("probes of a container that has none");
  const auto& w = running_will(a.who, a.attempt, "probes");
  probes_[a.who] = {++helpers_, false};
  const auto& has = h_.words[a.who];
  if (has.startup && !a.started) {
    if (w.startup_after)
      probe(a.who, a.attempt, run::probe_kind::startup, w.startup_passes, *w.startup_after);
    return;
  }
  if (has.liveness && w.liveness_fails_after)
    probe(a.who, a.attempt, run::probe_kind::liveness, false, *w.liveness_fails_after);
  if (has.readiness) probe(a.who, a.attempt, run::probe_kind::readiness, true, w.readiness_every);
}

std::optional<happening> run_world::see(const verdict& q) {
  const auto who = q.what.who;
  const auto it = probes_.find(who);
  if (q.daemon != daemon_ || it == probes_.end() || it->second.number != q.number)
    return std::nullopt;
  if (it->second.only_readiness && q.what.kind != run::probe_kind::readiness) return std::nullopt;
  const bool holds = shim_ && shim_->containers.contains(who);
  if (!holds) return std::nullopt;
  const auto w = shim_->containers.at(who).will;
  const auto& has = h_.words[who];
  if (q.what.kind == run::probe_kind::readiness && w.readiness_every > 0 && now_ < 4000)
    probe(who, q.what.attempt, q.what.kind, !q.what.passed, w.readiness_every);
  if (q.what.kind == run::probe_kind::startup && q.what.passed) {
    if (has.liveness && w.liveness_fails_after)
      probe(who, q.what.attempt, run::probe_kind::liveness, false, *w.liveness_fails_after);
    if (has.readiness)
      probe(who, q.what.attempt, run::probe_kind::readiness, true, w.readiness_every);
  }
  return happens{q.what};
}

void run_world::act(const run::only_readiness& a) {
  if (!probes_.contains(a.who)) return broken("probes are narrowed that are not there");
  probes_[a.who].only_readiness = true;
}

void run_world::act(const run::end_probes& a) {
  if (probes_.erase(a.who) == 0) broken("probes are ended that are not there");
}

void run_world::act(const run::call_hook& a) {
  const bool first = a.kind == run::hook_kind::post_start;
  if (!(first ? h_.words[a.who].post_start : h_.words[a.who].pre_stop))
    broken("a hook is called that is not there");
  const auto& w = running_will(a.who, a.attempt, "a hook");
  const auto number = hooks_[a.who] = ++helpers_;
  const auto after = first ? w.post_start_after : w.pre_stop_after;
  if (!after) return;
  const bool works = !first || w.post_start_works;
  push(now_ + *after,
       hook_returns{daemon_,
                    number,
                    {a.who, a.attempt, a.kind, works ? std::nullopt : std::optional{not_done}}});
}

std::optional<happening> run_world::see(const hook_returns& q) {
  const auto it = hooks_.find(q.what.who);
  if (q.daemon != daemon_ || it == hooks_.end() || it->second != q.number) return std::nullopt;
  hooks_.erase(it);
  return happens{q.what};
}

void run_world::act(const run::drop_hook& a) {
  if (hooks_.erase(a.who) == 0) broken("a hook is dropped that does not run");
}

} // namespace tank::model

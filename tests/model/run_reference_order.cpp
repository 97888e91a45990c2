// The list of a pod, what ends take with them, stops, probes: as they must be.
#include "tests/model/run_reference.hpp"

#include <algorithm>

namespace tank::model {

using run::outcome;

namespace {

bool is_success(const run::container_end& e) {
  return e.how == outcome::exited && e.code == 0 && e.started_ns != 0 && !e.unhealthy;
}

/// min(base * 2^n, cap), n from 0.
ms wait_of(std::uint32_t n) {
  ms wait = 40;
  for (; n > 0 && wait < 150; --n)
    wait *= 2;
  return std::min<ms>(wait, 150);
}

} // namespace

// --- the list ------------------------------------------------------------------------------------

bool run_reference::is_member(run::index who) const {
  return now_.together && who >= now_.together->from;
}

/// Nothing of it is there, nor on its way.
bool run_reference::is_away(run::index who) const {
  const auto w = now_.containers[who].where;
  if (now_.over || is_member(who)) // who is not with the shim obeys at once
    if (w == at::resolving || w == at::found || w == at::prepared) return true;
  return w == at::fresh || w == at::backoff || w == at::pooled || w == at::done || w == at::ended;
}

bool run_reference::behind_away(run::index who) const {
  for (auto i = who + 1; i < h_.containers; ++i)
    if (!is_away(i)) return false;
  return true;
}

/// Init containers and sidecars before it are passed; other containers do not wait for each other.
bool run_reference::may_begin(run::index who) const {
  if (is_member(who)) return false;
  for (run::index i = 0; i < who; ++i)
    if (h_.words[i].kind != container_kind::main && !now_.containers[i].passed) return false;
  return true;
}

// --- ends ----------------------------------------------------------------------------------------

run_reference::verdict run_reference::verdict_of(run::index who) const {
  const auto& e = now_.containers[who].end;
  const auto& word = h_.words[who];
  if (e.how == outcome::image_failed) return verdict::again;
  const auto takes = [&] {
    const bool alone =
        h_.strategy == restart_strategy::one_for_one || word.kind == container_kind::init;
    return alone ? verdict::again : verdict::group;
  };
  const bool by_itself = e.how == outcome::exited || e.how == outcome::signaled;
  if (by_itself && e.started_ns != 0) {
    const int code = e.how == outcome::exited ? e.code : 128 + e.code;
    if (word.again_on == code) return takes();
    if (word.all_on == code) return verdict::all_again;
  }
  const auto policy = h_.policy_of(who);
  if (policy == restart_policy::never) return verdict::stays;
  // Who was stopped and did not fail by itself has no failure to his name.
  const bool failed = !is_success(e);
  return policy == restart_policy::always || failed ? takes() : verdict::stays;
}

bool run_reference::gives_up(const std::vector<ms>& ends) const {
  if (h_.give_up == 0) return false;
  const auto counted =
      std::count_if(ends.begin(), ends.end(), [&](ms t) { return w_.now() - t <= give_up_period; });
  return static_cast<std::uint32_t>(counted) + 1 >= h_.give_up;
}

ms run_reference::wait_after(std::uint32_t& retries, bool stable, bool at_once) const {
  if (stable) retries = 0;
  const auto n = retries++;
  if (!at_once) return wait_of(n);
  return n == 0 ? 0 : wait_of(n - 1);
}

void run_reference::wait_for_backoff(run::index who) {
  auto& c = now_.containers[who];
  const bool no_image = c.end.how == outcome::image_failed;
  if (!no_image && h_.give_up != 0) {
    std::erase_if(c.ends, [&](ms t) { return w_.now() - t > give_up_period; });
    c.ends.push_back(w_.now());
  }
  const bool stable = c.running_since && w_.now() - *c.running_since >= 250;
  c.due = w_.now() + wait_after(c.retries, stable, h_.first_at_once && !no_image);
  c.had_image = !no_image;
  c.where = at::backoff;
  ++c.attempt;
  if (c.had_image) ++c.restarts;
  if (h_.words[who].kind == container_kind::main) c.passed = true;
}

void run_reference::judge() {
  if (ends_.empty()) return;
  std::sort(ends_.begin(), ends_.end());
  if (!now_.over && h_.containers == 1) be_over(ending::container, 0);
  for (bool grouped = true; std::exchange(grouped, false);) {
    for (const auto i : ends_) {
      const auto& c = now_.containers[i];
      if (now_.over) return;
      if (is_member(i) || c.where != at::ended) continue;
      const auto v = verdict_of(i);
      const bool no_image = c.end.how == outcome::image_failed;
      if (v == verdict::stays && h_.words[i].kind == container_kind::init && !is_success(c.end))
        return be_over(ending::init_failed, i);
      if (v == verdict::stays && h_.words[i].significant) return be_over(ending::significant, i);
      if (v == verdict::again && !no_image && gives_up(c.ends)) return be_over(ending::gave_up, i);
      if (v != verdict::group && v != verdict::all_again) continue;
      if (gives_up(now_.ends)) return be_over(ending::gave_up, i);
      begin_group(i, v == verdict::all_again);
      grouped = true;
      break;
    }
  }
  for (const auto i : ends_) {
    auto& c = now_.containers[i];
    if (is_member(i) || c.where != at::ended) continue;
    if (verdict_of(i) == verdict::again) {
      wait_for_backoff(i);
      continue;
    }
    c.where = at::done;
    c.passed = true;
  }
  judge_all();
}

/// No main container will run again.
void run_reference::judge_all() {
  for (run::index i = 0; i < h_.containers; ++i) {
    const bool main = h_.words[i].kind == container_kind::main;
    if (main && (now_.containers[i].where != at::done || is_member(i))) return;
  }
  be_over(ending::all_done);
}

// --- groups --------------------------------------------------------------------------------------

void run_reference::begin_group(run::index who, bool all) {
  group g;
  g.from = all || h_.strategy == restart_strategy::one_for_all ? 0 : who;
  g.all = all;
  const ms grace = h_.grace == 0 ? 0 : std::max(h_.grace, 2) * 1000;
  g.stop = all ? terms{w_.now(), 0} : terms{w_.now() + grace, std::min<ms>(grace, 2000)};
  const bool stable = now_.all_passed_at && w_.now() - *now_.all_passed_at >= 250;
  g.due = w_.now() + wait_after(now_.retries, stable, h_.first_at_once);
  if (h_.give_up != 0) {
    std::erase_if(now_.ends, [&](ms t) { return w_.now() - t > give_up_period; });
    now_.ends.push_back(w_.now());
  }
  if (now_.together) {
    g.from = std::min(g.from, now_.together->from);
    g.all = g.all || now_.together->all;
    bool ended = true; // all that were told to
    for (auto i = now_.together->from; i < h_.containers; ++i)
      ended = ended && is_away(i);
    if (!all && !ended) g.stop = now_.together->stop;
  }
  now_.together = g;
  for (auto i = g.from; i < h_.containers; ++i) {
    auto& c = now_.containers[i];
    if (c.where == at::preparing) c.asked_to_end = true;
    if (c.where != at::backoff) continue;
    c.where = at::fresh; // the group's back-off counts now
    c.let_go = false;
  }
  pool(who);
}

void run_reference::pool(run::index who) {
  auto& c = now_.containers[who];
  const bool stopped_before_it_ran = c.where == at::ended && c.end.started_ns == 0 && c.end.stopped;
  if (!stopped_before_it_ran) ++c.restarts;
  ++c.attempt;
  c.let_go = false;
  c.where = at::pooled;
}

/// Who has ended meanwhile waits for the others; when all do and it is time, the list begins anew.
void run_reference::settle_group() {
  if (!now_.together || now_.sandbox == link::adopting) return;
  const auto g = *now_.together;
  bool all_away = true;
  for (auto i = g.from; i < h_.containers; ++i) {
    auto& c = now_.containers[i];
    const bool temporary = !g.all && h_.words[i].kind == container_kind::main &&
                           h_.policy_of(i) == restart_policy::never;
    if (c.where == at::resolving || c.where == at::found || c.where == at::prepared) {
      c.where = at::ended; // told so at once
      c.end.stopped = true;
    }
    const bool ran = c.end.started_ns != 0 || !c.end.stopped;
    if (c.where == at::ended && temporary && ran) c.where = at::done;
    if (c.where == at::ended || (c.where == at::done && !temporary)) pool(i);
    all_away = all_away && is_away(i);
  }
  if (!all_away || g.due > w_.now()) return;
  now_.together.reset();
  now_.all_passed_at.reset();
  for (auto i = g.from; i < h_.containers; ++i) {
    auto& c = now_.containers[i];
    c.passed = c.where == at::done;
    if (c.where == at::pooled) c.where = at::fresh;
  }
  judge_all();
}

// --- stops ---------------------------------------------------------------------------------------

run_reference::terms run_reference::grace_now(std::optional<int> seconds) const {
  ms grace = h_.grace == 0 ? 0 : std::max(h_.grace, 2) * 1000;
  if (seconds)
    grace = *seconds * 1000;
  else if (grace_)
    grace = grace_->count() * 1000;
  return {w_.now() + grace, std::min<ms>(grace, 2000)};
}

bool run_reference::is_leaving(run::index who) const {
  return now_.over || is_member(who) || now_.containers[who].leaving;
}

bool run_reference::has_turn(run::index who) const {
  if (h_.strategy != restart_strategy::one_for_one) return behind_away(who);
  if (h_.words[who].kind != container_kind::sidecar) return true;
  for (run::index i = 0; i < h_.containers; ++i) {
    const bool before_me = i > who || h_.words[i].kind != container_kind::sidecar;
    if (i != who && before_me && !is_away(i)) return false;
  }
  return true;
}

/// Whether and how it shall end now.
std::optional<run_reference::stop_now> run_reference::stop_of(run::index who) const {
  const auto& c = now_.containers[who];
  std::optional<stop_now> out;
  if (now_.over)
    out = stop_now{*stop_, has_turn(who), h_.strategy == restart_strategy::one_for_one};
  else if (is_member(who))
    out = stop_now{now_.together->stop, now_.together->all || behind_away(who), now_.together->all};
  else if (c.leaving)
    return stop_now{*c.leaving, true, true};
  if (out && c.leaving && c.leaving->by < out->until.by) out->until = *c.leaving;
  return out;
}

void run_reference::check_stop(run::index who) {
  auto& c = now_.containers[who];
  const auto stop = stop_of(who);
  if (!stop || !is_with_shim(c) || !takes_requests()) return;
  if (c.kill_at && !c.killed && c.told != stop->until) { // the newest word counts
    c.kill_at = std::max(stop->until.by, w_.now() + stop->until.least);
    c.told = stop->until;
  }
  if (c.where != at::up || c.killed) return must(c.killed, "it comes up, and nobody stops it", who);
  const bool in_time = stop->until.by > w_.now();
  const bool signaled = c.kill_at.has_value();
  if (signaled) return must(*c.kill_at + 5 >= w_.now(), "outstays its grace", who);
  if (!in_time) return must(false, "the time is over, and nobody signals it", who);
  const bool wants_hook = h_.words[who].pre_stop && !c.pre_stop_begun;
  if (wants_hook) return must(!stop->its_turn && !stop->hook_now, "nobody calls its preStop", who);
  const bool in_hook = c.hook == run::hook_kind::pre_stop;
  must(in_hook || !stop->its_turn, "it is its turn, and nobody stops it", who);
}

// --- probes and hooks ----------------------------------------------------------------------------

void run_reference::came_up(run::index who) {
  if (now_.containers[who].post_returned) post_start_over(who);
}

void run_reference::post_start_over(run::index who) {
  auto& c = now_.containers[who];
  c.post_returned = true;
  if (h_.words[who].kind == container_kind::main) c.passed = true;
  if (h_.words[who].kind == container_kind::sidecar && c.startup_ok) c.passed = true;
}

void run_reference::hear(const run::probe_result& e) {
  auto& c = now_.containers[e.who];
  if (e.attempt != c.attempt || !runs(c) || !c.probed) return;
  if (e.kind == run::probe_kind::readiness) c.readiness_ok = e.passed;
  if (e.kind == run::probe_kind::readiness || is_leaving(e.who)) return;
  if (!e.passed) {
    const bool liveness = e.kind == run::probe_kind::liveness;
    const auto manifests = grace_;
    grace_.reset();
    c.leaving = grace_now(liveness ? h_.words[e.who].liveness_grace : std::nullopt);
    grace_ = manifests;
    c.complaint = e.message;
    return;
  }
  if (e.kind == run::probe_kind::startup) c.startup_ok = true;
  if (h_.words[e.who].kind == container_kind::sidecar && is_started(c)) c.passed = true;
}

void run_reference::hear(const run::hook_done& e) {
  auto& c = now_.containers[e.who];
  if (e.attempt != c.attempt || !runs(c) || c.hook != e.kind) return;
  c.hook.reset();
  if (e.kind == run::hook_kind::pre_stop) return;
  if (!e.failure) return post_start_over(e.who);
  c.post_failed = true;
  if (is_leaving(e.who)) return;
  c.leaving = grace_now();
  c.complaint = "postStart";
  if (h_.words[e.who].kind == container_kind::main) c.passed = true;
}

void run_reference::see(const run::begin_probes& a) {
  auto& c = now_.containers[a.who];
  must(h_.words[a.who].is_probed() && c.post_returned, "is probed too early", a.who);
  must(a.attempt == c.attempt && a.started == c.startup_ok, "is probed as what it is not", a.who);
  c.probed = true;
  c.only_readiness = false;
}

void run_reference::see(const run::only_readiness& a) {
  must(is_leaving(a.who), "it is not to end, and its liveness is not probed", a.who);
  now_.containers[a.who].only_readiness = true;
}

void run_reference::see(const run::end_probes& a) {
  must(!runs(now_.containers[a.who]), "it runs and is not probed", a.who);
  now_.containers[a.who].probed = false;
}

void run_reference::see(const run::call_hook& a) {
  auto& c = now_.containers[a.who];
  must(a.attempt == c.attempt && runs(c), "its hook is called without it", a.who);
  if (a.kind == run::hook_kind::post_start) {
    must(!c.post_returned, "its postStart is called again", a.who);
  } else {
    const auto stop = stop_of(a.who);
    must(stop && (stop->its_turn || stop->hook_now) && !c.pre_stop_begun && !c.kill_at,
         "its preStop is called for nothing", a.who);
    must(!stop || !a.within || stop->until.by - w_.now() == a.within->count(),
         "its preStop has another time", a.who);
    c.pre_stop_begun = true;
  }
  c.hook = a.kind;
}

void run_reference::see(const run::drop_hook& a) {
  auto& c = now_.containers[a.who];
  must(c.hook.has_value(), "a hook is dropped that does not run", a.who);
  c.hook.reset();
}

void run_reference::check_health(run::index who) {
  const auto& c = now_.containers[who];
  if (!runs(c)) return must(!c.hook && !c.probed, "its hook or its probes outlive it", who);
  must(!c.probed || c.only_readiness || !is_leaving(who), "it is to end, and all is probed", who);
  if (now_.sandbox == link::adopting) return;
  const bool hooked =
      c.hook.has_value() || c.post_returned || c.post_failed || c.kill_at || c.pre_stop_begun;
  must(hooked, "nobody calls its postStart", who);
  must(c.probed || !c.post_returned || !h_.words[who].is_probed(), "nobody probes it", who);
}

} // namespace tank::model

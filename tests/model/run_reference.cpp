#include "tests/model/run_reference.hpp"

#include <algorithm>

namespace tank::model {

using run::outcome;

namespace {

constexpr unsigned most_tries = 5;

run::container_end end_by(outcome how) {
  run::container_end end;
  end.how = how;
  return end;
}

} // namespace

run_reference::run_reference(const history& h, run_world& w) : h_(h), w_(w) {
  now_.containers.resize(h.containers);
  kept_ = now_;
}

void run_reference::must(bool holds, const std::string& what) {
  if (!holds) w_.broken(what);
}

void run_reference::must(bool holds, const std::string& what, run::index who) {
  if (!holds) w_.broken(std::to_string(who) + ": " + what);
}

void run_reference::be_over(ending why, run::index who) {
  if (now_.over) return;
  now_.over = why;
  now_.who = who;
  stop_ = grace_now();
}

// --- what it hears -------------------------------------------------------------------------------

void run_reference::hears(const happens& e) {
  ends_.clear();
  if (e.timer_of) hear_timer(*e.timer_of);
  std::visit([this](const auto& told) { hear(told); }, e.event);
  judge();
  if (!now_.over) settle_group();
}

void run_reference::hear(const run::image_found& e) {
  auto& c = now_.containers[e.who];
  if (c.where == at::resolving) c.where = at::found;
}

void run_reference::hear(const run::image_missing& e) {
  if (now_.containers[e.who].where != at::resolving) return;
  auto end = end_by(outcome::image_failed);
  end.image = e.problem;
  ended(e.who, end);
}

void run_reference::hear(const run::sandbox_not_prepared&) {
  if (now_.sandbox == link::making) sandbox_fails(outcome::failed);
}

void run_reference::hear(const run::container_prepared& e) {
  auto& c = now_.containers[e.who];
  if (c.where == at::preparing) c.where = at::prepared;
}

void run_reference::hear(const run::container_not_prepared& e) {
  if (now_.containers[e.who].where == at::preparing) ended(e.who, end_by(outcome::failed));
}

void run_reference::hear(const run::session_failed& e) {
  if (now_.sandbox == link::starting) return sandbox_fails(outcome::failed);
  if (now_.sandbox == link::up) return sandbox_fails(outcome::session_down);
  if (now_.sandbox != link::adopting) return;
  connected_ = false;
  if (e.why.code == errc::not_found || tries_ >= most_tries) no_shim();
}

void run_reference::hear(const run::sandbox_up&) {
  if (now_.sandbox == link::starting) now_.sandbox = link::up;
}

void run_reference::hear(const run::session_down& e) {
  const bool again = e.shim_lives && tries_ < most_tries;
  if (now_.sandbox == link::adopting) {
    connected_ = false;
    if (!again) no_shim();
  } else if (takes_requests() && again) {
    now_.sandbox = link::adopting;
  } else if (takes_requests()) {
    sandbox_fails(outcome::session_down);
    lose_all(false);
  } else if (now_.sandbox == link::closing) {
    lose_all(false);
  }
}

void run_reference::hear(const run::adopted& e) {
  if (now_.sandbox != link::adopting) return;
  reported_running_ = false;
  if (recorded_) return; // it is closed whatever it holds
  had_session_ = true;
  now_.sandbox = link::up;
  for (run::index i = 0; i < h_.containers; ++i) {
    auto& c = now_.containers[i];
    if (c.where != at::unknown && !is_with_shim(c)) continue;
    const auto it = std::find_if(e.containers.begin(), e.containers.end(), [&](const auto& told) {
      return told.who == i && told.attempt == c.attempt;
    });
    held(i, it == e.containers.end() ? nullptr : &*it);
  }
}

/// The shim tells where the container's attempt stands; null: it has not heard of it.
void run_reference::held(run::index who, const run::held_container* told) {
  auto& c = now_.containers[who];
  if (told == nullptr || told->at == kernel::stage::starting) {
    if (c.overdue) return ended(who, end_by(outcome::failed));
    if (c.let_go || c.killed) return ended(who, end_by(outcome::none));
    c.where = at::fresh;
    return;
  }
  if (told->started_ns != 0 && !c.killed) c.end.started_ns = told->started_ns;
  if (kernel::is_terminal(told->at)) return ended(who, told->end);
  if (c.killed) return; // and is killed again
  c.kill_at.reset();    // a stop begins anew, with its hook
  c.told.reset();
  c.pre_stop_begun = false;
  if (told->at == kernel::stage::running) {
    c.where = at::up;
    if (!c.running_since) c.running_since = w_.now();
    if (!c.let_go) c.released_at = w_.now();
    c.let_go = now_.touched = true;
    came_up(who);
  } else {
    c.asked_at = w_.now();
    c.where = told->at == kernel::stage::built ? at::built : at::asked;
  }
}

void run_reference::hear(const run::child_built& e) {
  auto& c = now_.containers[e.who];
  if (c.where != at::asked || c.killed || e.attempt != c.attempt) return;
  c.where = at::built;
}

void run_reference::hear(const run::child_running& e) {
  auto& c = now_.containers[e.who];
  if (c.where != at::released || c.killed || e.attempt != c.attempt) return;
  c.where = at::up;
  c.end.started_ns = e.at_ns;
  if (!c.running_since) c.running_since = w_.now();
  came_up(e.who);
}

void run_reference::hear(const run::child_ended& e) {
  auto& c = now_.containers[e.who];
  if (c.where == at::ended && c.end.how == outcome::none && e.attempt == c.attempt && !recorded_) {
    c.end.how = e.end.how; // given up too early
    c.end.code = e.end.code;
  }
  if (is_with_shim(c) && e.attempt == c.attempt)
    ended(e.who, c.overdue ? end_by(outcome::failed) : e.end);
}

void run_reference::hear(const run::stop& e) {
  stop_asked_ = true;
  if (e.grace) grace_ = e.grace;
  if (now_.over && !e.grace) return;
  if (!now_.over) return be_over(ending::stopped);
  stop_ = grace_now();
}

void run_reference::hear(const run::cleaned&) {
  if (now_.sandbox == link::cleaning) now_.sandbox = link::gone;
}

void run_reference::hear_timer(const std::optional<run::index>& of) {
  if (of == run::whole_run) return;
  if (of) {
    auto& c = now_.containers[*of];
    if (c.where == at::backoff) {
      c.due = std::min(c.due, w_.now());
    } else if (is_with_shim(c) && c.killed) { // and does not die
      ended(*of, end_by(c.overdue ? outcome::failed : outcome::none));
      be_over(ending::stuck, *of);
    } else if (c.where == at::asked || c.where == at::released) {
      c.overdue = true;
    }
    return;
  }
  if (now_.sandbox == link::starting) return sandbox_fails(outcome::failed);
  const bool asked = now_.sandbox == link::adopting && connected_;
  if (!asked && now_.sandbox != link::closing) return;
  if (!std::exchange(end_sent_, true)) return;
  if (asked) sandbox_fails(outcome::session_down);
  lose_all(false);
}

// --- ends ----------------------------------------------------------------------------------------

void run_reference::sandbox_fails(outcome how) {
  if (!now_.broke && !recorded_) now_.broke = how;
  if (!now_.over) now_.sandbox_end = how;
  be_over(ending::sandbox);
}

/// There is no shim where one was left, or it will not have us.
void run_reference::no_shim() {
  now_.sandbox = link::none;
  if (had_session_ || now_.touched) sandbox_fails(outcome::session_down);
  lose_all(!now_.over);
}

void run_reference::lose_all(bool to_begin_anew) {
  for (run::index i = 0; i < h_.containers; ++i) {
    auto& c = now_.containers[i];
    if (c.where == at::unknown && to_begin_anew)
      c.where = at::fresh;
    else if (c.where == at::unknown || is_with_shim(c))
      ended(i, end_by(c.overdue                             ? outcome::failed
                      : c.where == at::unknown && !c.let_go ? outcome::none
                                                            : outcome::session_down));
  }
}

void run_reference::ended(run::index who, run::container_end end) {
  auto& c = now_.containers[who];
  const auto started = c.end.started_ns;
  c.end = std::move(end);
  c.end.started_ns = started;
  c.end.stopped = c.end.stopped || c.asked_to_end;
  c.end.unhealthy = !c.complaint.empty();
  c.where = at::ended;
  ends_.push_back(who);
}

// --- another daemon ------------------------------------------------------------------------------

void run_reference::restored() {
  now_ = kept_;
  using l = link;
  // Before the shim is told to go the run may still go another way: its end is not recorded.
  if (now_.sandbox != l::closing && now_.sandbox != l::cleaning && now_.sandbox != l::gone &&
      !recorded_)
    now_.over.reset();
  recorded_ = now_.over.has_value();
  if (!recorded_) now_.broke.reset();
  now_.sandbox = l::adopting;
  for (auto& c : now_.containers) {
    c.overdue = c.killed = c.waited = c.probed = c.pre_stop_begun = c.post_failed = false;
    c.kill_at.reset();
    c.told.reset();
    c.asked_to_end = false;
    c.hook.reset();
    c.leaving.reset();
    c.complaint.clear();
    if (c.where == at::pooled) c.where = at::fresh;
    if (c.where == at::done || c.where == at::backoff) continue;
    c.where = recorded_ ? at::ended : at::unknown;
    if (recorded_) continue;
    c.end.started_ns = 0;
    c.running_since.reset();
    if (c.let_go) c.running_since = c.released_at;
  }
  stop_asked_ = false;
  grace_.reset();
  stop_.reset();
  had_session_ = connected_ = end_sent_ = finished_ = false;
  tries_ = 0;
  reported_running_ = false;
  shown_.clear();
  if (now_.over)
    stop_ = grace_now();
  else
    judge_all();
}

} // namespace tank::model

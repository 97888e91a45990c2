// What a run does, against what it may do and must do.
#include "tests/model/run_reference.hpp"

#include <algorithm>

namespace tank::model {

using run::outcome;

namespace {

run::container_end end_by(outcome how) {
  run::container_end end;
  end.how = how;
  return end;
}

bool ran(const run::container_end& e) {
  return e.started_ns != 0;
}

bool is_success(const run::container_end& e) {
  return e.how == outcome::exited && e.code == 0 && ran(e) && !e.unhealthy;
}

/// What an end means to whoever restarts.
stop_cause cause_of(const run::container_end& e) {
  if (e.how == outcome::session_down) return stop_cause::session_down;
  if (e.how == outcome::image_failed && e.image == image_problem::pull_failed)
    return stop_cause::image_pull_failed;
  if (!ran(e) || (e.how != outcome::exited && e.how != outcome::signaled))
    return stop_cause::bring_up_failed;
  if (e.unhealthy) return stop_cause::unhealthy;
  if (is_success(e)) return stop_cause::normal;
  if (e.out_of_memory) return stop_cause::oom_killed;
  return e.how == outcome::exited ? stop_cause::workload_exited : stop_cause::workload_signaled;
}

stop_class class_of(stop_cause c) {
  switch (c) {
  case stop_cause::normal:
    return stop_class::normal;
  case stop_cause::session_down:
  case stop_cause::image_pull_failed:
  case stop_cause::bring_up_failed:
    return stop_class::abnormal;
  default:
    return stop_class::shutdown;
  }
}

int exit_code_of(const run::container_end& e) {
  switch (e.how) {
  case outcome::exited:
    return e.code;
  case outcome::signaled:
    return 128 + e.code;
  case outcome::session_down:
    return 137;
  default:
    return 128;
  }
}

} // namespace

// --- what it sees --------------------------------------------------------------------------------

void run_reference::sees(const run::actions& all) {
  saw_running_ = saw_containers_ = false;
  for (const auto& a : all)
    std::visit([this](const auto& done) { see(done); }, a);
}

void run_reference::see(const run::resolve_image& a) {
  auto& c = now_.containers[a.who];
  must(!now_.over, "begins when the run is over", a.who);
  must(c.where == at::fresh || c.where == at::backoff, "begins where it should not", a.who);
  must(c.where != at::backoff || c.due <= w_.now(), "begins before its back-off is over", a.who);
  must(may_begin(a.who), "begins before its turn", a.who);
  c = {.where = at::resolving,
       .attempt = c.attempt,
       .restarts = c.restarts,
       .retries = c.retries,
       .running_since = {},
       .ends = std::move(c.ends),
       .end = {},
       .passed = c.passed,
       .post_returned = !h_.words[a.who].post_start,
       .startup_ok = !h_.words[a.who].startup,
       .kill_at = {},
       .told = {},
       .hook = {},
       .leaving = {},
       .complaint = {}};
}

void run_reference::see(const run::prepare& a) {
  must(!now_.over, "something is prepared when the run is over");
  if (a.sandbox) {
    must(now_.sandbox == link::none, "the sandbox is made a second time");
    now_.sandbox = link::making;
  } else {
    must(takes_requests(), "a container is prepared for no sandbox");
  }
  for (const auto who : a.containers) {
    auto& c = now_.containers[who];
    must(c.where == at::found, "is prepared without its image", who);
    c.where = at::preparing;
  }
}

void run_reference::see(const run::start_session&) {
  must(now_.sandbox == link::making, "a shim is started for no sandbox");
  now_.sandbox = link::starting;
  had_session_ = true;
}

void run_reference::see(const run::adopt_session&) {
  must(now_.sandbox == link::adopting, "a shim is adopted that is no orphan");
  connected_ = true;
  end_sent_ = false;
  ++tries_;
}

void run_reference::see(const run::create& a) {
  auto& c = now_.containers[a.who];
  must(!now_.over && takes_requests(), "is created where it should not", a.who);
  must(c.where == at::prepared, "is created before it is prepared", a.who);
  must(c.attempt == a.attempt, "is created as another attempt", a.who);
  c.where = at::asked;
  c.asked_at = w_.now();
}

void run_reference::see(const run::build& a) {
  must(now_.containers[a.who].where == at::asked, "is built where it should not", a.who);
}

void run_reference::see(const run::proceed& a) {
  auto& c = now_.containers[a.who];
  must(c.where == at::built && !c.killed, "is let go where it should not", a.who);
  for (run::index i = 0; i < a.who; ++i)
    must(now_.containers[i].passed, "is let go before its turn", a.who);
  c.where = at::released;
  if (!std::exchange(c.let_go, true)) c.released_at = w_.now();
  now_.touched = true;
  if (c.waited) c.asked_at = w_.now(); // its time to come up begins anew
}

void run_reference::see(const run::abort& a) {
  auto& c = now_.containers[a.who];
  must((now_.over || is_member(a.who)) && (c.where == at::asked || c.where == at::built) &&
           !c.killed,
       "is aborted for nothing", a.who);
  c.killed = c.asked_to_end = true;
}

void run_reference::see(const run::signal& a) {
  auto& c = now_.containers[a.who];
  const auto stop = stop_of(a.who);
  must(stop && takes_requests() && c.where == at::up && !c.kill_at && !c.killed,
       "is signaled for nothing", a.who);
  must(a.number == 10 + static_cast<int>(a.who), "is not signaled as its image says", a.who);
  if (!stop) return;
  const bool late = stop->until.by <= w_.now();
  must(late || stop->its_turn, "is signaled before its turn", a.who);
  must(late || !c.hook || *c.hook != run::hook_kind::pre_stop, "is signaled during its hook",
       a.who);
  must(late || c.pre_stop_begun || !h_.words[a.who].pre_stop, "is signaled without its hook",
       a.who);
  c.kill_at = std::max(stop->until.by, w_.now() + stop->until.least);
  c.told = stop->until;
  c.asked_to_end = true;
}

void run_reference::see(const run::kill& a) {
  auto& c = now_.containers[a.who];
  const auto stop = stop_of(a.who);
  const bool for_the_end =
      stop && (c.where == at::released || (c.where == at::up && stop->until.least == 0));
  const bool overdue = c.overdue && w_.now() - c.asked_at >= 200;
  const bool grace_over = c.kill_at && w_.now() >= *c.kill_at;
  must(is_with_shim(c), "is killed where it is not", a.who);
  must(c.killed || for_the_end || overdue || grace_over, "is killed for nothing", a.who);
  if (for_the_end && !c.killed && !overdue) c.asked_to_end = true;
  c.killed = true;
}

void run_reference::see(const run::shut_down&) {
  must(now_.over.has_value(), "its shim is told to go while the run goes on");
  must(takes_requests() || (recorded_ && now_.sandbox == link::adopting),
       "a shim is told to go that is not there");
  now_.sandbox = link::closing;
  end_sent_ = false;
}

void run_reference::see(const run::end_session&) {
  must(now_.sandbox == link::closing || (now_.sandbox == link::adopting && end_sent_),
       "a shim is killed for nothing");
}

void run_reference::see(const run::clean&) {
  must(now_.over.has_value(), "it is cleaned up while the run goes on");
  must(now_.sandbox != link::cleaning && now_.sandbox != link::gone, "it is cleaned up twice");
  now_.sandbox = link::cleaning;
}

void run_reference::see(const run::report_running&) {
  must(!reported_running_, "it says again that it is up");
  saw_running_ = reported_running_ = true;
}

void run_reference::see(const run::report_containers&) {
  must(h_.containers > 1 || h_.words[0].is_probed() || h_.words[0].post_start,
       "it tells of its only container");
  saw_containers_ = true;
}

void run_reference::see(const run::finish&) {
  must(now_.sandbox == link::gone, "it finishes before it is cleaned up");
  must(!finished_, "it finishes twice");
  finished_ = true;
}

// --- what must hold then -------------------------------------------------------------------------

void run_reference::settled(const std::vector<container_status>& shown) {
  if (now_.over)
    check_ending();
  else
    check_going_on();
  for (run::index i = 0; i < h_.containers; ++i) {
    if (now_.sandbox != link::adopting) check_stop(i);
    check_health(i);
    now_.containers[i].waited = now_.containers[i].where == at::built;
  }
  const bool all_passed = std::all_of(now_.containers.begin(), now_.containers.end(),
                                      [](const auto& c) { return c.passed; });
  if (all_passed && !now_.all_passed_at) now_.all_passed_at = w_.now();
  check_shown(shown);
  check_reports(shown);
  shown_ = shown;
}

void run_reference::check_going_on() {
  const bool idle = now_.sandbox == link::none;
  bool before_passed = true;
  for (run::index i = 0; i < h_.containers; ++i) {
    const auto& c = now_.containers[i];
    const bool begins = may_begin(i);
    must(c.where != at::fresh || !begins, "nobody begins it", i);
    must(c.where != at::unknown || now_.sandbox == link::adopting, "nobody asks its shim", i);
    must(c.where != at::backoff || !begins || c.due > w_.now(),
         "its back-off is over, and it waits", i);
    must(c.where != at::built || !before_passed || !takes_requests() || c.killed,
         "nobody lets it go", i);
    before_passed = before_passed && c.passed;
    must(c.where != at::pooled || now_.together, "it ended with others, and they are not there", i);
    if (is_member(i)) continue; // see check_stop
    must(c.where != at::found || !(idle || takes_requests()), "nobody prepares it", i);
    must(c.where != at::prepared || !takes_requests(), "nobody creates it", i);
    must(!c.overdue || c.killed, "it does not come up, and nobody kills it", i);
    must(c.where != at::ended, "it ended, and nobody judges it", i);
  }
}

void run_reference::check_ending() {
  if (now_.sandbox == link::adopting) return; // how, its shim decides
  bool all_ended = true;
  for (run::index i = 0; i < h_.containers; ++i) {
    auto& c = now_.containers[i];
    if (c.where == at::preparing || is_with_shim(c))
      all_ended = false;
    else if (c.where != at::done && c.where != at::backoff)
      c.where = at::ended;
  }
  must(!(all_ended && (takes_requests() || now_.sandbox == link::none)),
       "all have ended, and the sandbox stays");
  must(finished_ == (now_.sandbox == link::gone), "it is cleaned up and does not finish");
}

void run_reference::check_shown(const std::vector<container_status>& shown) {
  for (run::index i = 0; i < h_.containers; ++i) {
    const auto& c = now_.containers[i];
    const auto& s = shown.at(i);
    must(s.restarts == c.restarts,
         "shows " + std::to_string(s.restarts) + " restarts and had " + std::to_string(c.restarts),
         i);
    must((s.state == container_phase::running) == (c.where == at::up), "shows what it is not", i);
    if (c.where == at::done)
      must(s.state == container_phase::terminated && s.terminated &&
               s.terminated->exit_code == exit_code_of(c.end),
           "does not show how it ended", i);
    if (now_.over) continue;
    must(s.started == is_started(c), "does not show whether it has started", i);
    const bool ready = h_.words[i].kind != container_kind::init && is_started(c) &&
                       (!h_.words[i].readiness || c.readiness_ok);
    const bool well = c.where == at::done && h_.words[i].kind == container_kind::init;
    must(s.ready == (ready || well), "does not show whether it is ready", i);
    if (is_member(i) || c.where == at::pooled) continue;
    const auto waits = c.where == at::backoff;
    must(s.attempt == c.attempt || s.attempt + 1 == c.attempt, "shows another attempt", i);
    if (c.where == at::up || c.where == at::done) continue;
    must(s.state == container_phase::waiting, "does not show that it waits", i);
    const bool inits = h_.words.front().kind != container_kind::main;
    const auto* word = !waits        ? (inits ? "PodInitializing" : "ContainerCreating")
                       : c.had_image ? "CrashLoopBackOff"
                                     : "ImagePullBackOff";
    must(s.reason == word, "shows another reason to wait", i);
    must((s.restart_at_ns != 0) == waits, "does not show until when it waits", i);
  }
}

void run_reference::check_reports(const std::vector<container_status>& shown) {
  bool seen = true;
  bool any_runs = false;
  for (run::index i = 0; i < h_.containers; ++i) {
    const auto& c = now_.containers[i];
    any_runs = any_runs || runs(c);
    if (h_.words[i].kind != container_kind::main) continue;
    seen = seen && (runs(c) || c.where == at::done || c.where == at::backoff ||
                    c.where == at::ended || c.restarts > 0);
  }
  must(reported_running_ || !seen || !any_runs, "it is up, and does not say so");
  const bool tells = h_.containers > 1 || h_.words[0].is_probed() || h_.words[0].post_start;
  if (!tells || now_.over || saw_running_) return;
  must(saw_containers_ == (shown != shown_), "what it tells of its containers is not the news");
}

void run_reference::check_end(const stop_reason& why, const last_exit& how) {
  stop_cause cause = stop_cause::stopped;
  std::optional<run::container_end> by;
  if (stop_asked_ || now_.over == ending::stopped) {
    // as it is
  } else if (now_.over == ending::sandbox) {
    by = end_by(now_.sandbox_end);
    cause = cause_of(*by);
  } else {
    auto who = now_.who;
    if (now_.over == ending::all_done) {
      run::index first = 0;
      while (h_.words[first].kind != container_kind::main)
        ++first;
      for (who = first; who + 1 < h_.containers && is_success(now_.containers[who].end);)
        ++who;
      if (is_success(now_.containers[who].end)) who = first;
    }
    by = now_.containers[who].end;
    cause = now_.over == ending::gave_up ? stop_cause::gave_up
            : now_.over == ending::stuck ? stop_cause::bring_up_failed
                                         : cause_of(*by);
  }
  must(why.cause == cause && why.cls == class_of(cause),
       "it says '" + to_string(why) + "' and not '" + std::string{to_string(cause)} + "'");
  if (!by) return;
  if (by->how == outcome::none && now_.broke)
    by->how = *now_.broke; // nobody saw it, but it cannot be there
  must(how.exit_code == exit_code_of(*by), "it shows exit code " + std::to_string(how.exit_code));
  if (cause == stop_cause::workload_exited) must(why.code == by->code, "of another exit code");
}

} // namespace tank::model

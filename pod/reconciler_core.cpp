#include "pod/reconciler_core.hpp"

#include "base/clock.hpp"
#include "base/stop_reason.hpp"
#include "config/pod.hpp"
#include "pod/container_machine.hpp"
#include "pod/run_settings.hpp"

#include <algorithm>
#include <utility>

namespace tank {

namespace {

/// Of a workload that ran, as it exited.
std::optional<int> exit_code_of(const stop_reason& why, const std::optional<last_exit>& how) {
  const bool ran = why.cause == stop_cause::normal || why.cause == stop_cause::workload_exited ||
                   why.cause == stop_cause::workload_signaled ||
                   why.cause == stop_cause::oom_killed || why.cause == stop_cause::unhealthy;
  return ran && how ? std::optional{how->exit_code} : std::nullopt;
}

/// Whether a run that ended so is followed by another one.
restart_policy policy_after(const desired_pod& what, const stop_reason& why,
                            const std::optional<last_exit>& how) {
  if (!what.pod) return restart_policy::always;
  if (!is_rebuilt_whole(*what.pod)) return parse_restart_policy(what.pod->spec.restart_policy);
  const auto policy = policy_of(what.pod->spec.containers.front(), container_kind::main, *what.pod);
  const bool stays = decide_after(policy, why, exit_code_of(why, how)) == after_end::stay;
  return stays ? restart_policy::never : restart_policy::always;
}

} // namespace

last_exit exit_of(const stop_reason& why) {
  last_exit out;
  if (why.cls == stop_class::normal) {
    out.reason = "Completed";
  } else if (why.cause == stop_cause::workload_exited) {
    out = {"Error", why.code, 0, why.text, 0, 0};
  } else if (why.cause == stop_cause::unhealthy) {
    out = {"Error", why.code, why.code > 128 ? why.code - 128 : 0, why.text, 0, 0};
  } else if (why.cause == stop_cause::workload_signaled) {
    out = {"Error", 128 + why.code, why.code, why.text, 0, 0};
  } else if (why.cause == stop_cause::oom_killed) {
    out = {"OOMKilled", 128 + why.code, why.code, why.text, 0, 0};
  } else if (why.cause == stop_cause::image_pull_failed) {
    out = {"ErrImagePull", 128, 0, why.text, 0, 0};
  } else if (why.cause == stop_cause::host_shortage) {
    out = {"HostShortage", 128, 0, why.text, 0, 0};
  } else if (why.cause == stop_cause::bring_up_failed) {
    out = {"StartError", 128, 0, why.text, 0, 0}; // kubelet's code for a start that failed
  } else {
    out = {"Error", 137, 0, to_string(why), 0, 0};
  }
  return out;
}

reconciler_core::entry* reconciler_core::current(const std::string& key, std::uint64_t generation) {
  const auto it = entries_.find(key);
  if (it == entries_.end() || it->second.generation != generation) return nullptr;
  return &it->second;
}

tracked_pods reconciler_core::tracked() const {
  tracked_pods out;
  for (const auto& [key, e] : entries_) {
    auto& heading = out[key];
    if (!e.leaving) heading = e.next ? e.next->hash : e.what.hash;
  }
  return out;
}

/// Makes `what` the content of the entry, with a clean history.
void reconciler_core::set_content(entry& e, const desired_pod& what, const instant& now) {
  auto key = std::move(e.status.key);
  e.what = what;
  e.status = {};
  e.status.key = std::move(key);
  e.status.uid = what.uid;
  e.status.file = what.file;
  e.status.warnings = what.warnings;
  e.status.pod = what.pod;
  e.status.created_ns = now.wall_ns;
  e.running_since.reset();
  e.ends.clear();
  e.container_restarts.clear();
  e.present_restarts.clear();
  set_deadline(e, now);
  show_containers(e, {});
}

/// The same content may have moved to another file or gained a warning: no reason to touch the run.
void reconciler_core::refresh(entry& e, const desired_pod& what, reconcile_effects& out) {
  if (e.next) e.next = what;
  if (e.what.hash != what.hash) return;
  if (e.what.file == what.file && e.what.warnings == what.warnings) return;
  replace_content(e, what);
  out.emplace_back(status_changed{e.status.key});
}

/// Starts a run of `e.what`.
void reconciler_core::begin(entry& e, const instant& now, reconcile_effects& out) {
  ++e.run;
  e.crashes = 0;
  e.limits_edited = false;
  e.running_since.reset();
  e.restart_at.reset();
  e.stop_by.reset();
  e.status.state = pod_state::starting;
  e.status.host_pid = 0;
  e.status.started_ns = 0;
  e.status.restart_at_ns = 0;
  e.status.phases = {};
  e.status.message.clear();
  show_containers(e, {});
  start_runtime(e, false, out);
  await_deadline(e, now, out);
  out.emplace_back(status_changed{e.status.key});
}

/// Somebody wants another run of the same pod: what came before does not count against it.
void reconciler_core::begin_again(entry& e, const instant& now, reconcile_effects& out) {
  set_deadline(e, now);
  e.status.retries = 0;
  e.ends.clear();
  ++e.status.restarts;
  begin(e, now, out);
}

/// Gives the run a runtime.
void reconciler_core::start_runtime(entry& e, bool adopt, reconcile_effects& out) {
  e.generation = ++last_generation_;
  e.alive = true;
  e.killed = false;
  e.overdue_at.reset();
  e.ended_told = false;
  e.final = false;
  e.has_heir = adopts_ && e.crashes < max_crashes;
  out.emplace_back(start_run{e.status.key, e.generation, e.what, e.status.restarts, e.run, adopt,
                             e.has_heir, e.limits_edited});
}

/// A runtime that failed has ended nothing but itself: another one takes its run over. False: it
/// is the run that has ended, or its runtimes fail too often.
bool reconciler_core::hand_over_to_heir(entry& e, const stop_reason& why, const instant& now,
                                        reconcile_effects& out) {
  const bool of_the_run = why.cause == stop_cause::bring_up_failed ||
                          why.cause == stop_cause::host_shortage ||
                          why.cause == stop_cause::session_down;
  if (!adopts_ || why.cls != stop_class::abnormal || of_the_run || e.ended_told) return false;
  if (!e.killed && e.running_since && now.mono - *e.running_since >= profile(e).stable)
    e.crashes = 0;
  if (!e.has_heir) return false;
  ++e.crashes;
  start_runtime(e, true, out);
  if (e.status.state == pod_state::stopping) resume_stop(e, now, out);
  await_deadline(e, now, out);
  return true;
}

// --- what is done ---------------------------------------------------------------------------------

void reconciler_core::halt(entry& e, std::optional<std::chrono::seconds> grace, const instant& now,
                           reconcile_effects& out) {
  // a second stop only counts when it sets its own grace period
  if (e.status.state == pod_state::stopping && !grace) return;
  e.status.state = pod_state::stopping;
  e.status.message = "stopping";
  e.stop_by = now.mono + grace_of(e, grace);
  out.emplace_back(stop_run{e.status.key, e.generation, grace});
  expect_end(e, now, out);
  out.emplace_back(status_changed{e.status.key});
}

/// Brings `what` into force, once the present run is gone.
void reconciler_core::replace(entry& e, const desired_pod& what, const instant& now,
                              reconcile_effects& out) {
  e.leaving = false;
  if (e.alive) {
    e.next = what;
    return halt(e, std::nullopt, now, out);
  }
  set_content(e, what, now);
  begin(e, now, out);
}

void reconciler_core::forget(entries::iterator it, reconcile_effects& out) {
  auto key = it->first;
  entries_.erase(it);
  out.emplace_back(status_changed{std::move(key)});
}

/// A timer message that got lost must not keep a pod down, or a runtime that hangs alive.
void reconciler_core::look_at_times(const instant& now, reconcile_effects& out) {
  for (const auto& [key, e] : entries_) {
    const auto more = due(key, e.generation, now);
    out.insert(out.end(), more.begin(), more.end());
  }
}

reconcile_effects reconciler_core::pass(const instant& now) {
  reconcile_effects out;
  if (!stopping_all_ && desired_.pods) follow_wishes(*desired_.pods, now, out);
  look_at_times(now, out);
  return out;
}

void reconciler_core::follow_wishes(const std::map<std::string, desired_pod>& want,
                                    const instant& now, reconcile_effects& out) {
  for (auto& [key, e] : entries_)
    if (const auto it = want.find(key); it != want.end()) refresh(e, it->second, out);

  const auto plan = plan_reconcile(want, tracked());
  for (const auto& key : plan.stop) {
    const auto it = entries_.find(key);
    it->second.next.reset();
    if (!it->second.alive) {
      forget(it, out);
      continue;
    }
    it->second.leaving = true;
    halt(it->second, std::nullopt, now, out);
  }
  for (const auto& key : plan.restart)
    apply_change(entries_.at(key), want.at(key), now, out);
  for (const auto& key : plan.start) {
    auto& e = entries_[key];
    e.status.key = key;
    set_content(e, want.at(key), now);
    begin(e, now, out);
  }
}

reconcile_effects reconciler_core::running(const pod_running& m, const instant& now) {
  auto* e = current(m.key, m.generation);
  if (e == nullptr || !e->alive) return {};
  if (!e->running_since) e->running_since = now.mono; // a runtime may say it again
  e->status.host_pid = m.host_pid;
  e->status.started_ns = m.started_ns;
  e->status.phases = m.phases;
  if (e->status.state == pod_state::starting) {
    e->status.state = pod_state::running;
    e->status.message.clear();
  }
  show_containers(*e, m.containers);
  return {status_changed{m.key}};
}

reconcile_effects reconciler_core::progress(const pod_progress& m) {
  auto* e = current(m.key, m.generation);
  if (e == nullptr || !e->alive || e->status.message == m.text) return {};
  // Why it is stopped is said already; of what runs, only a part begins again.
  if (e->status.state != pod_state::starting) return {};
  e->status.message = m.text;
  return {status_changed{m.key}};
}

reconcile_effects reconciler_core::ended(const pod_ended& m) {
  auto* e = current(m.key, m.generation);
  if (e == nullptr || !e->alive) return {};
  e->ended_told = true;
  e->final = m.final;
  e->status.last = m.how;
  e->status.host_pid = 0;
  show_containers(*e, m.containers);
  return {status_changed{m.key}};
}

/// A run ended by itself: again, later or never.
void reconciler_core::decide(entry& e, const stop_reason& why, const instant& now,
                             reconcile_effects& out) {
  const restart_history history{e.status.retries, e.running_since};
  // As kubelet: nothing of the pod has run yet, so its restart policy is not asked; and the first
  // pull after a failed one waits too.
  e.no_restart = is_of_the_host(why.cause);
  e.no_image = why.cause == stop_cause::image_pull_failed;
  auto profile = this->profile(e);
  if (e.no_restart) profile.first_at_once = false;
  const auto policy = e.final        ? restart_policy::never
                      : e.no_restart ? restart_policy::always
                                     : policy_after(e.what, why, e.status.last);
  if (why.cause == stop_cause::gave_up) {
    e.status.state = pod_state::terminal;
    e.status.message = why.text;
    out.emplace_back(status_changed{e.status.key});
    return;
  }
  const auto verdict = restart_decision(policy, why, history, profile, now.mono);
  const auto said = e.status.last->message.empty() ? to_string(why) : e.status.last->message;
  const auto* again = std::get_if<restart_after>(&verdict);
  if (again == nullptr) {
    e.status.state = pod_state::terminal;
    e.status.message = why.cls == stop_class::normal ? "completed" : said;
    out.emplace_back(status_changed{e.status.key});
    return;
  }
  if (!e.no_restart && one_too_many(e.ends, profile.give_up, now.mono)) {
    give_up(e, profile, said);
    out.emplace_back(status_changed{e.status.key});
    return;
  }
  e.status.retries = again->retries;
  e.status.state = pod_state::backing_off;
  e.status.message = (e.no_image ? "ImagePullBackOff: back-off " : "back-off ") +
                     seconds_text(again->delay) + ": " + said;
  e.status.restart_at_ns =
      now.wall_ns + std::chrono::duration_cast<std::chrono::nanoseconds>(again->delay).count();
  e.restart_at = now.mono + again->delay;
  out.emplace_back(status_changed{e.status.key});
  if (again->delay.count() > 0) {
    out.emplace_back(wake_run{e.status.key, e.generation, again->delay});
    return;
  }
  ++e.status.restarts;
  begin(e, now, out);
}

reconcile_effects reconciler_core::down(const std::string& key, std::uint64_t generation,
                                        const stop_reason& why, const instant& now) {
  reconcile_effects out;
  auto* e = current(key, generation);
  if (e == nullptr || !e->alive) return out;
  e->alive = false;
  if (hand_over_to_heir(*e, why, now, out)) return out;
  count_restarts(*e);
  e->status.host_pid = 0;
  if (!e->ended_told) {
    e->status.last = exit_of(why);
    e->status.last->started_ns = e->status.started_ns;
    e->status.last->finished_ns = now.wall_ns;
  }
  if (e->leaving) {
    forget(entries_.find(key), out);
  } else if (stopping_all_) {
    e->status.state = pod_state::terminal;
    e->status.message = "stopped";
    out.emplace_back(status_changed{key});
  } else if (e->next) {
    const auto what = *std::exchange(e->next, std::nullopt);
    if (plan_change(e->what, what) == pod_change::other) {
      set_content(*e, what, now);
      begin(*e, now, out);
    } else {
      replace_content(*e, what);
      begin_again(*e, now, out);
    }
  } else if (e->deadline_over) {
    end_by_deadline(*e, out);
  } else if (e->limits_edited) {
    begin_again(*e, now, out); // it ended before it had them: an edit of a pod that does not run
  } else {
    decide(*e, why, now, out);
  }
  if (const auto it = entries_.find(key); it != entries_.end()) show_no_run(it->second);
  return out;
}

reconcile_effects reconciler_core::due(const std::string& key, std::uint64_t generation,
                                       const instant& now) {
  reconcile_effects out;
  auto* e = current(key, generation);
  if (e == nullptr) return out;
  if (e->status.state == pod_state::stopping) overdue(*e, now, out);
  if (!stopping_all_ && is_past_deadline(*e, now)) {
    exceed_deadline(*e, now, out);
    return out;
  }
  if (stopping_all_ || e->status.state != pod_state::backing_off) return out;
  if (e->restart_at && *e->restart_at > now.mono) return out;
  if (!e->no_restart) ++e->status.restarts;
  begin(*e, now, out);
  return out;
}

result<reconcile_effects> reconciler_core::restart(const std::string& key, const instant& now) {
  const auto it = entries_.find(key);
  if (it == entries_.end() || it->second.leaving)
    return fail(errc::not_found, "restart", key, "no such pod");
  if (stopping_all_) return fail(errc::conflict, "restart", key, "all pods are being stopped");
  reconcile_effects out;
  auto& e = it->second;
  if (e.alive) {
    if (!e.next) e.next = e.what;
    halt(e, std::nullopt, now, out);
  } else {
    begin_again(e, now, out);
  }
  return out;
}

reconcile_effects reconciler_core::stop_all(std::optional<std::chrono::seconds> grace,
                                            const instant& now) {
  reconcile_effects out;
  stopping_all_ = true;
  for (auto& [key, e] : entries_) {
    e.next.reset();
    if (e.alive) {
      halt(e, grace, now, out);
    } else if (e.status.state != pod_state::terminal) {
      e.status.state = pod_state::terminal;
      e.status.restart_at_ns = 0;
      e.status.message = "stopped";
      show_no_run(e);
      out.emplace_back(status_changed{key});
    } else if (adopts_) {
      out.emplace_back(status_changed{key}); // its record goes
    }
  }
  return out;
}

std::vector<reconciler_core::live_run> reconciler_core::live_runs() const {
  std::vector<live_run> out;
  for (const auto& [key, e] : entries_)
    if (e.alive)
      out.push_back({key, e.generation, e.status.state == pod_state::stopping,
                     e.limits_edited ? std::optional{e.what} : std::nullopt});
  return out;
}

bool reconciler_core::idle() const {
  for (const auto& [key, e] : entries_)
    if (e.alive) return false;
  return true;
}

} // namespace tank

#include "pod/plan_pod.hpp"

#include "pod/container_end.hpp"

#include <algorithm>

namespace tank {

namespace {

using time_point = std::chrono::steady_clock::time_point;
using orders = std::vector<pod_order>;

constexpr std::chrono::milliseconds least_grace{2000}; // kubelet's

bool takes_requests(sandbox_state s) {
  return s == sandbox_state::starting || s == sandbox_state::up;
}

/// Its process ends with its shim.
bool is_held(container_state s) {
  return s >= container_state::creating && s <= container_state::killing;
}

/// Nothing of it is there, nor on its way.
bool is_away(container_state s) {
  return s == container_state::waiting || s == container_state::ended;
}

bool is_main(const container_view& c) {
  return c.is->kind == container_kind::main;
}

bool in_group(const pod_view& pod, run::index who) {
  return pod.group && who >= pod.group->from;
}

bool are_away(const pod_view& pod, run::index from) {
  return std::all_of(pod.containers.begin() + static_cast<std::ptrdiff_t>(from),
                     pod.containers.end(), [](const auto& c) { return is_away(c.state); });
}

/// All that stand behind it in the list are away.
bool is_last(const pod_view& pod, run::index who) {
  return are_away(pod, who + 1);
}

} // namespace

stop_terms stop_terms_of(std::chrono::seconds grace, time_point now) {
  return {now + grace, std::min<std::chrono::milliseconds>(grace, least_grace)};
}

// --- stops ---------------------------------------------------------------------------------------

namespace {

/// The next step of a stop of one container. Without `hook` its preStop waits for its turn too.
void stop_one(const pod_view& pod, run::index who, stop_terms terms, bool its_turn, bool hook,
              time_point now, orders& out) {
  const auto& c = pod.containers[who];
  if (c.leaving && c.leaving->by < terms.by) terms = *c.leaving;
  const bool runs = c.state == container_state::running;
  if (!runs && c.state != container_state::stopping) {
    const bool obeys = c.state == container_state::abandoning ||
                       c.state == container_state::killing || c.state == container_state::ended;
    if (!obeys) out.emplace_back(order::stop{who, terms});
    return;
  }
  const bool in_time = terms.by > now;
  if (runs && in_time) {
    const bool wants_hook = c.is->pre_stop && c.pre_stop == hook_state::idle;
    if (wants_hook && (its_turn || hook)) {
      out.emplace_back(order::call_pre_stop{who, terms});
      return;
    }
    if (c.pre_stop == hook_state::runs || wants_hook || !its_turn) return;
  }
  if (!c.told || *c.told != terms) out.emplace_back(order::stop{who, terms});
}

/// Whether the container's stop signal is due, in a run that ends.
bool has_its_turn(const pod_view& pod, run::index who) {
  if (pod.strategy != restart_strategy::one_for_one) return is_last(pod, who);
  if (pod.containers[who].is->kind != container_kind::sidecar) return true;
  for (run::index i = 0; i < pod.containers.size(); ++i) {
    const bool waits_for = i > who || pod.containers[i].is->kind != container_kind::sidecar;
    if (i != who && waits_for && !is_away(pod.containers[i].state)) return false;
  }
  return true;
}

orders plan_end(const pod_view& pod, time_point now) {
  orders out;
  if (pod.sandbox == sandbox_state::adopting) return out; // how, what its shim tells decides
  bool all_ended = true;
  const bool at_once = pod.strategy == restart_strategy::one_for_one;
  for (run::index i = 0; i < pod.containers.size(); ++i) {
    const auto state = pod.containers[i].state;
    all_ended = all_ended && state == container_state::ended;
    if (is_held(state) && !takes_requests(pod.sandbox)) continue; // its shim was told to go
    stop_one(pod, i, *pod.stop, has_its_turn(pod, i), at_once, now, out);
  }
  const bool open = pod.sandbox == sandbox_state::idle || pod.sandbox == sandbox_state::preparing ||
                    takes_requests(pod.sandbox);
  if (all_ended && open) out.emplace_back(order::close_sandbox{});
  return out;
}

/// As OTP's temporary children, unless it was stopped before it ran.
bool stays_ended(const group_view& group, const container_view& c) {
  if (group.all || !is_main(c) || c.is->policy.policy != restart_policy::never) return false;
  return c.done || !c.end->stopped || c.end->started_ns != 0;
}

/// Of a group that ends to begin anew.
orders plan_group(const pod_view& pod, time_point now) {
  orders out;
  if (!pod.group) return out;
  const auto& g = *pod.group;
  bool all_away = true;
  for (run::index i = g.from; i < pod.containers.size(); ++i) {
    const auto& c = pod.containers[i];
    if (c.state == container_state::ended && !stays_ended(g, c)) {
      out.emplace_back(order::put_back{i});
    } else if (c.state == container_state::ended && !c.done) {
      out.emplace_back(order::leave_ended{i});
    } else if (!is_away(c.state)) {
      all_away = false;
      if (is_held(c.state) && !takes_requests(pod.sandbox)) continue;
      stop_one(pod, i, g.stop, g.all || is_last(pod, i), g.all, now, out);
    }
  }
  if (out.empty() && all_away && g.due <= now) out.emplace_back(order::end_group{});
  return out;
}

/// Containers that are to end for a failure of their own.
orders plan_leaving(const pod_view& pod, time_point now) {
  orders out;
  if (!takes_requests(pod.sandbox)) return out;
  for (run::index i = 0; i < pod.containers.size(); ++i)
    if (pod.containers[i].leaving && !in_group(pod, i) && is_held(pod.containers[i].state))
      stop_one(pod, i, *pod.containers[i].leaving, true, true, now, out);
  return out;
}

// --- ends ----------------------------------------------------------------------------------------

std::optional<order::end_run> over_with_sandbox(const pod_view& pod) {
  if (pod.sandbox_failed) return order::end_run{run_over::sandbox_failed, 0};
  const bool touched = std::any_of(pod.containers.begin(), pod.containers.end(),
                                   [](const auto& c) { return c.touched; });
  if (pod.sandbox_lost && touched) return order::end_run{run_over::sandbox_lost, 0};
  return std::nullopt;
}

/// It takes others with it; or that happens too often.
pod_order take_others(const pod_view& pod, run::index who, bool all, time_point now) {
  const auto verdict = restart_decision(restart_policy::always, {}, pod.history, pod.profile, now);
  const auto& again = std::get<restart_after>(verdict);
  auto ends = pod.ends;
  if (one_too_many(ends, pod.profile.give_up, now)) return order::end_run{run_over::gave_up, who};
  group_view g;
  g.from = all || pod.strategy == restart_strategy::one_for_all ? 0 : who;
  g.all = all;
  g.stop = stop_terms_of(all ? std::chrono::seconds{0} : pod.grace, now);
  g.due = now + again.delay;
  if (pod.group) { // another one ended in front of those that are ending
    g.from = std::min(g.from, pod.group->from);
    g.all = g.all || pod.group->all;
    // One grace for those that are stopped together; who waits for its turn is stopped already.
    if (!all && !are_away(pod, pod.group->from)) g.stop = pod.group->stop;
  }
  return order::begin_group{who, g, again.delay, again.retries, std::move(ends)};
}

/// What becomes of a container that ended.
pod_order judge(const pod_view& pod, run::index who, time_point now) {
  const auto& c = pod.containers[who];
  const auto why = reason_of(*c.end);
  const bool no_image =
      c.end->how == run::outcome::image_failed || why.cause == stop_cause::host_shortage;
  auto profile = pod.profile;
  // As kubelet: nothing has run yet, so the restart policy is not asked; and the first pull after a
  // failed one waits too.
  if (no_image) profile.first_at_once = false;
  const auto after =
      no_image ? after_end::again : decide_after(c.is->policy, why, exit_code_of(*c.end));
  if (after == after_end::stay) {
    if (c.is->kind == container_kind::init && why.cls != stop_class::normal)
      return order::end_run{run_over::init_failed, who};
    if (c.is->significant) return order::end_run{run_over::significant, who};
    return order::leave_ended{who};
  }
  const bool on_the_way_up = c.is->kind == container_kind::init;
  if (after == after_end::all_again) return take_others(pod, who, true, now);
  if (pod.strategy != restart_strategy::one_for_one && !no_image && !on_the_way_up)
    return take_others(pod, who, false, now);
  const auto verdict = restart_decision(restart_policy::always, why, c.history, profile, now);
  const auto& again = std::get<restart_after>(verdict);
  auto ends = c.ends;
  if (!no_image && one_too_many(ends, profile.give_up, now))
    return order::end_run{run_over::gave_up, who};
  return order::run_again{who, again.delay, again.retries, !no_image, std::move(ends)};
}

/// The ends since the last look, one order each; or the one that counts for all.
orders plan_restarts(const pod_view& pod, time_point now) {
  orders out;
  bool all_done = true;
  for (run::index i = 0; i < pod.containers.size(); ++i) {
    const auto& c = pod.containers[i];
    if (is_main(c)) all_done = all_done && c.done && !in_group(pod, i);
    if (c.state == container_state::ended && c.stuck) return {order::end_run{run_over::stuck, i}};
    if (c.done || c.state != container_state::ended || in_group(pod, i)) continue;
    if (pod.rebuild_whole) return {order::end_run{run_over::container, i}};
    auto verdict = judge(pod, i, now);
    if (std::holds_alternative<order::end_run>(verdict) ||
        std::holds_alternative<order::begin_group>(verdict))
      return {std::move(verdict)};
    out.push_back(std::move(verdict));
  }
  if (all_done) return {order::end_run{run_over::all_done, 0}};
  return out;
}

// --- the way up ----------------------------------------------------------------------------------

orders plan_starts(const pod_view& pod, time_point now) {
  orders out;
  std::vector<run::index> found;
  const bool reachable = takes_requests(pod.sandbox);
  bool all_passed = true;  // of the steps before
  bool initialised = true; // the same without main containers
  for (run::index i = 0; i < pod.containers.size(); ++i) {
    const auto& c = pod.containers[i];
    const bool may_begin = initialised && !in_group(pod, i) && !c.done;
    if (c.state == container_state::waiting && may_begin && (!c.due || *c.due <= now))
      out.emplace_back(order::begin{i});
    if (c.state == container_state::found && !c.lacks_data) found.push_back(i);
    if (c.state == container_state::prepared && reachable) out.emplace_back(order::create{i});
    if (c.state == container_state::built && reachable && all_passed)
      out.emplace_back(order::release{i});
    // A main container that misses a document keeps nobody waiting, as with kubelet.
    const bool stands_aside = is_main(c) && c.state == container_state::found && c.lacks_data;
    all_passed = all_passed && (c.passed || stands_aside);
    if (!is_main(c)) initialised = all_passed;
  }
  if (found.empty()) return out;
  if (pod.sandbox == sandbox_state::idle)
    out.emplace_back(order::open_sandbox{std::move(found)});
  else if (reachable)
    out.emplace_back(order::prepare{std::move(found)});
  return out;
}

} // namespace

std::vector<pod_order> plan_pod(const pod_view& pod, time_point now) {
  if (pod.stop) return plan_end(pod, now);
  if (const auto over = over_with_sandbox(pod)) return {*over};
  if (auto ends = plan_restarts(pod, now); !ends.empty()) return ends;
  if (pod.sandbox != sandbox_state::adopting) {
    if (auto steps = plan_group(pod, now); !steps.empty()) return steps;
    if (auto steps = plan_leaving(pod, now); !steps.empty()) return steps;
  }
  return plan_starts(pod, now);
}

std::optional<time_point> look_again(const pod_view& pod, time_point now) {
  std::optional<time_point> next;
  const auto at = [&](time_point t) {
    if (t > now && (!next || t < *next)) next = t;
  };
  if (pod.sandbox == sandbox_state::adopting) return next;
  if (pod.group && !pod.stop) at(pod.group->due);
  for (run::index i = 0; i < pod.containers.size(); ++i) {
    const auto& c = pod.containers[i];
    if (c.state != container_state::running || !takes_requests(pod.sandbox)) continue;
    // a hook of it may take too long, or others before whom it must not go
    if (c.leaving) at(c.leaving->by);
    if (pod.stop)
      at(pod.stop->by);
    else if (in_group(pod, i))
      at(pod.group->stop.by);
  }
  return next;
}

} // namespace tank

#include "actors/supervision/supervisor_core.hpp"

#include "actors/supervision/stop_reason.hpp"

#include <utility>

namespace tank {

namespace {

failure refuse(errc code, const char* verb, const std::string& id, const char* cause) {
  return fail(code, verb, id, cause);
}

bool is_quiet(const stop_reason& why) {
  return why.cls != stop_class::abnormal;
}

error gone() {
  return {errc::unavailable, 0, "ask", "supervisor", "it has ended", {}};
}

} // namespace

supervisor_core::supervisor_core(supervisor_flags flags, std::vector<child_spec> specs,
                                 supervisor_port& port)
    : flags_(flags)
    , initial_(std::move(specs))
    , port_(port) {
  if (flags_.strategy == supervision::dynamic) {
    template_ = std::move(initial_.at(0));
    initial_.clear();
  }
}

void supervisor_core::begin() {
  for (auto& spec : initial_)
    add(std::move(spec));
  initial_.clear();
  if (!start_all(0, true))
    shut_down({stop_class::abnormal, stop_cause::start_failed, 0, start_failure_});
}

// --- the mailbox ---------------------------------------------------------------------------------

void supervisor_core::when_free(std::function<void()> run, std::function<void()> drop) {
  if (finished_) return drop();
  queue_.push_back({std::move(run), std::move(drop)});
  drain();
}

template <class T, class Do>
void supervisor_core::request(reply_to<T> reply, Do act) {
  when_free([reply, act = std::move(act)] { act(reply); }, [reply] { reply(failure{gone()}); });
}

void supervisor_core::drain() {
  if (draining_) return;
  draining_ = true;
  while (!queue_.empty() && (finished_ || !ending_)) {
    auto next = std::move(queue_.front());
    queue_.pop_front();
    finished_ ? next.drop() : next.run();
  }
  draining_ = false;
}

void supervisor_core::abandon() {
  finished_ = true;
  if (ending_ && ending_->drop) ending_->drop();
  ending_.reset();
  drain();
}

// --- the table of children -----------------------------------------------------------------------

supervisor_core::key supervisor_core::add(child_spec spec) {
  const key k = ++last_key_;
  if (flags_.strategy != supervision::dynamic) by_id_[spec.id] = k;
  children_[k].spec = std::move(spec);
  return k;
}

supervisor_core::key supervisor_core::key_of(const std::string& id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? 0 : it->second;
}

void supervisor_core::erase(key k) {
  const auto it = children_.find(k);
  unbind(it->second);
  clear_restarting(it->second);
  if (flags_.strategy != supervision::dynamic) by_id_.erase(it->second.spec.id);
  children_.erase(it);
}

void supervisor_core::bind(key k, child_ref ref) {
  auto& c = children_.at(k);
  clear_restarting(c);
  c.ref = ref;
  if (ref != 0) by_ref_[ref] = k;
  // it never starts again: what its start function holds may be large
  if (c.spec.restart == child_restart::temporary) c.spec.start = nullptr;
}

void supervisor_core::unbind(child& c) {
  by_ref_.erase(c.ref);
  c.ref = 0;
}

/// Of a dynamic child the handle of its last incarnation is the only name it has.
void supervisor_core::set_restarting(key k, child_ref last_ref) {
  auto& c = children_.at(k);
  c.restarting = true;
  if (flags_.strategy != supervision::dynamic || last_ref == 0) return;
  c.last_ref = last_ref;
  by_last_ref_[last_ref] = k;
}

void supervisor_core::clear_restarting(child& c) {
  by_last_ref_.erase(c.last_ref);
  c.last_ref = 0;
  c.restarting = false;
}

/// OTP's del_child: what is left of a child that ended for good.
void supervisor_core::give_up_child(key k) {
  auto& c = children_.at(k);
  unbind(c);
  clear_restarting(c);
  if (c.spec.restart == child_restart::temporary || flags_.strategy == supervision::dynamic)
    erase(k);
}

result<child_ref> supervisor_core::start_new(child_spec spec) {
  const auto outcome = port_.start(spec.start);
  if (outcome.failed) return failure{*outcome.failed};
  const bool forgotten = outcome.ref == 0 && (spec.restart == child_restart::temporary ||
                                              flags_.strategy == supervision::dynamic);
  if (!forgotten) bind(add(std::move(spec)), outcome.ref);
  return outcome.ref;
}

/// Starts, left to right, every child from `first` on. False: one failed; what follows it was not
/// started. Except at the very beginning that one will be tried again.
bool supervisor_core::start_all(key first, bool initial) {
  for (auto it = children_.lower_bound(first); it != children_.end();) {
    auto& [k, c] = *it++;
    const auto outcome = port_.start(c.spec.start);
    if (outcome.failed) {
      start_failure_ = "cannot start child '" + c.spec.id + "': " + outcome.failed->message();
      report(supervisor_report::what::start_failed, c, outcome.failed->message());
      if (initial) return false;
      set_restarting(k, 0);
      port_.retry(k);
      return false;
    }
    bind(k, outcome.ref);
    if (outcome.ref == 0 && c.spec.restart == child_restart::temporary) erase(k);
  }
  return true;
}

// --- ends and restarts ---------------------------------------------------------------------------

void supervisor_core::child_down(child_ref ref, const stop_reason& why) {
  const auto it = by_ref_.find(ref);
  if (it == by_ref_.end()) return;
  auto& c = children_.at(it->second);
  const bool its_turn = ending_ && (ending_->together || ending_->left.back() == it->second);
  if (!c.awaited || !its_turn) {
    waiting_ends_.emplace(ref, why);
    if (!c.awaited) when_free([this, ref, why] { on_down(ref, why); }, [] {});
    return;
  }
  note_end(c, why);
  unbind(c);
  advance();
  drain();
}

void supervisor_core::on_down(child_ref ref, const stop_reason& why) {
  waiting_ends_.erase(ref);
  const auto it = by_ref_.find(ref);
  if (it == by_ref_.end()) return; // stopped meanwhile
  const key k = it->second;
  auto& c = children_.at(k);
  unbind(c);
  const auto kind = c.spec.restart;
  if (kind != child_restart::permanent && is_quiet(why)) {
    const bool significant = c.spec.significant;
    give_up_child(k);
    return auto_shutdown_after(significant);
  }
  report(supervisor_report::what::child_terminated, c, to_string(why));
  if (kind != child_restart::temporary) return restart(k, ref);
  const bool significant = c.spec.significant;
  give_up_child(k);
  auto_shutdown_after(significant);
}

void supervisor_core::auto_shutdown_after(bool significant) {
  if (!significant || flags_.when_significant == auto_shutdown::never) return;
  if (flags_.when_significant == auto_shutdown::all_significant)
    for (const auto& [k, c] : children_)
      if (c.spec.significant && (c.ref != 0 || c.restarting)) return;
  shut_down(stop_shutdown());
}

bool supervisor_core::add_restart() {
  const auto t = port_.now();
  restarts_.push_back(t);
  // a restart exactly one period ago still counts
  while (restarts_.front() + flags_.period < t)
    restarts_.pop_front();
  return restarts_.size() <= flags_.intensity;
}

void supervisor_core::restart(key k, child_ref ended) {
  if (!add_restart()) {
    report(supervisor_report::what::too_many_restarts, children_.at(k),
           "reached_max_restart_intensity");
    give_up_child(k);
    return shut_down(stop_shutdown());
  }
  switch (flags_.strategy) {
  case supervision::one_for_one:
  case supervision::dynamic:
    return restart_one(k, ended);
  case supervision::one_for_all:
    return restart_from(k, 0);
  case supervision::rest_for_one:
    return restart_from(k, k);
  }
}

void supervisor_core::restart_one(key k, child_ref ended) {
  auto& c = children_.at(k);
  const auto outcome = port_.start(c.spec.start);
  if (outcome.failed) {
    report(supervisor_report::what::start_failed, c, outcome.failed->message());
    set_restarting(k, ended);
    // back to the mailbox first: requests must get through between failing starts
    return port_.retry(k);
  }
  bind(k, outcome.ref);
  if (outcome.ref == 0 && flags_.strategy == supervision::dynamic) erase(k);
}

/// Stops every child from `first` on, right to left, then starts them all again. Also those that
/// had ended for good; temporary ones are gone with their end.
void supervisor_core::restart_from(key k, key first) {
  clear_restarting(children_.at(k));
  std::vector<key> order;
  for (auto it = children_.rbegin(); it != children_.rend() && it->first >= first; ++it)
    order.push_back(it->first);
  terminate(std::move(order), [this, first] { start_all(first, false); });
}

void supervisor_core::try_again(std::uint64_t k) {
  when_free(
      [this, k] {
        const auto it = children_.find(k);
        if (it != children_.end() && it->second.restarting) restart(k, it->second.last_ref);
      },
      [] {});
}

// --- stopping ------------------------------------------------------------------------------------

void supervisor_core::exit(const stop_reason& why) {
  when_free([this, why] { shut_down(why); }, [] {});
}

void supervisor_core::shut_down(const stop_reason& why) {
  auto finish = [this, why] {
    finished_ = true;
    port_.finished(why);
  };
  if (flags_.strategy == supervision::dynamic) return terminate_together(std::move(finish));
  std::vector<key> order;
  for (auto it = children_.rbegin(); it != children_.rend(); ++it)
    order.push_back(it->first);
  terminate(std::move(order), std::move(finish));
}

/// One after the other, in this order; each one's end is waited for.
void supervisor_core::terminate(std::vector<key> stop_order, std::function<void()> then,
                                std::function<void()> drop) {
  for (const auto k : stop_order)
    children_.at(k).awaited = true;
  ending_ = termination{
      {stop_order.rbegin(), stop_order.rend()}, false, 0, false, std::move(then), std::move(drop)};
  advance();
}

/// A dynamic supervisor's children know no order: all at once, with one clock.
void supervisor_core::terminate_together(std::function<void()> then) {
  termination t;
  t.together = true;
  t.then = std::move(then);
  for (auto& [k, c] : children_) {
    take_waiting_end(c);
    t.left.push_back(k);
    c.awaited = true;
  }
  const auto limit = template_.shutdown.limit;
  t.killed = limit == std::chrono::milliseconds{0};
  ending_ = std::move(t);
  for (auto& [k, c] : children_)
    if (c.ref != 0)
      limit == std::chrono::milliseconds{0} ? port_.kill(c.ref) : port_.signal_shutdown(c.ref);
  if (limit && limit->count() > 0) {
    ending_->token = ++last_token_;
    port_.arm(ending_->token, *limit);
  }
  advance();
}

void supervisor_core::advance() {
  if (advancing_) return;
  advancing_ = true;
  while (ending_ && !ending_->left.empty()) {
    auto& t = *ending_;
    const key k = t.left.back();
    auto& c = children_.at(k);
    take_waiting_end(c);
    if (c.ref != 0) {
      if (!t.together && t.token == 0) signal(c);
      break;
    }
    t.left.pop_back();
    if (!t.together) t.token = 0;
    after_stop(k);
  }
  advancing_ = false;
  if (!ending_ || !ending_->left.empty()) return;
  const auto then = std::move(ending_->then);
  ending_.reset();
  then();
  drain();
}

/// A child whose turn to be stopped it is may have ended already; nothing else will ever be heard
/// of it.
void supervisor_core::take_waiting_end(child& c) {
  const auto it = waiting_ends_.find(c.ref);
  if (it == waiting_ends_.end()) return;
  note_end(c, it->second);
  waiting_ends_.erase(it);
  unbind(c);
}

void supervisor_core::signal(child& c) {
  auto& t = *ending_;
  t.token = ++last_token_;
  t.killed = c.spec.shutdown.limit == std::chrono::milliseconds{0};
  if (t.killed) return port_.kill(c.ref);
  port_.signal_shutdown(c.ref);
  if (c.spec.shutdown.limit) port_.arm(t.token, *c.spec.shutdown.limit);
}

void supervisor_core::timed_out(std::uint64_t token) {
  if (!ending_ || ending_->token != token || ending_->killed) return;
  ending_->killed = true;
  if (!ending_->together) return port_.kill(children_.at(ending_->left.back()).ref);
  for (const auto k : ending_->left)
    if (const auto ref = children_.at(k).ref; ref != 0) port_.kill(ref);
}

void supervisor_core::after_stop(key k) {
  auto& c = children_.at(k);
  clear_restarting(c);
  c.awaited = false;
  if (c.spec.restart == child_restart::temporary || flags_.strategy == supervision::dynamic)
    erase(k);
}

/// A child that was stopped: only an end other than the one asked for is worth a report. A
/// permanent child is expected to end as told, the others may also end on their own terms.
void supervisor_core::note_end(const child& c, const stop_reason& why) {
  const bool brutal = c.spec.shutdown.limit == std::chrono::milliseconds{0};
  const auto asked = brutal ? why.cause == stop_cause::killed : why == stop_shutdown();
  if (asked || (is_quiet(why) && c.spec.restart != child_restart::permanent)) return;
  report(supervisor_report::what::shutdown_failed, c, to_string(why));
}

void supervisor_core::report(supervisor_report::what kind, const child& c, std::string reason) {
  port_.report({kind, c.spec.id, std::move(reason)});
}

// --- requests ------------------------------------------------------------------------------------

void supervisor_core::start_child(child_spec spec, reply_to<child_ref> reply) {
  request<child_ref>(std::move(reply), [this, spec = std::move(spec)](const auto& answer) {
    if (flags_.strategy == supervision::dynamic) {
      auto made = template_;
      if (spec.start) made.start = spec.start;
      if (!made.start)
        return answer(refuse(errc::invalid, "start child", made.id, "no start function"));
      return answer(start_new(std::move(made)));
    }
    if (auto ok = check_child(flags_, spec); !ok) return answer(failure{ok.error()});
    if (const key k = key_of(spec.id); k != 0) {
      const auto& c = children_.at(k);
      return answer(refuse(errc::exists, "start child", spec.id,
                           c.ref != 0 ? "already started" : "already present"));
    }
    answer(start_new(spec));
  });
}

void supervisor_core::terminate_child(const std::string& id, reply_to<void> reply) {
  request<void>(std::move(reply), [this, id](const auto& answer) {
    if (flags_.strategy == supervision::dynamic)
      return answer(
          refuse(errc::unsupported, "terminate child", id, "dynamic children have no id"));
    const key k = key_of(id);
    if (k == 0) return answer(refuse(errc::not_found, "terminate child", id, "not found"));
    terminate(
        {k}, [answer] { answer({}); }, [answer] { answer(failure{gone()}); });
  });
}

void supervisor_core::terminate_dynamic(child_ref ref, std::function<bool()> ended,
                                        reply_to<void> reply) {
  request<void>(std::move(reply), [this, ref, ended = std::move(ended)](const auto& answer) {
    if (flags_.strategy != supervision::dynamic)
      return answer(refuse(errc::not_found, "terminate child", "actor", "children have ids here"));
    const auto alive = by_ref_.find(ref);
    const auto restarting = by_last_ref_.find(ref);
    if (alive == by_ref_.end() && restarting == by_last_ref_.end())
      return ended() ? answer({})
                     : answer(refuse(errc::not_found, "terminate child", "actor", "not found"));
    terminate(
        {alive != by_ref_.end() ? alive->second : restarting->second}, [answer] { answer({}); },
        [answer] { answer(failure{gone()}); });
  });
}

void supervisor_core::restart_child(const std::string& id, reply_to<child_ref> reply) {
  request<child_ref>(std::move(reply), [this, id](const auto& answer) {
    const auto k = idle_child("restart child", id);
    if (!k) return answer(failure{k.error()});
    const auto outcome = port_.start(children_.at(*k).spec.start);
    if (outcome.failed) return answer(failure{*outcome.failed});
    bind(*k, outcome.ref);
    answer(outcome.ref);
  });
}

void supervisor_core::delete_child(const std::string& id, reply_to<void> reply) {
  request<void>(std::move(reply), [this, id](const auto& answer) {
    const auto k = idle_child("delete child", id);
    if (!k) return answer(failure{k.error()});
    erase(*k);
    answer({});
  });
}

/// The child of that id, when it neither runs nor restarts.
result<supervisor_core::key> supervisor_core::idle_child(const char* verb,
                                                         const std::string& id) const {
  if (flags_.strategy == supervision::dynamic)
    return refuse(errc::unsupported, verb, id, "dynamic children have no id");
  const key k = key_of(id);
  if (k == 0) return refuse(errc::not_found, verb, id, "not found");
  const auto& c = children_.at(k);
  if (c.restarting) return refuse(errc::conflict, verb, id, "restarting");
  if (c.ref != 0) return refuse(errc::conflict, verb, id, "running");
  return k;
}

void supervisor_core::which_children(reply_to<std::vector<child_row>> reply) {
  request<std::vector<child_row>>(std::move(reply), [this](const auto& answer) {
    std::vector<child_row> out;
    for (auto it = children_.rbegin(); it != children_.rend(); ++it) {
      const auto& c = it->second;
      const auto state = c.ref != 0     ? child_state::running
                         : c.restarting ? child_state::restarting
                                        : child_state::undefined;
      out.push_back({c.spec.id, c.ref, state, c.spec.type});
    }
    answer(std::move(out));
  });
}

void supervisor_core::count_children(reply_to<child_counts> reply) {
  request<child_counts>(std::move(reply), [this](const auto& answer) {
    child_counts n;
    n.specs = flags_.strategy == supervision::dynamic ? 1 : children_.size();
    for (const auto& [k, c] : children_) {
      n.active += c.ref != 0 ? 1 : 0;
      ++(c.spec.type == child_type::supervisor ? n.supervisors : n.workers);
    }
    answer(n);
  });
}

} // namespace tank

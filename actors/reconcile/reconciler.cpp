#include "actors/reconcile/reconciler.hpp"

#include "actors/reconcile/messages.hpp"
#include "actors/role.hpp"
#include "actors/runtime/messages.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "pod/reconciler_core.hpp"
#include "pod/restart_on.hpp"

#include <algorithm>

#include <ctime>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tank {

// --- what it tells itself ---

struct runtime_down {
  std::string key;
  std::uint64_t generation = 0;
  stop_reason why;
  bool operator==(const runtime_down&) const = default;
};
struct restart_due {
  std::string key;
  std::uint64_t generation = 0;
  bool operator==(const restart_due&) const = default;
};
struct resync_due {
  bool operator==(const resync_due&) const = default;
};
struct pass_due {
  bool operator==(const pass_due&) const = default;
};
struct watcher_down {
  caf::actor_addr who;
  bool operator==(const watcher_down&) const = default;
};

} // namespace tank

#define TANK_RECONCILER_MESSAGES(M, O, b)                                                          \
  M(b, runtime_down, key, generation, why)                                                         \
  M(b, restart_due, key, generation)                                                               \
  M(b, resync_due)                                                                                 \
  M(b, pass_due)                                                                                   \
  M(b, watcher_down, who)
TANK_PRIVATE_MESSAGES(tank_reconciler, ::tank::compat::roles::reconcile, TANK_RECONCILER_MESSAGES);

namespace tank {

struct reconciler_memory::state {
  state(const backoff_profile& backoff, std::shared_ptr<pod_records> kept,
        std::vector<pod_record> left)
      : core(backoff, kept != nullptr)
      , records(std::move(kept))
      , restored(std::move(left)) {}
  reconciler_core core;
  std::shared_ptr<pod_records> records;         ///< null: nothing is kept
  std::vector<pod_record> restored;             ///< not taken over yet
  std::map<std::uint64_t, caf::actor> runtimes; ///< alive, by generation
  std::map<caf::actor_addr, caf::actor> watchers;
  std::shared_ptr<const documents> data; ///< null: nobody has said yet
};

reconciler_memory::reconciler_memory(const backoff_profile& backoff)
    : reconciler_memory{backoff, nullptr, {}} {}

reconciler_memory::reconciler_memory(const backoff_profile& backoff,
                                     std::shared_ptr<pod_records> records,
                                     std::vector<pod_record> restored)
    : state_{std::make_unique<state>(backoff, std::move(records), std::move(restored))} {}

reconciler_memory::~reconciler_memory() {
  end_runtimes();
}

std::vector<caf::actor> reconciler_memory::end_runtimes() {
  std::vector<caf::actor> told;
  // Told, not only dropped: a pending timer would keep a runtime for its time.
  for (const auto& [generation, runtime] : std::exchange(state_->runtimes, {})) {
    compat::send_exit(runtime, caf::make_error(caf::exit_reason::user_shutdown));
    told.push_back(runtime);
  }
  state_->watchers.clear();
  return told;
}

class reconciler : public role {
 public:
  reconciler(caf::actor_config& cfg, reconciler_options options)
      : role(cfg)
      , options_(std::move(options))
      , log_(log_or_none(options_.logger)) {
    if (!options_.wall_clock) options_.wall_clock = system_wall_clock;
    if (!options_.memory) options_.memory = std::make_shared<reconciler_memory>(options_.backoff);
    memory_ = options_.memory->state_.get();
  }

  const char* name() const override { return "tank.reconciler"; }

  caf::behavior make_behavior() override {
    take_over();
    carry_out(memory_->core.restore(std::exchange(memory_->restored, {}), at()));
    compat::send_after(this, self(), options_.resync, resync_due{});
    return {
        [this](const desired_state& m) {
          on_data(m.data);
          memory_->core.set_desired(m);
          nudge();
        },
        [this](const pod_running& m) { carry_out(memory_->core.running(m, at())); },
        [this](const pod_progress& m) { carry_out(memory_->core.progress(m)); },
        [this](const containers_changed& m) { carry_out(memory_->core.containers(m)); },
        [this](const pod_ended& m) { carry_out(memory_->core.ended(m)); },
        [this](const limits_changed& m) { on_limits_changed(m); },
        [this](const runtime_down& m) { on_down(m); },
        [this](const restart_due& m) { carry_out(memory_->core.due(m.key, m.generation, at())); },
        [this](const pass_due&) {
          pass_pending_ = false;
          count_pass();
          pass();
        },
        [this](const resync_due&) {
          pass();
          compat::send_after(this, self(), options_.resync, resync_due{});
        },
        [this](const list_pods&) { return pod_list{memory_->core.list()}; },
        [this](const get_pod& m) { return answer_status("get", m.key); },
        [this](const restart_pod& m) -> caf::result<pod_status> {
          auto effects = memory_->core.restart(m.key, at());
          if (!effects) return to_error(effects.error());
          carry_out(*effects);
          return answer_status("restart", m.key);
        },
        [this](const sync_pods&) {
          pass();
          return pods_synced{};
        },
        [this](const stop_all_pods& m) { return on_stop_all(m); },
        [this](const watch_pods& m) { on_watch(m.to); },
        [this](const watcher_down& m) { memory_->watchers.erase(m.who); },
    };
  }

  void on_exit() override {
    // an undelivered promise would keep this actor alive for ever
    for (auto& waiting : std::exchange(stop_waiters_, {}))
      waiting.deliver(to_error(error{
          errc::unavailable, 0, "stop", "all pods", "the reconciler ended before the pods", {}}));
    memory_ = nullptr;
    options_.memory.reset();
    options_.start_runtime = nullptr; // a timer may keep this object for longer
  }

 private:
  [[nodiscard]] instant at() const { return {now(), options_.wall_clock()}; }

  /// A change acts at once, as long as changes come no faster than one in `nudge` on average; after
  /// a burst of them the next share one pass. (A leaky bucket: `bucket_empty_at_` is its level.)
  void nudge() {
    if (pass_pending_) return;
    const auto level = bucket_empty_at_ - now();
    const auto room = options_.nudge * (options_.nudge_burst - 1);
    if (level > room) {
      pass_pending_ = true;
      compat::send_after(this, self(), level - room, pass_due{});
      return;
    }
    count_pass();
    pass();
  }

  /// Resyncs do not count: they must not delay a change.
  void count_pass() { bucket_empty_at_ = std::max(bucket_empty_at_, now()) + options_.nudge; }

  /// What a predecessor left. A runtime that ended meanwhile says so at once.
  void take_over() {
    for (const auto& run : memory_->core.live_runs()) {
      const auto it = memory_->runtimes.find(run.generation);
      if (it == memory_->runtimes.end()) {
        // decided, and failed before it was done
        compat::send(
            this, self(),
            runtime_down{run.key,
                         run.generation,
                         {stop_class::abnormal,
                          memory_->records ? stop_cause::unreachable : stop_cause::bring_up_failed,
                          0, "never started"}});
        continue;
      }
      watch_runtime(it->second, run.key, run.generation);
      compat::send(this, it->second, own_runtime{self()});
      if (run.change) compat::send(this, it->second, change_limits{*run.change});
      if (run.stopping) compat::send(this, it->second, stop_pod{});
    }
    for (const auto& [addr, to] : memory_->watchers) {
      watch_watcher(to);
      for (auto& status : memory_->core.list())
        compat::send(this, to, pod_changed{std::move(status)});
    }
  }

  void watch_runtime(const caf::actor& runtime, const std::string& key, std::uint64_t generation) {
    compat::watch(runtime, self(), [key, generation](const caf::error& why) {
      return runtime_down{key, generation, classify(why)};
    });
  }

  void watch_watcher(const caf::actor& to) {
    compat::watch(to, self(),
                  [addr = to.address()](const caf::error&) { return watcher_down{addr}; });
  }

  void pass() { carry_out(memory_->core.pass(at())); }

  /// Kept first: a daemon that is killed in between must find what it was about to do.
  void keep(const reconcile_effects& effects) {
    std::set<std::string_view> keys;
    for (const auto& e : effects)
      keys.insert(std::visit([](const auto& effect) { return std::string_view{effect.key}; }, e));
    for (const auto key : keys) {
      const std::string name{key};
      auto record = memory_->core.record(name);
      const auto kept =
          record ? memory_->records->keep(*std::move(record)) : memory_->records->forget(name);
      if (!kept)
        log_->error("event=record_failed pod={} error={}", name, in_quotes(kept.error().message()));
    }
  }

  void carry_out(const reconcile_effects& effects) {
    if (memory_->records) keep(effects);
    for (const auto& e : effects)
      std::visit([this](const auto& effect) { carry_out(effect); }, e);
  }

  void carry_out(const start_run& e) {
    runtime_args args{e.key,  e.generation, e.what, memory_->data,   e.restarts,
                      self(), e.run,        {},     e.limits_edited, e.has_heir};
    if (e.adopt && memory_->records) args.adopt = memory_->records->run(e.key, e.run);
    auto runtime = options_.start_runtime(system(), std::move(args));
    if (!runtime) {
      compat::send(this, self(),
                   runtime_down{e.key,
                                e.generation,
                                {stop_class::abnormal, stop_cause::bring_up_failed, 0,
                                 "cannot start a runtime"}});
      return;
    }
    watch_runtime(runtime, e.key, e.generation);
    memory_->runtimes[e.generation] = std::move(runtime);
  }

  /// All hear of all: what concerns a pod, its runtime knows.
  void on_data(const std::shared_ptr<const documents>& data) {
    if (!data || data == memory_->data) return;
    const auto before = std::exchange(memory_->data, data);
    for (const auto& [generation, runtime] : memory_->runtimes)
      compat::send(this, runtime, data_changed{data});
    if (before) restart_for(changed_documents(*before, *data), *before);
  }

  /// A pod that is starting may be waiting for a document that was not there: it goes on by itself.
  void restart_for(const std::set<document_id>& changed, const documents& before) {
    auto edited = changed;
    std::erase_if(edited, [&](const auto& id) { return !before.all.contains(id); });
    for (const auto& pod : memory_->core.list()) {
      const bool alive = pod.state == pod_state::starting || pod.state == pod_state::running ||
                         pod.state == pod_state::backing_off;
      const auto& news = pod.state == pod_state::starting ? edited : changed;
      if (!alive || !pod.pod || !restarts_on(*pod.pod, news)) continue;
      log_->info("event=restarted pod={} what=\"a document it names has changed\"", pod.key);
      if (const auto effects = memory_->core.restart(pod.key, at())) carry_out(*effects);
    }
  }

  void carry_out(const stop_run& e) {
    const auto it = memory_->runtimes.find(e.generation);
    if (it != memory_->runtimes.end()) compat::send(this, it->second, stop_pod{e.grace});
  }

  void carry_out(const wake_run& e) {
    compat::send_after(this, self(), e.delay, restart_due{e.key, e.generation});
  }

  void carry_out(const change_run& e) {
    const auto it = memory_->runtimes.find(e.generation);
    if (it != memory_->runtimes.end()) compat::send(this, it->second, change_limits{e.what});
  }

  /// It hears of its runtime's end as of any other.
  void carry_out(const kill_run& e) {
    const auto it = memory_->runtimes.find(e.generation);
    if (it == memory_->runtimes.end()) return;
    log_->warn(
        "event=runtime_overdue pod={} run={} what=\"killed: told to stop, it has not ended\"",
        e.key, e.generation);
    compat::send_exit(it->second, caf::make_error(caf::exit_reason::kill));
  }

  void carry_out(const status_changed& e) {
    if (memory_->watchers.empty()) return;
    const auto status = memory_->core.status(e.key);
    for (const auto& [addr, to] : memory_->watchers) {
      if (status)
        compat::send(this, to, pod_changed{*status});
      else
        compat::send(this, to, pod_removed{e.key});
    }
  }

  void on_down(const runtime_down& m) {
    if (memory_->runtimes.erase(m.generation) > 0 || m.why.cls == stop_class::abnormal) log_end(m);
    carry_out(memory_->core.down(m.key, m.generation, m.why, at()));
    if (!memory_->core.idle()) return;
    for (auto& waiting : std::exchange(stop_waiters_, {}))
      waiting.deliver(pods_stopped{});
  }

  void on_limits_changed(const limits_changed& m) {
    const auto effects = memory_->core.changed(m, at());
    if (effects.empty()) return; // of an edit before the last
    if (m.why.empty())
      log_->info("event=limits_changed pod={} run={}", m.key, m.generation);
    else
      log_->warn("event=limits_refused pod={} run={} what=\"begins anew\" error={}", m.key,
                 m.generation, in_quotes(m.why));
    carry_out(effects);
  }

  void log_end(const runtime_down& m) const {
    if (m.why.cls == stop_class::abnormal)
      log_->warn("event=pod_ended pod={} run={} reason={}", m.key, m.generation,
                 in_quotes(to_string(m.why)));
    else
      log_->info("event=pod_ended pod={} run={} reason={}", m.key, m.generation,
                 in_quotes(to_string(m.why)));
  }

  caf::result<pod_status> answer_status(const char* verb, const std::string& key) {
    if (auto status = memory_->core.status(key)) return *std::move(status);
    return to_error(error{errc::not_found, 0, verb, key, "no such pod", {}});
  }

  caf::response_promise on_stop_all(const stop_all_pods& m) {
    auto promise = make_response_promise();
    carry_out(memory_->core.stop_all(m.grace, at()));
    if (memory_->core.idle())
      promise.deliver(pods_stopped{});
    else
      stop_waiters_.push_back(promise);
    return promise;
  }

  void on_watch(const caf::actor& to) {
    if (!memory_->watchers.emplace(to.address(), to).second) return;
    watch_watcher(to);
    for (auto& status : memory_->core.list())
      compat::send(this, to, pod_changed{std::move(status)});
  }

  reconciler_options options_;
  log_ptr log_;
  reconciler_memory::state* memory_ = nullptr; ///< of options_.memory
  std::vector<caf::response_promise> stop_waiters_;
  std::chrono::steady_clock::time_point bucket_empty_at_; ///< of the nudges
  bool pass_pending_ = false;
};

caf::actor spawn_reconciler(caf::actor_system& sys, reconciler_options options) {
  return sys.spawn<reconciler>(std::move(options));
}

} // namespace tank

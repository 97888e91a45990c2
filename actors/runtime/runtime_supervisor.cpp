#include "actors/runtime/runtime_supervisor.hpp"

#include "actors/role.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/run_registry.hpp"
#include "actors/supervision/supervisor.hpp"
#include "config/pod.hpp"
#include "pod/documents.hpp"
#include "pod/manifest_set.hpp"

#include <utility>

namespace tank {

// --- what it tells itself ---

/// The runtime of a run has ended.
struct run_down {
  std::string key;
  stop_reason why;
  bool operator==(const run_down&) const = default;
};

} // namespace tank

#define TANK_RUN_LISTENER_MESSAGES(M, O, b) M(b, run_down, key, why)
TANK_PRIVATE_MESSAGES(tank_run_listener, ::tank::compat::roles::run_registry,
                      TANK_RUN_LISTENER_MESSAGES);

namespace tank {

// --- the runs ------------------------------------------------------------------------------------

result<void> run_registry::claim(const std::string& key, const std::string& uid) {
  const std::lock_guard lock{mutex_};
  if (stopping_) return fail(errc::cancelled, "start", key, "this Tank was told to stop");
  if (runs_.contains(uid))
    return fail(errc::exists, "start", key, "it runs already", "wait for the end of the other run");
  runs_[uid].storage = of_.storage->hold(uid);
  of_.storage->forget(uid); // its directories go with the last one that holds them
  return {};
}

void run_registry::add(const std::string& uid, const caf::actor& runtime) {
  const std::lock_guard lock{mutex_};
  const auto it = runs_.find(uid);
  if (it == runs_.end()) return; // it has ended meanwhile
  it->second.runtime = runtime;
  if (stopping_) compat::anon_send(runtime, stop_pod{grace_});
}

void run_registry::release(const std::string& uid) {
  bool last = false;
  run gone;
  {
    const std::lock_guard lock{mutex_};
    gone = std::exchange(runs_[uid], {});
    runs_.erase(uid);
    last = stopping_ && runs_.empty();
  }
  gone.storage.reset();
  if (last && of_.on_idle) of_.on_idle();
}

void run_registry::stop_all(std::optional<std::chrono::seconds> grace) {
  const std::lock_guard lock{mutex_};
  stopping_ = true;
  grace_ = grace;
  for (const auto& [uid, one] : runs_)
    if (one.runtime) compat::anon_send(one.runtime, stop_pod{grace});
}

bool run_registry::idle() const {
  const std::lock_guard lock{mutex_};
  return runs_.empty();
}

caf::actor runtime_supervisor::actor() const {
  return runs_->supervisor();
}

caf::actor spawn_runtime_supervisor(caf::actor_system& sys) {
  child_spec runtimes;
  runtimes.id = "runtime";
  runtimes.restart = child_restart::temporary;
  runtimes.shutdown = shutdown_after::infinity(); // it kills its workload, and cleans up
  auto made = spawn_supervisor(sys, {.strategy = supervision::dynamic}, {std::move(runtimes)});
  return made ? *std::move(made) : caf::actor{}; // these flags are good
}

// --- one run -------------------------------------------------------------------------------------

namespace {

struct run_listener_options {
  std::shared_ptr<run_registry> runs;
  std::string uid;
  caf::actor owner;
};

/// Stands between a runtime and its owner: it hears how the run ended, waits until nothing of it is
/// left, and then tells the owner, once, whichever way that was.
class run_listener final : public role {
 public:
  run_listener(caf::actor_config& cfg, run_listener_options options)
      : role(cfg)
      , options_(std::move(options)) {}

  const char* name() const override { return "tank.run_listener"; }

  caf::behavior make_behavior() override {
    me_ = self(); // the runtime drops its owner before it has ended
    return {
        [](const pod_progress&) {},
        [this](const pod_running& m) {
          tell(workload_running{m.key, m.host_pid});
        },
        [this](const pod_ended& m) { how_ = m.how; },
        [this](const run_down& m) { on_down(m); },
    };
  }

  void on_exit() override { me_ = nullptr; }

 private:
  template <class Event>
  void tell(Event event) {
    if (options_.owner) compat::send(this, options_.owner, std::move(event));
  }

  void on_down(const run_down& m) {
    options_.runs->release(options_.uid);
    const bool ran = how_ && how_->started_ns != 0 && m.why.cls != stop_class::abnormal;
    if (!ran)
      tell(workload_error{m.key, m.why});
    else if (how_->signal != 0)
      tell(workload_signaled{m.key, how_->signal});
    else
      tell(workload_exited{m.key, how_->exit_code});
    stop(stop_normal());
  }

  run_listener_options options_;
  caf::actor me_;
  std::optional<last_exit> how_;
};

/// A runtime on its way to its supervisor; should it never arrive there, it ends.
struct arrival {
  caf::actor runtime;
  bool arrived = false;
  explicit arrival(caf::actor who) : runtime{std::move(who)} {}
  ~arrival() {
    if (!arrived) compat::send_exit(runtime, caf::make_error(caf::exit_reason::user_shutdown));
  }
  arrival(const arrival&) = delete;
  arrival& operator=(const arrival&) = delete;
};

} // namespace

struct spawn_access {
  static const std::shared_ptr<run_registry>& runs(const runtime_supervisor& of) {
    return of.runs_;
  }
};

result<caf::actor> spawn_runtime(const runtime_supervisor& under, const desired_pod& what,
                                 spawn_options options) {
  const auto& runs = spawn_access::runs(under);
  const auto key = what.pod->metadata.ns + "/" + what.pod->metadata.name;
  const auto supervisor = runs->supervisor();
  if (!supervisor) return fail(errc::unavailable, "start", key, "this Tank has ended");
  TANK_TRY(runs->claim(key, what.uid));
  auto& sys = supervisor->home_system();
  const auto listener =
      sys.spawn<run_listener>(run_listener_options{runs, what.uid, std::move(options.owner)});
  auto data = options.data ? std::move(options.data) : std::make_shared<const documents>();
  runtime_args args{key, 0, what, std::move(data), 0, listener};
  args.ends_orderly = true;
  auto runtime = runs->make()(sys, std::move(args));
  compat::watch(runtime, listener, [key](const caf::error& why) {
    return run_down{key, classify(why)};
  });
  runs->add(what.uid, runtime);
  child_spec child;
  child.start = [handed = std::make_shared<arrival>(runtime)](caf::actor_system&) -> start_answer {
    handed->arrived = true;
    return handed->runtime;
  };
  compat::anon_send(supervisor, start_child{std::move(child)});
  return runtime;
}

result<desired_pod> read_pod(std::string_view manifest) {
  auto judged = judge_manifest("manifest", manifest);
  if (!judged.errors.empty()) return fail(errc::invalid, "read", "manifest", judged.errors.front());
  if (judged.pods.size() != 1)
    return fail(errc::invalid, "read", "manifest", "it has more than one Pod");
  auto pod = std::move(judged.pods.front().desired);
  if (pod.pod->metadata.uid.empty())
    pod.uid = derive_uid(std::string{pod.hash.rbegin(), pod.hash.rend()});
  return pod;
}

} // namespace tank

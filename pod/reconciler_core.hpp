/// The reconciler's mind: a state machine over values. Events go in, effects come out; it knows no
/// actor, no clock and no thread. reconciler.cpp is the shell that carries the effects out.
#pragma once

#include "pod/backoff.hpp"
#include "pod/model.hpp"
#include "pod/pod_record.hpp"
#include "pod/reconcile_plan.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tank {

/// Start a runtime for this run; answer its end with down().
struct start_run {
  std::string key;
  std::uint64_t generation = 0;
  desired_pod what;
  std::uint32_t restarts = 0;
  std::uint64_t run = 0;      ///< of the record: a run keeps it when another runtime takes it over
  bool adopt = false;         ///< take over what a predecessor left
  bool has_heir = false;      ///< should this runtime fail, another one will
  bool limits_edited = false; ///< with `adopt`: see runtime_args
  bool operator==(const start_run&) const = default;
};
/// Send the run's runtime a stop_pod.
struct stop_run {
  std::string key;
  std::uint64_t generation = 0;
  std::optional<std::chrono::seconds> grace;
  bool operator==(const stop_run&) const = default;
};
/// Call due() after `delay`.
struct wake_run {
  std::string key;
  std::uint64_t generation = 0;
  std::chrono::milliseconds delay{0};
  bool operator==(const wake_run&) const = default;
};
/// End the runtime itself: told to stop, it has not ended long after it should have.
struct kill_run {
  std::string key;
  std::uint64_t generation = 0;
  bool operator==(const kill_run&) const = default;
};
/// Send the run's runtime change_limits.
struct change_run {
  std::string key;
  std::uint64_t generation = 0;
  desired_pod what;
  bool operator==(const change_run&) const = default;
};
/// The status of `key` is another now; it is gone when status(key) is empty.
struct status_changed {
  std::string key;
  bool operator==(const status_changed&) const = default;
};
using reconcile_effect =
    std::variant<start_run, stop_run, wake_run, kill_run, change_run, status_changed>;
using reconcile_effects = std::vector<reconcile_effect>;

/// Each call changes the state and returns what has to be done, in order. Events of a run that is
/// no longer current (by generation) are ignored.
class reconciler_core {
 public:
  /// With `adopts`, a run outlives a runtime that fails (an exception, a kill): the next one takes
  /// it over, at most `max_crashes` times in a run that is not stable. A runtime that was told to
  /// stop has its grace period and `stop_margin` for what comes after it; then it is killed, which
  /// one heir may still make good. What does not even end then is shown as stuck, and left alone.
  explicit reconciler_core(backoff_profile profile, bool adopts = false,
                           std::chrono::milliseconds stop_margin = std::chrono::minutes{2})
      : profile_(profile)
      , adopts_(adopts)
      , stop_margin_(stop_margin) {}
  static constexpr std::uint32_t max_crashes = 3;

  /// What a predecessor left: tracked from now on as it was then. Before anything else.
  reconcile_effects restore(const std::vector<pod_record>& records, const instant& now);
  /// What a successor needs of this pod; of the run only the number. Empty: forget it.
  [[nodiscard]] std::optional<pod_record> record(const std::string& key) const;

  /// The new whole truth; takes effect with the next pass().
  void set_desired(desired_state state) { desired_ = std::move(state); }
  /// Compares all desired with all tracked.
  reconcile_effects pass(const instant& now);

  reconcile_effects running(const pod_running& m, const instant& now);
  reconcile_effects progress(const pod_progress& m);
  reconcile_effects containers(const containers_changed& m);
  reconcile_effects ended(const pod_ended& m);
  /// What could not be changed in place begins anew.
  reconcile_effects changed(const limits_changed& m, const instant& now);
  /// The runtime of this run is gone.
  reconcile_effects down(const std::string& key, std::uint64_t generation, const stop_reason& why,
                         const instant& now);
  /// The backoff of this run is over, or its time to stop.
  reconcile_effects due(const std::string& key, std::uint64_t generation, const instant& now);

  result<reconcile_effects> restart(const std::string& key, const instant& now);
  /// Final: nothing is started after it.
  reconcile_effects stop_all(std::optional<std::chrono::seconds> grace, const instant& now);

  /// The runs that are thought to be alive.
  struct live_run {
    std::string key;
    std::uint64_t generation = 0;
    bool stopping = false;
    std::optional<desired_pod> change; ///< of limits, that it has not said anything about
    bool operator==(const live_run&) const = default;
  };
  [[nodiscard]] std::vector<live_run> live_runs() const;
  /// No runtime is alive.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] std::optional<pod_status> status(const std::string& key) const;
  [[nodiscard]] std::vector<pod_status> list() const;

 private:
  struct entry {
    desired_pod what;                ///< of the present or last run
    pod_status status;               ///< its identity fields follow `what`
    std::uint64_t generation = 0;    ///< of the present or last run
    bool alive = false;              ///< a runtime exists
    bool ended_told = false;         ///< the present run has said how its workload ended
    std::optional<desired_pod> next; ///< starts when the present run is gone
    bool leaving = false;            ///< forgotten when the present run is gone
    bool limits_edited = false;      ///< what runs may not have the limits of `what` yet
    bool no_restart = false;         ///< nothing of the last run ran: the next is its first
    bool no_image = false;           ///< for want of its image
    bool final = false;              ///< the present run has said that nothing is to run again
    std::optional<std::chrono::steady_clock::time_point> running_since;
    std::optional<std::chrono::steady_clock::time_point> restart_at;
    /// When a stop is to have taken effect, whichever runtime serves it; and when a runtime that
    /// has not ended is dealt with.
    std::optional<std::chrono::steady_clock::time_point> stop_by;
    std::optional<std::chrono::steady_clock::time_point> overdue_at;
    std::optional<std::chrono::steady_clock::time_point> deadline_at; ///< activeDeadlineSeconds
    bool deadline_over = false; ///< it is stopped for that, or was
    bool killed = false;        ///< the present runtime
    bool has_heir = false;      ///< the present runtime: it was told so
    std::vector<std::chrono::steady_clock::time_point> ends; ///< that giving up counts
    /// Of each container, in earlier runs of this content, inside their sandboxes.
    std::vector<std::uint32_t> container_restarts;
    std::vector<std::uint32_t> present_restarts; ///< the same in the present run, as told last
    std::uint64_t run = 0;     ///< counts the runs of this pod, whatever their content
    std::uint32_t crashes = 0; ///< of runtimes of the present run
  };
  using entries = std::map<std::string, entry>;

  entry* current(const std::string& key, std::uint64_t generation);
  [[nodiscard]] tracked_pods tracked() const;
  void set_content(entry& e, const desired_pod& what, const instant& now);
  void refresh(entry& e, const desired_pod& what, reconcile_effects& out);
  void begin(entry& e, const instant& now, reconcile_effects& out);
  void start_runtime(entry& e, bool adopt, reconcile_effects& out);
  [[nodiscard]] bool stopped_for_good(const entry& e) const;
  bool hand_over_to_heir(entry& e, const stop_reason& why, const instant& now,
                         reconcile_effects& out);
  void restore_run(entry& e, const pod_record& record, const instant& now, reconcile_effects& out);
  void halt(entry& e, std::optional<std::chrono::seconds> grace, const instant& now,
            reconcile_effects& out);
  void resume_stop(entry& e, const instant& now, reconcile_effects& out);
  [[nodiscard]] static std::chrono::seconds grace_of(const entry& e,
                                                     std::optional<std::chrono::seconds> override_);
  void follow_wishes(const std::map<std::string, desired_pod>& want, const instant& now,
                     reconcile_effects& out);
  void look_at_times(const instant& now, reconcile_effects& out);
  void expect_end(entry& e, const instant& now, reconcile_effects& out);
  void overdue(entry& e, const instant& now, reconcile_effects& out);
  static void set_deadline(entry& e, const instant& now);
  static void await_deadline(const entry& e, const instant& now, reconcile_effects& out);
  [[nodiscard]] static bool is_past_deadline(const entry& e, const instant& now);
  void exceed_deadline(entry& e, const instant& now, reconcile_effects& out);
  void end_by_deadline(entry& e, reconcile_effects& out) const;
  void show_containers(entry& e, std::vector<container_status> now) const;
  static void count_restarts(entry& e);
  void show_no_run(entry& e) const;
  void give_up(entry& e, const backoff_profile& profile, const std::string& said);
  [[nodiscard]] backoff_profile profile(const entry& e) const;
  void replace(entry& e, const desired_pod& what, const instant& now, reconcile_effects& out);
  void apply_change(entry& e, const desired_pod& what, const instant& now, reconcile_effects& out);
  static void replace_content(entry& e, const desired_pod& what);
  void begin_again(entry& e, const instant& now, reconcile_effects& out);
  void forget(entries::iterator it, reconcile_effects& out);
  void decide(entry& e, const stop_reason& why, const instant& now, reconcile_effects& out);

  backoff_profile profile_;
  bool adopts_ = false;
  std::chrono::milliseconds stop_margin_;
  desired_state desired_;
  entries entries_;
  std::uint64_t last_generation_ = 0;
  bool stopping_all_ = false;
};

/// kubelet's word for a pod that was stopped for its activeDeadlineSeconds: pod_status::reason.
inline constexpr auto deadline_exceeded = "DeadlineExceeded";

/// How a run that ended without telling is shown: kubelet's words for our stop reasons.
last_exit exit_of(const stop_reason& why);

} // namespace tank

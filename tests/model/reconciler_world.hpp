/// The world around a reconciler, as a script: what is desired when, orders, runtimes with a will
/// of their own, whose containers begin again, timers that get lost, messages that come late or
/// twice, and a clock.
#pragma once

#include "pod/backoff.hpp"
#include "pod/model.hpp"
#include "tests/model/kit.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tank::model {

using ms = std::int64_t;

/// One version of a pod, as far as a reconciler cares.
struct content {
  std::string hash;
  std::string policy;       ///< Always, OnFailure, Never
  bool fast = false;        ///< says so of its backoff
  std::size_t last_end = 0; ///< is given up with so many ends within `period`; 0: never
  ms period = 0;
  ms grace = 4'000;
  std::string instance{}; ///< equal: they differ in their limits alone
  std::size_t containers = 1;
};
const std::vector<content>& contents();
const backoff_profile& profile(const content& of);
inline constexpr ms stop_margin = 7'000;

/// How a run ends, and the exit code that its status shows when the runtime does not tell better.
struct ending {
  stop_reason why;
  int exit_code = 0;
  bool failure = false;
};
const std::vector<ending>& endings();

/// What one run of a pod does.
struct run_will {
  bool refused = false;              ///< no runtime could be made of it
  std::optional<ms> up_after;        ///< says running
  std::optional<ms> ends_after;      ///< by itself
  std::uint8_t how = 1;              ///< index of endings()
  std::optional<ms> obeys_after = 0; ///< empty: only a kill ends it
  bool tells = false;                ///< says how it ended, before it does
  bool wake_lost = false;            ///< the timer of the backoff after it
  bool echoes = false;               ///< all it said comes again, late
  std::uint32_t begins_again = 0;    ///< its last container, if it has several, inside its sandbox
  bool refuses = false;              ///< other limits
  ms changes_after = 0;              ///< or not, and says so
};

struct order {
  enum class kind : std::uint8_t {
    desire,
    remove,
    restart,
    crash,   ///< of the workload
    failure, ///< of the runtime alone
    stop_all
  };
  kind what = kind::desire;
  ms at = 0;
  std::size_t pod = 0;     ///< index of pods()
  std::size_t content = 0; ///< desire
  bool quietly = false;    ///< desire, remove: nobody nudges; the next resync sees it
};
const std::vector<std::string>& pods();

struct history {
  std::vector<run_will>
      wills; ///< of the n-th start of the p-th pod: wills[(n + p) % size]; not empty
  std::vector<order> orders;
  bool adopts = false; ///< runs outlive their runtimes

  static history random(rng& r);
  [[nodiscard]] std::vector<history> simpler() const;
  [[nodiscard]] std::string text() const;
};

// What happens to the reconciler. `run` counts the starts of this world, from 1.
struct up_event {
  std::uint64_t run = 0;
};
struct told_event {
  std::uint64_t run = 0;
};
/// One of its containers begins again.
struct containers_event {
  std::uint64_t run = 0;
};
struct gone_event {
  std::uint64_t run = 0;
  std::uint8_t how = 0;
};
/// Its runtime has failed or was killed; the workload runs on for an heir.
struct lost_event {
  std::uint64_t run = 0;
};
struct due_event {
  std::uint64_t run = 0;
};
/// Its runtime has given it the limits of this content, or cannot.
struct changed_event {
  std::uint64_t run = 0;
  std::size_t content = 0;
  bool done = false;
};
struct resync_event {};
struct order_event {
  std::size_t index = 0;
};
using happening = std::variant<up_event, told_event, containers_event, gone_event, lost_event,
                               due_event, changed_event, resync_event, order_event>;

inline constexpr ms resync_every = 5'000;
inline constexpr int told_code = 77; ///< the exit code that a runtime tells

class pod_world {
 public:
  explicit pod_world(const history& h);

  // what a reconciler does
  std::uint64_t start(const std::string& key, const std::string& hash, std::uint32_t restarts,
                      bool has_heir);
  /// Another runtime takes the run over: it says anew what is known, and was told nothing yet but
  /// of the limits of `edited`, when that is not empty.
  void take_over(std::uint64_t run, bool has_heir, const std::string& edited);
  void kill(std::uint64_t run);
  void stop(std::uint64_t run, std::optional<ms> grace);
  void wake(std::uint64_t run, ms delay);
  /// Asks its runtime for other limits.
  void change(std::uint64_t run, const std::string& hash);

  std::optional<happening> next();
  [[nodiscard]] const order& at(const order_event& e) const { return h_.orders[e.index]; }
  [[nodiscard]] const std::string& key_of(std::uint64_t run) const { return runs_[run - 1].key; }
  /// What its runtime tells of its containers: that they are all in `state`.
  [[nodiscard]] std::vector<container_status> containers_of(std::uint64_t run,
                                                            container_phase state) const;
  /// Restarts of its last container, as told.
  [[nodiscard]] std::uint32_t inside(std::uint64_t run) const { return runs_[run - 1].inside; }
  [[nodiscard]] ms now() const { return now_; }
  [[nodiscard]] bool all_gone() const;

  /// The status of a pod after each event; written down when it is another.
  void status(const std::string& key, const std::string& now);
  [[nodiscard]] std::string record() const;
  [[nodiscard]] const std::string& violation() const { return violation_; }
  void broken(const std::string& what) { violation_ += what + "; "; }

 private:
  struct live_run {
    std::string key;
    run_will will;
    bool alive = true;
    bool told_to_stop = false;
    bool has_heir = false;
    bool orphan = false; ///< between two runtimes
    bool up = false;
    std::size_t containers = 1;
    std::uint32_t inside = 0; ///< restarts of the last of them
  };
  void push(ms at, happening e) { queue_.emplace(std::pair{at, ++serial_}, e); }
  void note(const std::string& key, const std::string& text);
  void end(std::uint64_t run, std::uint8_t how);
  bool carry_out(const order& o);
  bool real(const gone_event& e);
  bool lose(std::uint64_t run);

  const history& h_;
  std::map<std::pair<ms, std::uint64_t>, happening> queue_;
  std::map<std::uint64_t, std::uint8_t> dying_; ///< the run's end is on its way
  std::uint64_t serial_ = 0;
  ms now_ = 0;
  ms horizon_ = 0;
  std::vector<live_run> runs_;
  std::map<std::string, std::size_t> starts_;
  std::map<std::string, std::string> records_;
  std::map<std::string, std::string> status_;
  std::string violation_;
};

/// What the contract says a reconciler does, pod by pod: no pod knows of another.
void run_reference(const history& h, pod_world& w);

} // namespace tank::model

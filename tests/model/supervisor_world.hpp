/// The world around a supervisor, as a script: children with a fixed will of their own, requests,
/// crashes, exit signals, timers, and a clock. What a supervisor does in it is written down. Two
/// supervisors that do the same in equal worlds are equal as far as anybody can see.
#pragma once

#include "actors/supervision/stop_reason.hpp"
#include "actors/supervision/supervisor_spec.hpp"
#include "tests/model/kit.hpp"

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tank::model {

using ms = std::int64_t;

/// How one incarnation of a child behaves, decided before it starts.
struct will {
  enum class start_kind : std::uint8_t { runs, fails, ignores } start = start_kind::runs;
  enum class obey_kind : std::uint8_t { at_once, after, never } obey = obey_kind::at_once;
  ms after = 0;         ///< obeys so late; a kill takes 0 or 1 ms
  std::uint8_t why = 1; ///< the reason it then ends with: an index of reasons()
  bool twice = false;   ///< its end is told again later
  bool operator==(const will&) const = default;
};

/// normal, shutdown, workload_exited, abnormal, killed
const std::vector<stop_reason>& reasons();

struct kid_spec {
  std::string id;
  child_restart restart = child_restart::permanent;
  std::optional<ms> limit = 50; ///< shutdown: empty = infinity, 0 = brutal
  bool significant = false;
  bool supervisor = false;
};

struct command {
  enum class kind : std::uint8_t {
    crash, ///< the newest live child of that id ends by itself
    start,
    terminate,
    terminate_dynamic, ///< the `nth` incarnation of all; 0: an actor of somebody else
    restart,
    remove,
    which,
    count,
    exit,
    abandon, ///< the supervisor is killed
  };
  kind what = kind::crash;
  ms at = 0;
  kid_spec spec;        ///< id; all of it for start
  std::uint8_t why = 3; ///< crash
  std::size_t nth = 0;
};

struct scenario {
  supervisor_flags flags;
  std::vector<kid_spec> specs; ///< dynamic: the template
  std::vector<will> wills;     ///< of the n-th start: wills[n % size]; never empty
  std::vector<command> commands;

  static scenario random(rng& r);
  [[nodiscard]] std::vector<scenario> simpler() const;
  [[nodiscard]] std::string text() const;
};

/// What happens to the supervisor.
struct down_event {
  std::uint64_t ref = 0;
  std::uint8_t why = 0;
};
struct timer_event {
  std::uint64_t token = 0;
};
struct retry_event {
  std::uint64_t key = 0;
};
struct command_event {
  std::size_t index = 0;
};
using event = std::variant<down_event, timer_event, retry_event, command_event>;

class world {
 public:
  explicit world(const scenario& s);

  // what a supervisor does
  struct started {
    std::uint64_t ref = 0; ///< 0: ignored, or failed
    bool failed = false;
  };
  started start(const std::string& id);
  void shutdown(std::uint64_t ref);
  void kill(std::uint64_t ref);
  void arm(std::uint64_t token, ms delay) {
    push(now_ + delay, timer_event{token});
    if (++timers_ % 3 == 0) push(now_ + delay, timer_event{token}); // told twice
  }
  void retry(std::uint64_t key) { push(now_, retry_event{key}); }
  void report(supervisor_report::what kind, const std::string& id, const std::string& reason);
  void answer(std::size_t command, const std::string& text);
  void finished(const stop_reason& why);

  // what happens next; nullopt: nothing ever
  std::optional<event> next();
  [[nodiscard]] const command& at(const command_event& e) const { return s_.commands[e.index]; }
  [[nodiscard]] ms now() const { return now_; }
  [[nodiscard]] bool ended(std::uint64_t ref) const {
    return ref != 0 && ref <= children_.size() && !children_[ref - 1].alive;
  }

  /// All that was done, in order; the reports apart and sorted, as their order among stops is free.
  [[nodiscard]] std::string record() const;
  /// What must hold whatever the scenario; empty: it does.
  [[nodiscard]] std::string violation() const;

 private:
  struct child {
    std::string id;
    will w;
    bool alive = true;
    bool told = false;
  };
  void push(ms at, event e) { queue_.emplace(std::pair{at, ++serial_}, e); }
  void end(std::uint64_t ref, std::uint8_t why, ms after);
  void note(char what, const std::string& text);

  const scenario& s_;
  std::map<std::pair<ms, std::uint64_t>, event> queue_;
  std::uint64_t serial_ = 0;
  ms now_ = 0;
  std::size_t starts_ = 0;
  std::size_t timers_ = 0;
  std::vector<child> children_; ///< by ref - 1
  std::string record_;
  std::vector<std::string> reports_;
  std::string violation_;
  bool finished_ = false;
};

/// Does all that a supervisor does, in straight lines, as OTP's documentation tells it.
void run_reference(const scenario& s, world& w);

} // namespace tank::model

/// A supervisor's decisions, without actors: OTP's supervisor as a state machine.
///
/// It acts through a small port. What OTP does while it blocks (waiting for the end of children),
/// is here a state in which every other event waits in order, as in a process' mailbox.
#pragma once

#include "actors/supervision/stop_reason.hpp"
#include "actors/supervision/supervisor_spec.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace tank {

/// One incarnation of a child; never reused. 0: none.
using child_ref = std::uint64_t;

struct start_outcome {
  child_ref ref = 0; ///< 0 without `failed`: ignored
  std::optional<error> failed;
};

/// The effects. Calls never re-enter the core.
class supervisor_port {
 public:
  virtual ~supervisor_port() = default;
  virtual start_outcome start(const child_start& how) = 0;
  virtual void signal_shutdown(child_ref child) = 0;
  virtual void kill(child_ref child) = 0;
  /// Call timed_out(token) after `delay`.
  virtual void arm(std::uint64_t token, std::chrono::milliseconds delay) = 0;
  /// Call try_again(key) soon, behind whatever waits already.
  virtual void retry(std::uint64_t key) = 0;
  virtual void report(const supervisor_report& r) = 0;
  virtual std::chrono::steady_clock::time_point now() = 0;
  /// All children are gone; the supervisor ends with this reason.
  virtual void finished(const stop_reason& why) = 0;
};

/// One child as which_children shows it.
struct child_row {
  std::string id;
  child_ref ref = 0;
  child_state state = child_state::undefined;
  child_type type = child_type::worker;
};

template <class T>
using reply_to = std::function<void(result<T>)>;

class supervisor_core {
 public:
  /// Checked by check_supervisor. Dynamic: exactly one spec, the template.
  supervisor_core(supervisor_flags flags, std::vector<child_spec> specs, supervisor_port& port);

  void begin(); ///< starts the children, left to right

  // events
  void child_down(child_ref ref, const stop_reason& why);
  void timed_out(std::uint64_t token);
  void try_again(std::uint64_t key);
  void exit(const stop_reason& why); ///< told to end: stops all children, then finishes

  /// The supervisor ends without its children having been stopped: answers all that wait.
  void abandon();

  // requests; answered at once, or when the present termination is over
  void start_child(child_spec spec, reply_to<child_ref> reply);
  void terminate_child(const std::string& id, reply_to<void> reply);
  /// `ref` may be the last incarnation of a child that is restarting. `ended` says, when asked,
  /// whether the actor that is meant has ended; to stop it is no error, whoever's child it was.
  void terminate_dynamic(child_ref ref, std::function<bool()> ended, reply_to<void> reply);
  void restart_child(const std::string& id, reply_to<child_ref> reply);
  void delete_child(const std::string& id, reply_to<void> reply);
  void which_children(reply_to<std::vector<child_row>> reply);
  void count_children(reply_to<child_counts> reply);

  /// A child is, or while it restarts was last, this incarnation.
  [[nodiscard]] bool knows(child_ref ref) const {
    return by_ref_.contains(ref) || by_last_ref_.contains(ref);
  }

 private:
  using key = std::uint64_t; ///< a child's place in the start order
  struct child {
    child_spec spec;
    child_ref ref = 0;
    child_ref last_ref = 0; ///< dynamic, restarting: the incarnation that ended
    bool restarting = false;
    bool awaited = false; ///< being stopped: its end belongs to the termination
  };
  struct waiting {
    std::function<void()> run;
    std::function<void()> drop; ///< the supervisor ended first
  };
  struct termination {
    std::vector<key> left; ///< the next one to stop is at the back
    bool together = false; ///< all of `left` have their signal already
    std::uint64_t token = 0;
    bool killed = false;
    std::function<void()> then;
    std::function<void()> drop; ///< may be empty
  };

  void when_free(std::function<void()> run, std::function<void()> drop);
  template <class T, class Do>
  void request(reply_to<T> reply, Do act);
  void drain();

  key add(child_spec spec);
  key key_of(const std::string& id) const;
  result<key> idle_child(const char* verb, const std::string& id) const;
  void erase(key k);
  void bind(key k, child_ref ref);
  void unbind(child& c);
  void set_restarting(key k, child_ref last_ref);
  void clear_restarting(child& c);
  result<child_ref> start_new(child_spec spec);
  void give_up_child(key k);

  void on_down(child_ref ref, const stop_reason& why);
  void restart(key k, child_ref ended);
  void restart_one(key k, child_ref ended);
  void restart_from(key k, key first);
  bool start_all(key first, bool initial);
  bool add_restart();
  void auto_shutdown_after(bool significant);
  void shut_down(const stop_reason& why);

  void terminate(std::vector<key> stop_order, std::function<void()> then,
                 std::function<void()> drop = {});
  void terminate_together(std::function<void()> then);
  void advance();
  void take_waiting_end(child& c);
  void signal(child& c);
  void after_stop(key k);
  void note_end(const child& c, const stop_reason& why);
  void report(supervisor_report::what kind, const child& c, std::string reason);

  supervisor_flags flags_;
  std::vector<child_spec> initial_;
  supervisor_port& port_;
  child_spec template_; ///< dynamic
  std::map<key, child> children_;
  std::map<std::string, key> by_id_;
  std::map<child_ref, key> by_ref_;
  std::map<child_ref, key> by_last_ref_; ///< dynamic children that are restarting
  std::deque<std::chrono::steady_clock::time_point> restarts_;
  std::map<child_ref, stop_reason> waiting_ends_; ///< heard of, not yet acted on
  std::optional<termination> ending_;             ///< while children are being stopped
  std::deque<waiting> queue_;
  std::string start_failure_; ///< the last one
  key last_key_ = 0;
  std::uint64_t last_token_ = 0;
  bool advancing_ = false;
  bool draining_ = false;
  bool finished_ = false;
};

} // namespace tank

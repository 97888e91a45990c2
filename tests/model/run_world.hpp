/// The world around one run of a pod: an image store, a worker, a shim that holds what it was told
/// to, timers, and a clock. It carries a run's actions out, and breaks off when one is not legal.
#pragma once

#include "pod/run_steps.hpp"
#include "tests/model/run_history.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tank::model {

/// The daemon is killed. Another one follows.
struct daemon_killed {
  std::size_t actions = 0; ///< it carries out so many of those that come next
};
struct daemon_begins {};
/// The event, and whose timer fired if it is one.
struct happens {
  run::event event;
  std::optional<std::optional<run::index>> timer_of = std::nullopt;
};
using happening = std::variant<happens, daemon_killed, daemon_begins>;

class run_world {
 public:
  /// With `records` it writes down what happened and what was done.
  run_world(const history& h, bool records);

  /// What the daemon sees next; the clock is then at its time. Empty: nothing will happen any more.
  std::optional<happening> next();
  void carry_out(const run::action& a);
  void kill_daemon();

  [[nodiscard]] ms now() const { return now_; }
  [[nodiscard]] instant clock() const;
  [[nodiscard]] static std::chrono::steady_clock::time_point at(ms t);
  /// Once the run has finished: everything is released.
  void check_released();

  void note(std::string_view text);
  void broken(const std::string& what) { violation_ += what + "; "; }
  [[nodiscard]] const std::string& violation() const { return violation_; }
  [[nodiscard]] const std::string& record() const { return record_; }

 private:
  struct held {
    run::held_container is;
    attempt_will will;
    bool build_asked = false;
    bool let_go = false;
    bool dying = false;
  };
  struct shim {
    std::uint64_t number = 0;
    sandbox_will will;
    std::map<run::index, held> containers; ///< the last attempt of each
    std::uint64_t peer = 0;                ///< the connection it speaks to; 0: none
    ms said_until = 0;
    bool mute = false;  ///< to this peer it says nothing but its end
    bool going = false; ///< told to: it takes no requests
  };
  struct job {
    bool sandbox = false;
    bool clean = false;
    std::vector<std::pair<run::index, bool>> containers; ///< and whether they can be prepared
    sandbox_will will;
  };

  // What is queued: some of it for the daemon, some only of the world.
  struct told { ///< to the daemon `daemon`, over the connection `peer` unless that is 0
    std::uint64_t daemon = 0;
    std::uint64_t peer = 0;
    run::event event;
  };
  struct image_known { ///< to the start that asked
    std::uint64_t daemon = 0;
    run::index who = 0;
    std::size_t start = 0;
    run::event event;
  };
  struct timer_fires {
    std::uint64_t daemon = 0;
    std::optional<run::index> of;
    std::uint64_t serial = 0;
  };
  struct job_ends {
    std::uint64_t daemon = 0;
    job what;
  };
  enum class step : std::uint8_t { built, starts, ends, obeys, dies, aborts };
  struct shim_step {
    std::uint64_t shim = 0;
    run::index who = 0;
    std::uint32_t attempt = 0;
    step what = step::built;
  };
  struct shim_ends {
    std::uint64_t shim = 0;
  };
  struct incident_due {
    incident what;
  };
  struct stop_again {
    std::uint64_t daemon = 0;
  };
  /// Of whatever carries probes and hooks out; each has a number, a new one takes its place.
  struct verdict {
    std::uint64_t daemon = 0;
    std::uint64_t number = 0;
    run::probe_result what;
  };
  struct hook_returns {
    std::uint64_t daemon = 0;
    std::uint64_t number = 0;
    run::hook_done what;
  };
  using queued = std::variant<verdict, hook_returns, told, image_known, timer_fires, job_ends,
                              shim_step, shim_ends, incident_due, stop_again, daemon_begins>;

  void push(ms at, queued q) { queue_.emplace(std::pair{at, ++serial_}, std::move(q)); }
  void tell(run::event e, ms after = 0);
  void say(run::event e);
  void later(const std::optional<ms>& after, const held& h, step what);

  std::optional<happening> see(const told& q);
  std::optional<happening> see(const image_known& q);
  std::optional<happening> see(const verdict& q);
  std::optional<happening> see(const hook_returns& q);
  std::optional<happening> see(const timer_fires& q);
  std::optional<happening> see(const job_ends& q);
  std::optional<happening> see(const shim_step& q);
  std::optional<happening> see(const shim_ends& q);
  std::optional<happening> see(const incident_due& q);
  std::optional<happening> see(const stop_again& q);
  std::optional<happening> see(const daemon_begins& q);

  void act(const run::resolve_image& a);
  void act(const run::prepare& a);
  void act(const run::start_session& a);
  void act(const run::adopt_session& a);
  void act(const run::create& a);
  void act(const run::build& a);
  void act(const run::proceed& a);
  void act(const run::abort& a);
  void act(const run::signal& a);
  void act(const run::kill& a);
  void act(const run::shut_down& a);
  void act(const run::end_session& a);
  void act(const run::drop_session& a);
  void act(const run::begin_probes& a);
  void act(const run::only_readiness& a);
  void act(const run::end_probes& a);
  void act(const run::call_hook& a);
  void act(const run::drop_hook& a);
  void act(const run::arm_timer& a);
  void act(const run::disarm_timer& a);
  void act(const run::clean& a);
  void act(const run::unexpected& a);
  void act(const run::report_running&) {}
  void act(const run::report_containers&) {}
  void act(const run::finish&) {}

  void lose_helpers();
  const attempt_will& running_will(run::index who, std::uint32_t attempt, const char* what);
  void probe(run::index who, std::uint32_t attempt, run::probe_kind kind, bool passes, ms after);

  held* request(run::index who, const char* verb);
  bool refused();
  void end(held& h, run::outcome how, int code);
  void end_shim(const char* why);
  void submit(job j, ms takes);

  const history& h_;
  bool records_;
  std::map<std::pair<ms, std::uint64_t>, queued> queue_;
  std::uint64_t serial_ = 0;
  ms now_ = 0;
  std::uint64_t daemon_ = 1;
  bool alive_ = true;             ///< there is a daemon
  std::optional<run::stop> stop_; ///< the last word on it: whoever takes over is told again

  std::vector<std::size_t> starts_; ///< by container
  std::vector<attempt_will> wills_; ///< by container, of the present start
  std::size_t sandboxes_ = 0;
  std::size_t adoptions_ = 0;
  std::size_t timers_made_ = 0;
  sandbox_will sandbox_; ///< of the sandbox that was prepared last
  std::optional<shim> shim_;
  std::uint64_t shims_ = 0;
  std::uint64_t peer_ = 0; ///< the daemon's connection; 0: none
  std::uint64_t peers_ = 0;
  bool start_failed_ = false; ///< and the daemon has not heard of it
  bool fail_next_ = false;
  std::uint64_t refused_by_ = 0; ///< the connection whose request has failed
  ms worker_free_ = 0;
  std::size_t jobs_ = 0;        ///< outstanding
  std::set<run::index> in_job_; ///< containers that are being prepared
  bool dirty_ = false;          ///< directories and cgroups may be there
  std::map<std::optional<run::index>, std::uint64_t> timers_;
  struct probing {
    std::uint64_t number = 0;
    bool only_readiness = false;
  };
  std::map<run::index, probing> probes_;
  std::map<run::index, std::uint64_t> hooks_; ///< that run, by number
  std::uint64_t helpers_ = 0;
  std::string record_;
  std::string violation_;
};

} // namespace tank::model

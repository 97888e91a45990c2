/// What must hold of a run of a pod, whatever happens around it: who may begin, and who must; when
/// an ended container runs again; when the run is over, and why.
///
/// It hears what the run hears and sees what the run does, and knows nothing of how that is decided.
#pragma once

#include "pod/model.hpp"
#include "pod/run_steps.hpp"
#include "tests/model/run_history.hpp"
#include "tests/model/run_world.hpp"

#include <optional>
#include <string>
#include <vector>

namespace tank::model {

/// Why a run is over.
enum class ending : std::uint8_t {
  stopped,
  container, ///< its only one
  all_done,
  init_failed,
  significant,
  sandbox,
  gave_up,
  stuck
};

class run_reference {
 public:
  run_reference(const history& h, run_world& w);

  void hears(const happens& e);
  void sees(const run::actions& all);
  /// After both, with what the run then shows.
  void settled(const std::vector<container_status>& shown);
  /// What it knows now is what its record says.
  void kept() { kept_ = now_; }
  /// A new daemon has only that; `begin_adoption` is next.
  void restored();
  /// Once it has finished.
  void check_end(const stop_reason& why, const last_exit& how);

 private:
  enum class at : std::uint8_t {
    fresh,
    unknown, ///< its shim will tell
    resolving,
    found,
    preparing,
    prepared,
    asked, ///< created
    built, ///< its turn is awaited
    released,
    up,
    backoff,
    pooled, ///< a member of a group has ended, and waits for the others
    done,
    ended ///< with the run
  };
  struct terms {
    bool operator==(const terms&) const = default;
    ms by = 0;    ///< until when it shall have ended
    ms least = 0; ///< what is left to who is signaled late; 0: no grace
  };
  struct one {
    at where = at::fresh;
    std::uint32_t attempt = 0; ///< the present one, or the next in a back-off
    std::uint32_t restarts = 0;
    std::uint32_t retries = 0;
    std::optional<ms> running_since;
    ms released_at = 0;
    bool let_go = false; ///< the present attempt
    std::vector<ms> ends;
    ms due = 0;
    bool had_image = true;  ///< the attempt before a back-off
    run::container_end end; ///< of the last attempt
    bool passed = false;    ///< its step of the list
    // Of the attempt:
    bool post_returned = false;
    bool startup_ok = false;
    bool readiness_ok = false;
    // Not in any record:
    ms asked_at = 0;
    bool overdue = false;
    bool killed = false;
    std::optional<ms> kill_at; ///< signaled, and when its grace is over
    bool asked_to_end = false;
    std::optional<terms> told; ///< by which it was signaled
    bool only_readiness = false;
    bool waited = false; ///< for its turn
    bool probed = false; ///< its probes have begun
    bool post_failed = false;
    std::optional<run::hook_kind> hook;
    bool pre_stop_begun = false;
    std::optional<terms> leaving; ///< a probe or its postStart has failed
    std::string complaint;
  };
  /// Containers that end to begin anew together.
  struct group {
    run::index from = 0;
    bool all = false; ///< RestartAllContainers
    terms stop;
    ms due = 0;
  };
  enum class link : std::uint8_t { none, making, starting, up, adopting, closing, cleaning, gone };
  struct knowledge {
    std::vector<one> containers;
    bool touched = false; ///< something was let go
    std::optional<group> together;
    std::uint32_t retries = 0; ///< of groups
    std::optional<ms> all_passed_at;
    std::vector<ms> ends; ///< the same
    std::optional<ending> over;
    run::index who = 0;                ///< whose end it was, if one's
    run::outcome sandbox_end{};        ///< failed or session_down
    std::optional<run::outcome> broke; ///< how the sandbox failed, before that or after
    link sandbox = link::none;
  };

  void hear(const run::image_found& e);
  void hear(const run::image_missing& e);
  void hear(const run::sandbox_prepared&) {}
  void hear(const run::sandbox_not_prepared& e);
  void hear(const run::container_prepared& e);
  void hear(const run::container_not_prepared& e);
  void hear(const run::session_failed& e);
  void hear(const run::sandbox_up& e);
  void hear(const run::adopted& e);
  void hear(const run::session_down& e);
  void hear(const run::child_ready&) {}
  void hear(const run::child_built& e);
  void hear(const run::child_running& e);
  void hear(const run::child_ended& e);
  void hear(const run::probe_result& e);
  void hear(const run::hook_done& e);
  void hear(const run::stop& e);
  void hear(const run::timer_due&) {}
  void hear(const run::data_known&) {} // these pods name no documents
  void hear(const run::cleaned& e);
  void hear_timer(const std::optional<run::index>& of);

  void see(const run::resolve_image& a);
  void see(const run::prepare& a);
  void see(const run::start_session& a);
  void see(const run::adopt_session& a);
  void see(const run::create& a);
  void see(const run::build& a);
  void see(const run::proceed& a);
  void see(const run::abort& a);
  void see(const run::signal& a);
  void see(const run::kill& a);
  void see(const run::shut_down& a);
  void see(const run::end_session& a);
  void see(const run::drop_session&) {}
  void see(const run::begin_probes& a);
  void see(const run::only_readiness& a);
  void see(const run::end_probes& a);
  void see(const run::call_hook& a);
  void see(const run::drop_hook& a);
  void see(const run::arm_timer&) {}
  void see(const run::disarm_timer&) {}
  void see(const run::clean& a);
  void see(const run::report_running& a);
  void see(const run::report_containers& a);
  void see(const run::finish& a);
  void see(const run::unexpected&) {}

  void held(run::index who, const run::held_container* told);
  void lose_all(bool to_begin_anew);
  void no_shim();
  void sandbox_fails(run::outcome how);
  void ended(run::index who, run::container_end end);
  // --- run_reference_order.cpp: the list, groups, stops, probes
  enum class verdict : std::uint8_t { stays, again, group, all_again };
  void judge();
  void judge_all();
  [[nodiscard]] verdict verdict_of(run::index who) const;
  void wait_for_backoff(run::index who);
  [[nodiscard]] bool gives_up(const std::vector<ms>& ends) const;
  [[nodiscard]] ms wait_after(std::uint32_t& retries, bool stable, bool at_once) const;
  void begin_group(run::index who, bool all);
  void pool(run::index who);
  void settle_group();
  [[nodiscard]] bool is_member(run::index who) const;
  [[nodiscard]] bool is_away(run::index who) const;
  [[nodiscard]] bool behind_away(run::index who) const;
  [[nodiscard]] bool may_begin(run::index who) const;
  [[nodiscard]] bool has_turn(run::index who) const;
  [[nodiscard]] bool is_leaving(run::index who) const;
  [[nodiscard]] bool runs(const one& c) const { return c.where == at::up && !c.killed; }
  [[nodiscard]] bool is_started(const one& c) const {
    return runs(c) && c.post_returned && c.startup_ok;
  }
  [[nodiscard]] terms grace_now(std::optional<int> seconds = std::nullopt) const;
  struct stop_now {
    terms until;
    bool its_turn = false;
    bool hook_now = false; ///< its preStop need not wait for its turn
  };
  [[nodiscard]] std::optional<stop_now> stop_of(run::index who) const;
  void came_up(run::index who);
  void post_start_over(run::index who);
  void check_stop(run::index who);
  void check_health(run::index who);
  void be_over(ending why, run::index who = 0);
  void check_ending();
  void check_going_on();
  void check_shown(const std::vector<container_status>& shown);
  void check_reports(const std::vector<container_status>& shown);
  void must(bool holds, const std::string& what, run::index who);
  void must(bool holds, const std::string& what);
  [[nodiscard]] bool takes_requests() const {
    return now_.sandbox == link::starting || now_.sandbox == link::up;
  }
  [[nodiscard]] bool is_with_shim(const one& c) const {
    return c.where == at::asked || c.where == at::built || c.where == at::released ||
           c.where == at::up;
  }

  const history& h_;
  run_world& w_;
  std::optional<terms> stop_; ///< of this daemon: once it is over
  knowledge now_;
  knowledge kept_;
  // Of this daemon alone:
  bool stop_asked_ = false;
  std::optional<std::chrono::seconds> grace_;
  bool recorded_ = false; ///< the end of the run was, by another daemon
  bool had_session_ = false;
  bool connected_ = false;
  bool end_sent_ = false;
  unsigned tries_ = 0;
  bool reported_running_ = false;
  bool saw_running_ = false; ///< a report, among the actions of this event
  bool saw_containers_ = false;
  bool finished_ = false;
  std::vector<run::index> ends_; ///< of this event, to be judged
  std::vector<container_status> shown_;
};

} // namespace tank::model

/// Children that do as the test says, and a record of what a supervisor did with them.
#pragma once

#include "actors/role.hpp"
#include "actors/supervision/supervisor.hpp"
#include "tests/actor/script.hpp"
#include "tests/actor/test_messages.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tank::testing {

using strings = std::vector<std::string>;

inline constexpr auto permanent = child_restart::permanent;
inline constexpr auto transient = child_restart::transient;
inline constexpr auto temporary = child_restart::temporary;

inline stop_reason abnormal() {
  return {stop_class::abnormal, stop_cause::error, 0, {}};
}

class test_child : public role {
 public:
  test_child(caf::actor_config& cfg, std::string id, strings& log, bool stubborn,
             std::optional<stop_reason> obeys_with)
      : role(cfg)
      , id_(std::move(id))
      , log_(log) {
    if (stubborn) compat::trap_exit(this, [](const caf::error&) {});
    if (obeys_with)
      compat::trap_exit(this, [this, why = *obeys_with](const caf::error&) { stop(why); });
  }
  caf::behavior make_behavior() override {
    return {[this](const end_child& m) { stop(m.why); }};
  }
  void on_exit() override { log_.push_back("-" + id_); }

 private:
  std::string id_;
  strings& log_;
};

/// One supervisor under test.
struct otp {
  strings log; ///< "+a" started, "-a" ended, in order; outlives the actors
  std::vector<supervisor_report> reports;
  std::map<std::string, caf::actor> last; ///< the newest incarnation by id
  std::map<std::string, int> failing;     ///< the next n starts fail
  std::map<std::string, bool> ignoring;
  std::map<std::string, bool> stubborn;          ///< ends by kill only
  std::map<std::string, stop_reason> obeys_with; ///< ends when told to, with a reason of its own
  std::optional<stop_reason> ended;              ///< of the supervisor
  script s;
  caf::actor me = s.peer();
  caf::actor sup;

  child_spec kid(const std::string& id, child_restart restart = child_restart::permanent) {
    child_spec spec;
    spec.id = id;
    spec.restart = restart;
    spec.start = [this, id](caf::actor_system& sys) -> start_answer {
      if (failing[id] > 0) {
        --failing[id];
        log.push_back("!" + id);
        return error{errc::internal, 0, "start", id, "told to fail", {}};
      }
      if (ignoring[id]) return ignore_child{};
      log.push_back("+" + id);
      const auto own = obeys_with.find(id);
      last[id] = sys.spawn<test_child>(
          id, log, stubborn[id],
          own == obeys_with.end() ? std::nullopt : std::optional<stop_reason>{own->second});
      return last[id];
    };
    return spec;
  }
  std::vector<child_spec> kids(const strings& ids,
                               child_restart restart = child_restart::permanent) {
    std::vector<child_spec> out;
    for (const auto& id : ids)
      out.push_back(kid(id, restart));
    return out;
  }

  void start(const supervisor_flags& flags, std::vector<child_spec> specs) {
    auto made = spawn_supervisor(s.sys, flags, std::move(specs),
                                 [this](const supervisor_report& r) { reports.push_back(r); });
    REQUIRE(made.has_value());
    sup = *made;
    sup->attach_functor([this](const caf::error& e) { ended = classify(e); });
    s.settle();
  }
  void crash(const std::string& id, const stop_reason& why = abnormal()) {
    s.send(me, last.at(id), end_child{why});
    s.settle();
  }
  /// The child ends and can never start again: the supervisor tries and tries. From here on
  /// settle() would not come back before something ends the loop.
  void begin_loop(const std::string& id) {
    failing[id] = 1'000'000;
    s.send(me, last.at(id), end_child{abnormal()});
    s.step(last.at(id)); // ends
    s.step(sup);         // hears of it: the first restart that fails
  }
  /// Asks while the loop runs.
  template <class Answer, class T>
  result<Answer> ask_in_loop(T question) {
    result<Answer> out = fail(errc::timeout, "ask", "supervisor", "no answer between restarts");
    caf::scoped_actor self{s.sys};
    auto handle = compat::request(&*self, sup, std::chrono::seconds{1}, std::move(question));
    for (int i = 0; i < 10 && !self->has_next_message(); ++i)
      s.step(sup);
    if (!self->has_next_message()) return out;
    std::move(handle).receive([&](const Answer& a) { out = a; },
                              [&](const caf::error& e) { out = failure{error_of(e)}; });
    return out;
  }
  void kill(const std::string& id) {
    compat::send_exit(last.at(id), caf::make_error(caf::exit_reason::kill));
    s.settle();
  }
  void end_supervisor() {
    compat::send_exit(sup, caf::make_error(caf::exit_reason::user_shutdown));
    s.settle();
  }
  strings take_log() { return std::exchange(log, {}); }

  template <class Answer, class T>
  Answer ask(T question) {
    return s.ask<Answer>(sup, std::move(question));
  }
  /// The refusal of a request that is not granted.
  template <class Answer, class T>
  error refused(T question) {
    error out;
    caf::scoped_actor self{s.sys};
    auto handle = compat::request(&*self, sup, std::chrono::seconds{1}, std::move(question));
    s.settle();
    std::move(handle).receive([](const Answer&) { FAIL("granted"); },
                              [&](const caf::error& e) { out = error_of(e); });
    return out;
  }
  caf::actor add(child_spec spec) { return ask<child_started>(start_child{std::move(spec)}).child; }
  child_counts counts() { return ask<child_counts>(count_children{}); }
  /// "a:running", in the order of which_children.
  strings listed() { return rows(ask<child_list>(which_children{})); }
  static strings rows(const child_list& list) {
    strings out;
    for (const auto& c : list.children)
      out.push_back(c.id + (c.state == child_state::running      ? ":running"
                            : c.state == child_state::restarting ? ":restarting"
                                                                 : ":undefined"));
    return out;
  }
  ~otp() {
    if (sup) compat::send_exit(sup, caf::make_error(caf::exit_reason::kill));
    s.settle();
    for (auto& [id, a] : last)
      compat::send_exit(a, caf::make_error(caf::exit_reason::kill));
    s.settle();
  }
};

} // namespace tank::testing

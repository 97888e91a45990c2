/// The vocabulary of supervision: child specifications, flags, answers and reports. OTP's terms.
#pragma once

#include "base/error.hpp"

#include <caf/actor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace caf {
class actor_system;
} // namespace caf

namespace tank {

enum class child_restart : std::uint8_t {
  permanent, ///< always restarted
  transient, ///< restarted after an abnormal end; normal and shutdown are quiet
  temporary, ///< never restarted, and forgotten when it ends
};
enum class child_type : std::uint8_t { worker, supervisor };
enum class supervision : std::uint8_t {
  one_for_one,
  one_for_all,  ///< one ends: all others are stopped, then all start again
  rest_for_one, ///< one ends: those started after it are stopped, then it and they start again
  dynamic,      ///< simple_one_for_one: many children without names, started on request
};
enum class auto_shutdown : std::uint8_t {
  never,
  any_significant, ///< ends when one significant child ended by itself
  all_significant, ///< ends when the last one did
};

/// What a start function may answer: an actor; nothing (`ignore`: the spec stays, no child runs);
/// or why it could not. CAF spawns at once: what goes wrong in an actor's own behaviour later is an
/// end of that child, not a failed start.
struct ignore_child {};
using start_answer = std::variant<caf::actor, ignore_child, error>;
using child_start = std::function<start_answer(caf::actor_system&)>;

/// How a child is stopped. Whatever it does, its end is waited for.
struct shutdown_after {
  /// After this long it is killed. Empty: never. Zero: killed at once (brutal_kill).
  std::optional<std::chrono::milliseconds> limit = std::chrono::seconds{5};
  static shutdown_after brutal() { return {std::chrono::milliseconds{0}}; }
  static shutdown_after infinity() { return {std::nullopt}; }
};

struct child_spec {
  std::string id; ///< unique in its supervisor; unused by dynamic ones
  child_start start;
  child_restart restart = child_restart::permanent;
  shutdown_after shutdown; ///< of a supervisor: use infinity()
  child_type type = child_type::worker;
  bool significant = false; ///< its own end may end the supervisor: see auto_shutdown
};

struct supervisor_report {
  enum class what : std::uint8_t {
    start_failed,      ///< a child could not be started
    child_terminated,  ///< a child ended and should not have
    shutdown_failed,   ///< a child that was stopped ended in another way than asked
    too_many_restarts, ///< the intensity is used up: the supervisor gives up
  };
  what kind = what::child_terminated;
  std::string id; ///< the offender
  std::string reason;
  bool operator==(const supervisor_report&) const = default;
};

struct supervisor_flags {
  supervision strategy = supervision::one_for_one;
  std::uint32_t intensity = 1; ///< more restarts than this within `period`: give up
  std::chrono::milliseconds period = std::chrono::seconds{5}; ///< > 0; its end still counts
  auto_shutdown when_significant = auto_shutdown::never;
};

/// Not found, duplicate and contradicting parts of a specification, before anything is started.
result<void> check_supervisor(const supervisor_flags& flags, const std::vector<child_spec>& specs);
result<void> check_child(const supervisor_flags& flags, const child_spec& spec);

// --- requests and answers ------------------------------------------------------------------------

/// -> child_started. Of a dynamic supervisor only `start` is used; the rest is the template's.
struct start_child {
  child_spec spec;
};
struct child_started {
  caf::actor child; ///< empty: the start function answered ignore
};
/// -> child_done. Stops the child; its spec stays unless it is temporary.
struct terminate_child {
  std::string id;
};
/// -> child_done. The same for a dynamic supervisor's child.
struct terminate_dynamic {
  caf::actor child;
};
/// -> child_started. Starts a child that was terminated or ended for good.
struct restart_child {
  std::string id;
};
/// -> child_done. Forgets the spec of a child that does not run.
struct delete_child {
  std::string id;
};
struct child_done {
  bool operator==(const child_done&) const = default;
};

enum class child_state : std::uint8_t { running, restarting, undefined };
struct child_info {
  std::string id;
  caf::actor child; ///< when running
  child_state state = child_state::undefined;
  child_type type = child_type::worker;
};
struct which_children {};
/// The child that was started last comes first.
struct child_list {
  std::vector<child_info> children;
};
struct count_children {};
struct child_counts {
  std::size_t specs = 0;
  std::size_t active = 0;
  std::size_t supervisors = 0;
  std::size_t workers = 0;
  bool operator==(const child_counts&) const = default;
};

} // namespace tank

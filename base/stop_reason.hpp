/// Why an actor or a run ended, as a value. OTP's vocabulary.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace tank {

enum class stop_class : std::uint8_t { normal, shutdown, abnormal };
std::string_view to_string(stop_class c) noexcept;

/// What decides is this, never a text.
enum class stop_cause : std::uint8_t {
  normal,            ///< normal: a workload exited 0
  shutdown,          ///< shutdown: the actor was told to end by its supervisor
  stopped,           ///< shutdown: the run was told to stop; `text` says how the workload ended
  workload_exited,   ///< shutdown: `code` is the exit code; expected, no crash report
  workload_signaled, ///< shutdown: `code` is the signal
  oom_killed,        ///< shutdown: a process of it was killed for memory, and it failed
  unhealthy,         ///< shutdown: a probe or hook of it failed, so it was stopped; `code` as it ended
  bring_up_failed,   ///< abnormal: a step failed; `text` is the error's message
  image_pull_failed, ///< abnormal
  host_shortage,     ///< abnormal: the host had not enough of something for the bring-up
  session_down,      ///< abnormal: the shim vanished
  gave_up,           ///< shutdown: a container of the pod ended too often (`giveUp`)
  exception,         ///< abnormal: the actor threw; `text` is the exception's
  killed,            ///< abnormal: by an exit signal that cannot be trapped
  unreachable,       ///< abnormal: nobody referred to the actor any more
  supervisor_down,   ///< abnormal
  start_failed,      ///< abnormal: of a supervisor that could not start its children
  error,             ///< abnormal: any other; `text` says which
};
/// Whether the workload had no part in it and never ran: whatever its restart policy, it is tried
/// again.
constexpr bool is_of_the_host(stop_cause c) noexcept {
  return c == stop_cause::image_pull_failed || c == stop_cause::host_shortage;
}
/// The enumerator's name.
std::string_view to_string(stop_cause c) noexcept;
std::optional<stop_cause> stop_cause_of(std::string_view name) noexcept;

struct stop_reason {
  stop_class cls = stop_class::normal;
  stop_cause cause = stop_cause::normal;
  int code = 0;
  std::string text;
  bool operator==(const stop_reason&) const = default;
};

stop_reason stop_normal();
stop_reason stop_shutdown();            ///< told by its supervisor to end
stop_reason stop_exited(int exit_code); ///< 0 is normal
stop_reason stop_signaled(int signal);
stop_reason stop_requested(std::string how_it_ended);
stop_reason stop_failed(const error& why);
stop_reason stop_session_down(std::string text);
stop_reason stop_exception(const std::exception_ptr& e); ///< its text kept

/// `shutdown workload_exited 3`, `abnormal bring_up_failed: cannot mount ...`: one line for people.
std::string to_string(const stop_reason& reason);

} // namespace tank

/// Why an actor ended: between our stop_reason values and caf::error, in exactly one place.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace caf {
class error;
} // namespace caf

namespace tank {

enum class stop_class : std::uint8_t { normal, shutdown, abnormal };
std::string_view to_string(stop_class c) noexcept;

/// Why an actor ended. OTP's vocabulary:
///   normal                        workload exited 0
///   shutdown  workload_exited n   non-zero exit: expected, no crash report
///   shutdown  workload_signaled n
///   shutdown  oom_killed 9        it or a child of it was killed for memory, and it failed
///   shutdown  stopped             it was told to stop; `text` says how the workload ended
///   abnormal  bring_up_failed     a step failed; `text` is the error's message
///   abnormal  session_down        the shim vanished
///   abnormal  exception | killed | unreachable | ...   the actor itself failed
struct stop_reason {
  stop_class cls = stop_class::normal;
  std::string what = "normal";
  int code = 0;
  std::string text;
  bool operator==(const stop_reason&) const = default;
};

/// The stop reasons that the roles use; the words are part of the contract (see stop_reason).
stop_reason stop_normal();
stop_reason stop_shutdown();            ///< told by its supervisor to end: shutdown / "shutdown"
stop_reason stop_exited(int exit_code); ///< 0 is normal
stop_reason stop_signaled(int signal);
stop_reason stop_requested(std::string how_it_ended);    ///< shutdown / "stopped"
stop_reason stop_failed(const error& why);               ///< abnormal / "bring_up_failed"
stop_reason stop_session_down(std::string text);         ///< abnormal / "session_down"
stop_reason stop_exception(const std::exception_ptr& e); ///< abnormal / "exception", its text kept

/// What to `quit()` with. Normal becomes the empty error.
caf::error to_error(const stop_reason& reason);

/// A request's error answer, and the way back. A caf::error that is none of ours becomes internal.
caf::error to_error(const error& why);
error error_of(const caf::error& answer);

/// What an actor's end means. Total: an exit signal, a kill, an actor that nobody refers to any
/// more, an exception and an error of some other library each have their class.
stop_reason classify(const caf::error& reason);

/// `shutdown workload_exited 3`, `abnormal bring_up_failed: cannot mount ...`: one line for people.
std::string to_string(const stop_reason& reason);

} // namespace tank

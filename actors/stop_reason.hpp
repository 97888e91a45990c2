/// Why an actor ended: between our stop_reason values and caf::error, in exactly one place.
#pragma once

#include "actors/messages.hpp"

#include <exception>
#include <string>

namespace caf {
class error;
} // namespace caf

namespace tank {

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

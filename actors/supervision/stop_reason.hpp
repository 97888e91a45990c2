/// Why an actor ended: between our stop_reason values and caf::error, in exactly one place.
#pragma once

#include "base/error.hpp"
#include "base/stop_reason.hpp"

#include <caf/fwd.hpp>

namespace tank {

/// What to `quit()` with. Normal becomes the empty error.
caf::error to_error(const stop_reason& reason);

/// A request's error answer, and the way back. A caf::error that is none of ours becomes internal.
caf::error to_error(const error& why);
error error_of(const caf::error& answer);

/// What an actor's end means. Total: an exit signal, a kill, an actor that nobody refers to any
/// more, an exception and an error of some other library each have their class.
stop_reason classify(const caf::error& reason);

} // namespace tank

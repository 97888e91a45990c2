/// The installed fixture, with our own messages.
#pragma once

#include "actors/messages.hpp"
#include "testing/script.hpp"

namespace tank::testing {

/// Before main(): before any script.
[[maybe_unused]] inline const bool our_messages_are_known = (init_message_types(), true);

} // namespace tank::testing

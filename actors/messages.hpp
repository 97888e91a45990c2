/// All messages of all roles, for a program that makes an actor_system.
#pragma once

#include "actors/images/messages.hpp"
#include "actors/manifests/messages.hpp"
#include "actors/poller.hpp"
#include "actors/reconcile/messages.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/sessions/messages.hpp"
#include "actors/supervision/messages.hpp"

namespace tank {

/// Makes CAF know our messages, those of supervisors too: before the first actor_system of the
/// process, any number of times. instance::start does it; a program with an actor_system of its own
/// calls it first in main().
void init_message_types();

/// A configuration whose actor_system knows our messages.
struct system_config : caf::actor_system_config {
  system_config() { init_message_types(); }
};

} // namespace tank

/// The janitor: what pods keep over their restarts goes when they are gone for good.
#pragma once

#include "pod/pod_storage.hpp"

#include <caf/actor.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace tank {

struct janitor_options {
  std::function<caf::actor()> reconciler; ///< the one of now
  std::shared_ptr<pod_storage> storage;
  std::chrono::milliseconds resubscribe = std::chrono::seconds{1}; ///< after a reconciler's end
  std::map<std::string, std::string> known; ///< uids by key, as an earlier instance left them
};

/// Listens to the reconciler (watch_pods) and tells the storage which pods are wanted and which are
/// gone.
caf::actor spawn_janitor(caf::actor_system& sys, janitor_options options);

} // namespace tank

/// What the runtimes of spawn_runtime share. Private to actors/.
#pragma once

#include "actors/runtime/runtime_args.hpp"
#include "pod/model.hpp"
#include "pod/pod_storage.hpp"

#include <caf/actor.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace tank {

/// Thread-safe.
class run_registry {
 public:
  struct parts {
    runtime_factory make;
    std::shared_ptr<pod_storage> storage;
    std::function<caf::actor()> supervisor; ///< the one of now
    std::function<void()> on_idle;          ///< the last one has ended, after stop_all
  };
  explicit run_registry(parts of) : of_{std::move(of)} {}

  [[nodiscard]] caf::actor supervisor() const { return of_.supervisor(); }
  [[nodiscard]] const runtime_factory& make() const { return of_.make; }

  /// The right to run the pod `uid`; its storage goes with the run.
  result<void> claim(const std::string& key, const std::string& uid);
  void add(const std::string& uid, const caf::actor& runtime);
  /// The run is over, and everything of it is gone.
  void release(const std::string& uid);

  /// Stops all, each within its own grace period when empty; no more are started. Again with less.
  void stop_all(std::optional<std::chrono::seconds> grace);
  [[nodiscard]] bool idle() const;

 private:
  struct run {
    pod_storage::hold_token storage;
    caf::actor runtime;
  };
  parts of_;
  mutable std::mutex mutex_; ///< guards what follows
  bool stopping_ = false;
  std::optional<std::chrono::seconds> grace_;
  std::map<std::string, run> runs_; ///< by uid
};

/// The dynamic supervisor itself.
caf::actor spawn_runtime_supervisor(caf::actor_system& sys);

} // namespace tank

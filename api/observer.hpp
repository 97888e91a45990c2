/// What another thread sees of the pods: a board, and the actor that keeps it.
#pragma once

#include "actors/reconcile/messages.hpp"
#include "api/start.hpp"
#include "base/unique_fd.hpp"
#include "pod/model.hpp"

#include <caf/actor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace tank {

/// Thread-safe. An eventfd says that there is news.
class status_board {
 public:
  status_board();

  instance::view look();
  [[nodiscard]] int fd() const noexcept { return event_.get(); }

  void set(const pod_status& status);
  void erase(const std::string& key);
  /// The complete list: from now on the view counts as synced.
  void sync(const std::vector<pod_status>& all);
  void set_files(std::vector<file_status> files);
  /// What the owner of the board ordered; kept here, so that it outlives an observer.
  void order_stop(const stop_all_pods& order);
  [[nodiscard]] std::optional<stop_all_pods> stop_order();
  void set_stopped();
  /// Something else than the board's content is news.
  void wake();
  /// The instance has ended by itself.
  void set_failed(std::string why);

 private:
  template <class Change>
  void change(Change apply);

  unique_fd event_;
  std::mutex mutex_; ///< guards what follows
  std::map<std::string, pod_status> pods_;
  instance::view now_;
  std::optional<stop_all_pods> stop_;
};

struct observer_options {
  std::shared_ptr<status_board> board;
  std::function<caf::actor()> reconciler; ///< the one of now
  std::function<caf::actor()> watcher;
};

/// Fills the board: the manifests' first look, then every change. Carries out the board's order to
/// stop when it starts and at each observer_due{true}, and says on the board when it is done. Asks
/// again when who it asked has failed.
caf::actor spawn_observer(caf::actor_system& sys, observer_options options);

} // namespace tank

/// Who plays which role just now: the supervisor replaces actors, names stay.
#pragma once

#include <caf/actor.hpp>

#include <map>
#include <mutex>
#include <string>

namespace tank {

/// Thread-safe. Between the end of an actor and the start of its successor the name still means the
/// one that ended: what is sent to it is lost, and requests are answered by an error.
class role_table {
 public:
  void set(const std::string& name, caf::actor who) {
    const std::lock_guard lock{mutex_};
    roles_[name] = std::move(who);
  }
  [[nodiscard]] caf::actor get(const std::string& name) const {
    const std::lock_guard lock{mutex_};
    const auto it = roles_.find(name);
    return it == roles_.end() ? caf::actor{} : it->second;
  }
  void clear() {
    const std::lock_guard lock{mutex_};
    roles_.clear();
  }

 private:
  mutable std::mutex mutex_; ///< guards roles_
  std::map<std::string, caf::actor> roles_;
};

} // namespace tank

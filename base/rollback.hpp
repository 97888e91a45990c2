/// Undo log of a multi-step acquisition.
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace tank {

/// Runs what was added, newest first, unless `release()` was called: every early return of a
/// function that acquires several things gives back those it already had.
class rollback {
 public:
  rollback() = default;
  rollback(const rollback&) = delete;
  rollback& operator=(const rollback&) = delete;
  ~rollback() {
    for (auto it = undo_.rbegin(); it != undo_.rend(); ++it)
      (*it)();
  }

  /// `step` must not throw and must not fail in a way anybody could act on.
  void add(std::function<void()> step) { undo_.push_back(std::move(step)); }
  void release() noexcept { undo_.clear(); }

 private:
  std::vector<std::function<void()>> undo_;
};

} // namespace tank

/// Waits for shims that nobody else waits for. Private to kernel/.
#pragma once

#include "base/unique_fd.hpp"

#include <mutex>
#include <vector>

namespace tank::kernel {

/// A shim whose session is destroyed goes on, and remains a child of this process: when it ends, it
/// must be reaped. Thread-safe.
class shim_reaper {
 public:
  void add(unique_fd pidfd);
  /// Reaps those that have ended. Never blocks.
  void sweep();

 private:
  std::mutex mutex_;
  std::vector<unique_fd> pidfds_;
};

} // namespace tank::kernel

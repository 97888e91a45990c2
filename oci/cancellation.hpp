/// The wish to stop, from one thread to those that work for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

namespace tank::oci {

/// Thread-safe. Once cancelled, for ever. Outlives every subscription.
class cancellation {
 public:
  void cancel();
  [[nodiscard]] bool cancelled() const;

  /// Waits for `time`; true when cancelled before it was over, or already.
  bool wait_for(std::chrono::milliseconds time);

  /// Calls `wake` once, in the thread that cancels: it must be quick and must not call back here.
  /// At once when cancelled already. The returned object ends it; afterwards `wake` runs no more.
  class subscription {
   public:
    subscription(cancellation& of, std::function<void()> wake);
    subscription(const subscription&) = delete;
    subscription& operator=(const subscription&) = delete;
    ~subscription();

   private:
    cancellation& of_;
    std::uint64_t id_ = 0;
  };

 private:
  mutable std::mutex mutex_; ///< guards what follows
  std::condition_variable changed_;
  bool cancelled_ = false;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::function<void()>> wakes_;
};

} // namespace tank::oci

#include "oci/cancellation.hpp"

namespace tank::oci {

void cancellation::cancel() {
  const std::lock_guard lock{mutex_};
  if (cancelled_) return;
  cancelled_ = true;
  changed_.notify_all();
  // Under the lock: a subscription that ends meanwhile waits until its call is over.
  for (const auto& [id, wake] : wakes_)
    wake();
}

bool cancellation::cancelled() const {
  const std::lock_guard lock{mutex_};
  return cancelled_;
}

bool cancellation::wait_for(std::chrono::milliseconds time) {
  std::unique_lock lock{mutex_};
  return changed_.wait_for(lock, time, [this] { return cancelled_; });
}

cancellation::subscription::subscription(cancellation& of, std::function<void()> wake) : of_(of) {
  const std::lock_guard lock{of_.mutex_};
  if (of_.cancelled_) {
    wake();
    return;
  }
  id_ = ++of_.last_;
  of_.wakes_.emplace(id_, std::move(wake));
}

cancellation::subscription::~subscription() {
  const std::lock_guard lock{of_.mutex_};
  of_.wakes_.erase(id_);
}

} // namespace tank::oci

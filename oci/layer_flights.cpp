#include "oci/layer_flights.hpp"

namespace tank::oci {

layer_flights::ticket::~ticket() {
  if (of_ == nullptr) return;
  const std::lock_guard lock{of_->mutex_};
  of_->flying_.erase(id_);
  ++of_->landed_;
  of_->changed_.notify_all();
}

std::optional<layer_flights::ticket> layer_flights::take(const digest& id) {
  const std::lock_guard lock{mutex_};
  if (!flying_.insert(id).second) return std::nullopt;
  return ticket{this, id};
}

std::uint64_t layer_flights::landed() const {
  const std::lock_guard lock{mutex_};
  return landed_;
}

bool layer_flights::wait(std::uint64_t seen, cancellation& stop) {
  bool stopped = false; // guarded by mutex_
  const cancellation::subscription told{stop, [&] {
                                          const std::lock_guard lock{mutex_};
                                          stopped = true;
                                          changed_.notify_all();
                                        }};
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [&] { return stopped || landed_ != seen; });
  return !stopped;
}

} // namespace tank::oci

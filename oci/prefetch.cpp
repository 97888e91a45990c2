#include "oci/prefetch.hpp"

#include "base/thread.hpp"

#include <utility>

namespace tank::oci {

prefetching_source::prefetching_source(byte_source& inner)
    : inner_(inner)
    , thread_(quiet_thread([this] { run(); })) {}

prefetching_source::~prefetching_source() {
  join();
}

void prefetching_source::join() {
  {
    const std::lock_guard lock{mutex_};
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void prefetching_source::run() {
  for (std::size_t write_at = 0;; write_at = (write_at + 1) % slots) {
    {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [&] { return stop_ || filled_ < slots; });
      if (stop_) return;
    }
    // This slot is empty: only this thread touches it until it is counted.
    auto piece = inner_.next();
    const bool last = !piece || piece->empty();
    if (!last) ring_[write_at].assign(piece->begin(), piece->end());
    {
      const std::lock_guard lock{mutex_};
      if (!piece) failed_ = std::move(piece).error();
      if (last)
        ended_ = true;
      else
        ++filled_;
    }
    changed_.notify_all();
    if (last) return;
  }
}

result<std::span<const std::byte>> prefetching_source::next() {
  std::unique_lock lock{mutex_};
  if (std::exchange(lent_, false)) {
    --filled_;
    read_at_ = (read_at_ + 1) % slots;
    changed_.notify_all();
  }
  changed_.wait(lock, [&] { return filled_ > 0 || ended_ || stop_; });
  if (filled_ > 0 && !stop_) {
    lent_ = true;
    return std::span<const std::byte>{ring_[read_at_]};
  }
  if (failed_) return tl::make_unexpected(*failed_);
  return std::span<const std::byte>{};
}

} // namespace tank::oci

/// A source that is read ahead by a thread of its own: what comes before it (network, hashing,
/// decompression) and what comes after it (hashing, unpacking) then run at the same time.
#pragma once

#include "oci/stream.hpp"

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace tank::oci {

/// Holds at most `slots` pieces of the inner source, copied. `inner` belongs to the thread until
/// `join`, or until the end or an error was returned.
class prefetching_source final : public byte_source {
 public:
  explicit prefetching_source(byte_source& inner);
  prefetching_source(const prefetching_source&) = delete;
  prefetching_source& operator=(const prefetching_source&) = delete;
  /// Joins. Waits for the call of `inner` that is under way, if there is one.
  ~prefetching_source() override;
  result<std::span<const std::byte>> next() override;
  /// Ends the reading ahead; afterwards `inner` may be used again. Nothing more is given out.
  void join();

 private:
  static constexpr std::size_t slots = 4;
  void run();

  byte_source& inner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<std::vector<std::byte>, slots> ring_;
  std::size_t filled_ = 0; ///< pieces in the ring, the one given out last included
  std::size_t read_at_ = 0;
  bool lent_ = false; ///< the piece at `read_at_` is with the caller
  bool stop_ = false;
  bool ended_ = false;
  std::optional<error> failed_;
  std::thread thread_; ///< last: it uses all the others
};

} // namespace tank::oci

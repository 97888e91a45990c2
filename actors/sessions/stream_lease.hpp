/// The events of a session, lent by its runtime to one attach session at a time.
///
/// Until it ends, the borrower alone reads events and uses the terminal; the lender still calls
/// verbs, each under lock(). Either side may end it, at any time, with effect at once: what the
/// borrower calls afterwards does nothing. So there is no moment in which both read, and none in
/// which nobody can. What the borrower has read is gone for the lender, who looks at the session's
/// info() instead.
///
/// Thread-safe. A session that is not lent pays nothing for it.
#pragma once

#include "actors/poller.hpp"
#include "base/error.hpp"
#include "kernel/port.hpp"

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace tank {

class stream_lease {
 public:
  /// `lent` outlives the lease, or the lender ends it first.
  stream_lease(kernel::session& lent, std::string container)
      : session_(&lent)
      , container_(std::move(container)) {}
  stream_lease(const stream_lease&) = delete;
  stream_lease& operator=(const stream_lease&) = delete;
  ~stream_lease() { end(); }

  // --- the lender ---

  /// Asks for the terminal's output, and for fd_ready to `borrower`. The lender watches no more.
  result<void> begin(fd_source& fds, const caf::actor& borrower);
  /// Held around a verb of the lender.
  [[nodiscard]] std::unique_lock<std::mutex> lock() { return std::unique_lock{mutex_}; }

  // --- both ---

  void end() noexcept;
  [[nodiscard]] bool over() const;

  // --- the borrower ---

  /// Whether an fd_ready with this id is about the lent session.
  [[nodiscard]] bool is_ready(std::uint64_t id) const;
  result<void> rearm();
  result<std::optional<kernel::session_event>> next_event();
  /// How many bytes the terminal took; the rest is for after the next fd_ready.
  result<std::size_t> write(std::string_view bytes);
  result<void> resize(const kernel::window_size& size);

 private:
  mutable std::mutex mutex_; ///< guards the rest, and the session while it is lent
  kernel::session* session_; ///< null: over
  const std::string container_;
  fd_subscription watch_;
};

} // namespace tank

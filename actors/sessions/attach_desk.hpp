/// The runtime's side of an attach: who is attached, and the lease of the session's events. Part of
/// one runtime actor; the attach session is its only other thread, and meets it in the lease.
#pragma once

#include "actors/sessions/messages.hpp"
#include "actors/sessions/attach_session.hpp"
#include "actors/sessions/stream_lease.hpp"
#include "kernel/port.hpp"

#include <caf/actor.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace tank {

class attach_desk {
 public:
  attach_desk() = default;
  attach_desk(const attach_desk&) = delete;
  attach_desk& operator=(const attach_desk&) = delete;
  ~attach_desk() {
    if (lease_) lease_->end();
  }

  /// What a lend needs; borrowed for the call. `lender` gets attach_down with serial() when the
  /// attach session ends.
  struct lending {
    caf::actor_system& system;
    const caf::actor& lender;
    const caf::actor& attacher;
    kernel::session& session; ///< outlives the lease: take_back() comes first
    const std::string& container;
    fd_source& fds; ///< the lender watches the session no more
    const attach_limits& limits;
  };
  /// Starts the attach session. After a failure there is a lease to take back, too.
  result<attach_begun> lend(const lending& what);

  [[nodiscard]] bool lent() const noexcept { return lease_ != nullptr; }
  /// Lent, and given back by the attach session: its attach_down is on the way.
  [[nodiscard]] bool given_back() const { return lease_ && lease_->over(); }
  [[nodiscard]] bool is(const caf::actor& attacher) const { return attacher_ == attacher; }
  [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }

  /// Around a verb of the session; free when nobody is attached.
  [[nodiscard]] std::unique_lock<std::mutex> lock() {
    return lease_ ? lease_->lock() : std::unique_lock<std::mutex>{};
  }
  /// Asks the attach session to end, behind what its attacher has sent it.
  void ask_to_leave();
  /// With effect at once. An attach session that has not ended tells its attacher `why`.
  void take_back(attach_ended why);

 private:
  std::shared_ptr<stream_lease> lease_;
  caf::actor attach_session_; ///< of the lease, as is the next
  caf::actor attacher_;
  std::uint64_t serial_ = 0;
};

/// What a session knows of ends, as the events that said it when it happened: for whoever did not
/// read them. A session_down comes last.
std::vector<kernel::session_event> known_ends(const kernel::session& session);

} // namespace tank

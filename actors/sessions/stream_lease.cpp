#include "actors/sessions/stream_lease.hpp"

#include <sys/epoll.h>

namespace tank {

result<void> stream_lease::begin(fd_source& fds, const caf::actor& borrower) {
  const std::lock_guard held{mutex_};
  TANK_TRY(session_->pty_listen(container_, true));
  watch_ = TANK_TRY(fds.watch(session_->poll_fd(), EPOLLIN, borrower));
  return {};
}

void stream_lease::end() noexcept {
  const std::lock_guard held{mutex_};
  if (session_ == nullptr) return;
  watch_.reset();
  // Refused when the workload or the shim has ended: then there is no output to stop.
  static_cast<void>(session_->pty_listen(container_, false));
  session_ = nullptr;
}

bool stream_lease::over() const {
  const std::lock_guard held{mutex_};
  return session_ == nullptr;
}

bool stream_lease::is_ready(std::uint64_t id) const {
  const std::lock_guard held{mutex_};
  return session_ != nullptr && id == watch_.id();
}

result<void> stream_lease::rearm() {
  const std::lock_guard held{mutex_};
  return watch_.rearm(EPOLLIN); // nothing, when over
}

result<std::optional<kernel::session_event>> stream_lease::next_event() {
  const std::lock_guard held{mutex_};
  if (session_ == nullptr) return std::nullopt;
  return session_->next_event();
}

result<std::size_t> stream_lease::write(std::string_view bytes) {
  const std::lock_guard held{mutex_};
  if (session_ == nullptr) return bytes.size();
  return session_->pty_write(container_, bytes);
}

result<void> stream_lease::resize(const kernel::window_size& size) {
  const std::lock_guard held{mutex_};
  if (session_ == nullptr) return {};
  return session_->pty_resize(container_, size);
}

} // namespace tank

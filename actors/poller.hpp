/// File descriptors and times meet actors here, and only here: one epoll thread turns both into
/// messages.
#pragma once

#include "actors/caf_compat.hpp"
#include "base/error.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

namespace tank {

/// poller -> owner: the descriptor of subscription `id` is ready. `events` are those of epoll(7).
/// Sent once per arm: read until EAGAIN, then rearm the subscription.
struct fd_ready {
  std::uint64_t id = 0;
  std::uint32_t events = 0;
  bool operator==(const fd_ready&) const = default;
};

/// timer_source -> owner: the time of timer `id` has come.
struct timer_fired {
  std::uint64_t id = 0;
  bool operator==(const timer_fired&) const = default;
};

namespace detail {
/// What a timer needs of its source; thread-safe.
class timer_registry {
 public:
  virtual ~timer_registry() = default;
  virtual void cancel(std::uint64_t key) noexcept = 0;
};

/// What a subscription needs of its source; thread-safe.
class fd_registry {
 public:
  virtual ~fd_registry() = default;
  virtual result<void> rearm(std::uint64_t id, std::uint32_t events) = 0;
  virtual void forget(std::uint64_t id) noexcept = 0;
};
} // namespace detail

/// One watched descriptor; ends with this object. Does not own the descriptor: destroy the
/// subscription before closing it (declare it after the unique_fd). An fd_ready that was already
/// under way may still arrive: compare its id.
class fd_subscription {
 public:
  fd_subscription() noexcept = default;
  fd_subscription(std::shared_ptr<detail::fd_registry> of, std::uint64_t id) noexcept
      : of_(std::move(of))
      , id_(id) {}
  fd_subscription(fd_subscription&& other) noexcept;
  fd_subscription& operator=(fd_subscription&& other) noexcept;
  ~fd_subscription() { reset(); }

  /// Never 0 while watching.
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  explicit operator bool() const noexcept { return id_ != 0; }

  /// Asks for the next fd_ready; may change the events. From any thread; a no-op when empty.
  result<void> rearm(std::uint32_t events);
  void reset() noexcept;

 private:
  std::shared_ptr<detail::fd_registry> of_;
  std::uint64_t id_ = 0;
};

/// Where an actor gets its readiness from; tests hand in a fake and send fd_ready themselves.
class fd_source {
 public:
  virtual ~fd_source() = default;
  /// Sends `owner` one fd_ready when `fd` shows one of `events` (EPOLLIN, ...; errors and hang-up
  /// always count). One shot: see fd_subscription::rearm. The owner is held weakly. Errors: the
  /// descriptor cannot be polled (a regular file), or is watched already.
  virtual result<fd_subscription> watch(int fd, std::uint32_t events, const caf::actor& owner) = 0;
};

/// One pending time; ends with this object, and leaves nothing behind. A timer_fired that was
/// already under way may still arrive: compare its id.
class timer {
 public:
  timer() noexcept = default;
  timer(std::shared_ptr<detail::timer_registry> of, std::uint64_t key) noexcept
      : of_(std::move(of))
      , key_(key) {}
  timer(timer&& other) noexcept : of_(std::move(other.of_)), key_(other.key_) {}
  timer& operator=(timer&& other) noexcept {
    reset();
    of_ = std::move(other.of_);
    key_ = other.key_;
    return *this;
  }
  ~timer() { reset(); }
  void reset() noexcept {
    if (const auto of = std::exchange(of_, nullptr)) of->cancel(key_);
  }

 private:
  std::shared_ptr<detail::timer_registry> of_;
  std::uint64_t key_ = 0;
};

/// Where an actor gets times from that it may give up: CAF's own clock keeps a message, and with it
/// its receiver, until it is due. Tests hand in one that follows their virtual clock.
class timer_source {
 public:
  virtual ~timer_source() = default;
  /// Sends `owner` one timer_fired{id} after `delay`. The owner is held weakly.
  virtual timer after(std::chrono::milliseconds delay, const caf::actor& owner,
                      std::uint64_t id) = 0;
};

/// The epoll thread. Takes no signals. Destroy it after the actor_system whose actors it serves;
/// subscriptions may outlive it (they then do nothing).
class poller final : public fd_source, public timer_source {
 public:
  static result<std::unique_ptr<poller>> create();
  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;
  ~poller() override;

  result<fd_subscription> watch(int fd, std::uint32_t events, const caf::actor& owner) override;
  timer after(std::chrono::milliseconds delay, const caf::actor& owner, std::uint64_t id) override;
  /// What the destructor does, for a poller that others still point at: later watches are refused.
  void stop();

 private:
  class core;
  explicit poller(std::shared_ptr<core> c) : core_(std::move(c)) {}
  std::shared_ptr<core> core_;
};

} // namespace tank

#define TANK_POLLER_MESSAGES(M, O, b) M(b, fd_ready, id, events) M(b, timer_fired, id)
TANK_ROLE_MESSAGES(tank_poller, ::tank::compat::roles::poller, TANK_POLLER_MESSAGES);

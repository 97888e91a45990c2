#include "actors/poller.hpp"

#include "actors/caf_compat.hpp"
#include "base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace tank {

fd_subscription::fd_subscription(fd_subscription&& other) noexcept
    : of_(std::move(other.of_))
    , id_(std::exchange(other.id_, 0)) {}

fd_subscription& fd_subscription::operator=(fd_subscription&& other) noexcept {
  if (this != &other) {
    reset();
    of_ = std::move(other.of_);
    id_ = std::exchange(other.id_, 0);
  }
  return *this;
}

result<void> fd_subscription::rearm(std::uint32_t events) {
  if (id_ == 0) return {};
  return of_->rearm(id_, events);
}

void fd_subscription::reset() noexcept {
  if (const auto id = std::exchange(id_, 0); id != 0) of_->forget(id);
  of_.reset();
}

namespace {

constexpr std::uint64_t wake_id = 0; // never given to a subscription

epoll_event event_of(std::uint64_t id, std::uint32_t events) {
  epoll_event e{};
  e.events = events;
  e.data.u64 = id;
  return e;
}

} // namespace

class poller::core final : public detail::fd_registry, public detail::timer_registry {
 public:
  core(unique_fd epoll, unique_fd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}

  void start() {
    // threads inherit the mask: signals belong to whoever reads the signalfd, never to this thread
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { loop(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void stop() {
    {
      const std::lock_guard lock{mutex_};
      if (std::exchange(stopped_, true)) return;
    }
    eventfd_write(wake_.get(), 1);
    thread_.join();
    const std::lock_guard lock{mutex_};
    watched_.clear();
    timers_.clear();
    due_.clear();
    epoll_.reset(); // subscriptions may keep this object for longer
    wake_.reset();
  }

  result<std::uint64_t> add(int fd, std::uint32_t events, const caf::actor& owner) {
    const std::lock_guard lock{mutex_};
    if (stopped_) return fail(errc::unavailable, "watch", "a descriptor", "the poller has ended");
    const auto id = ++last_id_;
    auto e = event_of(id, events | EPOLLONESHOT);
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e) != 0)
      return fail_errno(errno, "watch descriptor", std::to_string(fd));
    watched_.emplace(id, entry{fd, owner.address()});
    return id;
  }

  result<void> rearm(std::uint64_t id, std::uint32_t events) override {
    const std::lock_guard lock{mutex_};
    const auto it = watched_.find(id);
    if (it == watched_.end()) return {};
    auto e = event_of(id, events | EPOLLONESHOT);
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, it->second.fd, &e) != 0)
      return fail_errno(errno, "watch descriptor", std::to_string(it->second.fd));
    return {};
  }

  std::uint64_t add_timer(std::chrono::milliseconds delay, const caf::actor& owner,
                          std::uint64_t id) {
    const auto at = clock::now() + delay;
    const std::lock_guard lock{mutex_};
    const auto key = ++last_timer_;
    if (stopped_) return key;
    timers_.emplace(key, at);
    due_.emplace(std::pair{at, key}, pending{owner.address(), id});
    // A thread that sleeps for longer must look again; for a time that was given up it wakes once.
    if (at < sleeps_until_) {
      sleeps_until_ = at;
      eventfd_write(wake_.get(), 1);
    }
    return key;
  }

  void cancel(std::uint64_t key) noexcept override {
    const std::lock_guard lock{mutex_};
    const auto it = timers_.find(key);
    if (it == timers_.end()) return;
    due_.erase({it->second, key});
    timers_.erase(it);
  }

  void forget(std::uint64_t id) noexcept override {
    const std::lock_guard lock{mutex_};
    drop(id);
  }

 private:
  struct entry {
    int fd;
    caf::actor_addr owner;
  };

  void drop(std::uint64_t id) {
    const auto it = watched_.find(id);
    if (it == watched_.end()) return;
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, it->second.fd, nullptr);
    watched_.erase(it);
  }

  void loop() {
    std::array<epoll_event, 64> ready{};
    for (;;) {
      const int patience = fire_timers();
      const int n =
          epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), patience);
      for (int i = 0; i < n; ++i) {
        const auto& e = ready.at(static_cast<std::size_t>(i));
        if (e.data.u64 != wake_id) tell(e.data.u64, e.events);
      }
      const std::lock_guard lock{mutex_};
      if (stopped_) return;
      eventfd_t woken = 0;
      static_cast<void>(eventfd_read(wake_.get(), &woken)); // there may be nothing to read
    }
  }

  /// Tells of the times that have come; how long epoll may wait for the next one, in ms.
  int fire_timers() {
    std::vector<std::pair<caf::actor, std::uint64_t>> fired;
    int patience = -1;
    {
      const std::lock_guard lock{mutex_};
      const auto now = clock::now();
      while (!due_.empty() && due_.begin()->first.first <= now) {
        const auto first = due_.begin();
        if (auto owner = caf::actor_cast<caf::actor>(first->second.owner))
          fired.emplace_back(std::move(owner), first->second.id);
        timers_.erase(first->first.second);
        due_.erase(first);
      }
      sleeps_until_ = due_.empty() ? clock::time_point::max() : due_.begin()->first.first;
      if (!due_.empty()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(sleeps_until_ - now);
        patience = static_cast<int>(std::min<std::int64_t>(left.count(), 3'600'000));
      }
    }
    for (const auto& [owner, id] : fired)
      compat::anon_send(owner, timer_fired{id});
    return patience;
  }

  void tell(std::uint64_t id, std::uint32_t events) {
    caf::actor owner;
    {
      const std::lock_guard lock{mutex_};
      const auto it = watched_.find(id);
      if (it == watched_.end()) return;
      owner = caf::actor_cast<caf::actor>(it->second.owner);
      if (!owner) return drop(id);
    }
    // outside the lock: a send may run code of the receiver's scheduler
    compat::anon_send(owner, fd_ready{id, events});
  }

  using clock = std::chrono::steady_clock;
  struct pending {
    caf::actor_addr owner;
    std::uint64_t id = 0;
  };

  unique_fd epoll_;
  unique_fd wake_;
  std::mutex mutex_; // guards what follows
  std::uint64_t last_timer_ = 0;
  std::unordered_map<std::uint64_t, clock::time_point> timers_; ///< by key
  std::map<std::pair<clock::time_point, std::uint64_t>, pending> due_;
  clock::time_point sleeps_until_ = clock::time_point::max();
  bool stopped_ = false;
  std::uint64_t last_id_ = wake_id;
  std::unordered_map<std::uint64_t, entry> watched_;
  std::thread thread_;
};

result<std::unique_ptr<poller>> poller::create() {
  unique_fd epoll{epoll_create1(EPOLL_CLOEXEC)};
  if (!epoll) return fail_errno(errno, "create", "epoll descriptor");
  unique_fd wake{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!wake) return fail_errno(errno, "create", "eventfd");
  auto e = event_of(wake_id, EPOLLIN);
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &e) != 0)
    return fail_errno(errno, "watch", "eventfd");
  auto c = std::make_shared<core>(std::move(epoll), std::move(wake));
  c->start();
  return std::unique_ptr<poller>{new poller{std::move(c)}};
}

poller::~poller() {
  stop();
}

void poller::stop() {
  core_->stop();
}

timer poller::after(std::chrono::milliseconds delay, const caf::actor& owner, std::uint64_t id) {
  return {core_, core_->add_timer(delay, owner, id)};
}

result<fd_subscription> poller::watch(int fd, std::uint32_t events, const caf::actor& owner) {
  const auto id = TANK_TRY(core_->add(fd, events, owner));
  return fd_subscription{core_, id};
}

} // namespace tank

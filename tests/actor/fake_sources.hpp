/// Where actors under a script get readiness and times from.
#pragma once

#include "actors/poller.hpp"
#include "tests/actor/script.hpp"

#include <caf/actor.hpp>
#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/epoll.h>

namespace tank::testing {

/// Descriptors that are looked at when the test says so: deliver() is one turn of the epoll thread.
class fake_fds final : public fd_source {
 public:
  result<fd_subscription> watch(int fd, std::uint32_t events, const caf::actor& owner) override {
    if (refuse) return failure{*refuse};
    if (id_of(fd) != 0) return fail(errc::exists, "watch", std::to_string(fd), "twice");
    const auto id = core_->next++;
    core_->watched[id] = {fd, events, owner.address()};
    return fd_subscription{core_, id};
  }
  /// Sends fd_ready for what is armed and shows what it is armed for; whether there was anything.
  /// `fd`: of this one alone.
  bool deliver(std::optional<int> fd = {}) {
    bool any = false;
    for (auto& [id, w] : core_->watched) {
      if (w.armed == 0 || fd.value_or(w.fd) != w.fd) continue;
      pollfd p{w.fd, static_cast<short>(w.armed), 0}; // the numbers of poll and epoll are the same
      if (::poll(&p, 1, 0) != 1) continue;
      const auto owner = caf::actor_cast<caf::actor>(w.owner);
      if (!owner) continue;
      w.armed = 0;
      any = true;
      compat::anon_send(owner, fd_ready{id, static_cast<std::uint32_t>(p.revents)});
    }
    return any;
  }
  /// Empty when nobody watches it, or when it has ended.
  [[nodiscard]] caf::actor owner_of(int fd) const {
    const auto it = core_->watched.find(id_of(fd));
    return it == core_->watched.end() ? caf::actor{}
                                      : caf::actor_cast<caf::actor>(it->second.owner);
  }
  /// 0 when nobody watches it.
  [[nodiscard]] std::uint64_t id_of(int fd) const {
    for (const auto& [id, w] : core_->watched)
      if (w.fd == fd) return id;
    return 0;
  }
  [[nodiscard]] std::vector<std::uint64_t> ids() const {
    std::vector<std::uint64_t> out;
    for (const auto& [id, w] : core_->watched)
      out.push_back(id);
    return out;
  }
  [[nodiscard]] std::size_t watched() const { return core_->watched.size(); }
  std::optional<error> refuse;

 private:
  struct watch_entry {
    int fd = -1;
    std::uint32_t armed = 0; ///< one shot, as the real one's
    caf::actor_addr owner;
  };
  struct core final : detail::fd_registry {
    std::map<std::uint64_t, watch_entry> watched;
    std::uint64_t next = 1;
    result<void> rearm(std::uint64_t id, std::uint32_t events) override {
      if (const auto it = watched.find(id); it != watched.end()) it->second.armed = events;
      return {};
    }
    void forget(std::uint64_t id) noexcept override { watched.erase(id); }
  };
  std::shared_ptr<core> core_ = std::make_shared<core>();
};

/// Times that come with script::advance, and are known while they are awaited.
class script_timers final : public timer_source {
 public:
  explicit script_timers(script& s) : sys_(s.sys) {
    keeper_ = s.sys.spawn([c = core_](caf::event_based_actor*) -> caf::behavior {
      return {[c](const timer_fired& m) { c->fire(m.id); }};
    });
    s.settle();
  }
  timer after(std::chrono::milliseconds delay, const caf::actor& owner, std::uint64_t id) override {
    const auto key = ++core_->last;
    core_->waiting[key] = {owner.address(), id, delay};
    caf::scoped_actor self{sys_};
    compat::send_after(&*self, keeper_, delay, timer_fired{key});
    return timer{core_, key};
  }
  /// The delays of those that are awaited, in the order of their making.
  [[nodiscard]] std::vector<std::chrono::milliseconds> pending() const {
    std::vector<std::chrono::milliseconds> out;
    for (const auto& [key, t] : core_->waiting)
      out.push_back(t.delay);
    return out;
  }

 private:
  struct waiting_timer {
    caf::actor_addr owner;
    std::uint64_t id = 0;
    std::chrono::milliseconds delay{0};
  };
  struct core final : detail::timer_registry {
    std::map<std::uint64_t, waiting_timer> waiting; ///< by key
    std::uint64_t last = 0;
    void cancel(std::uint64_t key) noexcept override { waiting.erase(key); }
    void fire(std::uint64_t key) {
      const auto it = waiting.find(key);
      if (it == waiting.end()) return;
      const auto due = it->second;
      waiting.erase(it);
      if (const auto owner = caf::actor_cast<caf::actor>(due.owner))
        compat::anon_send(owner, timer_fired{due.id});
    }
  };
  caf::actor_system& sys_;
  std::shared_ptr<core> core_ = std::make_shared<core>();
  caf::actor keeper_;
};

} // namespace tank::testing

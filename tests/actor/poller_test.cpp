#include "actors/caf_compat.hpp"
#include "actors/messages.hpp"
#include "actors/poller.hpp"
#include "base/unique_fd.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

namespace poller_test {

using namespace std::chrono_literals;
using namespace tank;

namespace {

struct fixture {
  std::unique_ptr<poller> polls = *poller::create(); // outlives the actors
  system_config config;
  caf::actor_system sys{config};
  caf::scoped_actor self{sys};
  caf::actor me{caf::actor_cast<caf::actor>(self)};

  // waits for the event itself; the limit only keeps a broken build from hanging
  fd_ready next() {
    fd_ready got;
    self->receive([&](const fd_ready& m) { got = m; },
                  caf::after(10s) >> [] { FAIL("no fd_ready came"); });
    return got;
  }
  std::uint64_t next_timer() {
    std::uint64_t id = 0;
    self->receive([&](const timer_fired& m) { id = m.id; },
                  caf::after(10s) >> [] { FAIL("no timer_fired came"); });
    return id;
  }
};

unique_fd make_event() {
  return unique_fd{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
}

} // namespace

TEST_CASE("a descriptor that becomes readable is told once per arm") {
  fixture f;
  auto first = make_event();
  auto second = make_event();
  auto a = f.polls->watch(first.get(), EPOLLIN, f.me);
  auto b = f.polls->watch(second.get(), EPOLLIN, f.me);
  REQUIRE(a);
  REQUIRE(b);
  CHECK(a->id() != b->id());

  eventfd_write(first.get(), 1);
  CHECK(f.next() == fd_ready{a->id(), EPOLLIN});
  // `first` is still readable but not armed: what comes next must be `second`
  eventfd_write(second.get(), 1);
  CHECK(f.next() == fd_ready{b->id(), EPOLLIN});

  REQUIRE(a->rearm(EPOLLIN));
  CHECK(f.next() == fd_ready{a->id(), EPOLLIN});
}

TEST_CASE("the end of a pipe's writer is reported as hang-up") {
  fixture f;
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  unique_fd read_end{ends[0]};
  unique_fd write_end{ends[1]};
  auto s = f.polls->watch(read_end.get(), EPOLLIN, f.me);
  REQUIRE(s);
  write_end.reset();
  CHECK((f.next().events & EPOLLHUP) != 0);
}

TEST_CASE("a dropped subscription frees its descriptor for another") {
  fixture f;
  auto fd = make_event();
  auto first = f.polls->watch(fd.get(), EPOLLIN, f.me);
  REQUIRE(first);
  auto twice = f.polls->watch(fd.get(), EPOLLIN, f.me);
  REQUIRE_FALSE(twice);
  CHECK(twice.error().code == errc::exists);
  const auto old = first->id();
  first->reset();
  CHECK_FALSE(*first);

  auto second = f.polls->watch(fd.get(), EPOLLIN, f.me);
  REQUIRE(second);
  eventfd_write(fd.get(), 1);
  const auto got = f.next();
  CHECK(got.id == second->id());
  CHECK(got.id != old);
}

TEST_CASE("a regular file cannot be watched, and the error says so") {
  fixture f;
  unique_fd file{memfd_create("x", 0)};
  auto s = f.polls->watch(file.get(), EPOLLIN, f.me);
  REQUIRE_FALSE(s);
  CHECK(s.error().sys == EPERM);
}

TEST_CASE("a subscription that outlives its poller does nothing") {
  fixture f;
  auto fd = make_event();
  auto s = f.polls->watch(fd.get(), EPOLLIN, f.me);
  REQUIRE(s);
  f.polls.reset();
  CHECK(s->rearm(EPOLLIN).has_value());
  s->reset();
  CHECK_FALSE(*s);
}

// --- timers --------------------------------------------------------------------------------------

namespace {

using clock_type = std::chrono::steady_clock;

/// A timer, and between which times it is due.
struct started {
  timer handle;
  clock_type::time_point earliest;
  clock_type::time_point latest;
};

started start(fixture& f, std::chrono::milliseconds delay, std::uint64_t id) {
  const auto before = clock_type::now();
  auto handle = f.polls->after(delay, f.me, id);
  // One that is overdue when it is made cannot come before that.
  return {std::move(handle), before + delay, clock_type::now() + std::max(delay, 0ms)};
}

/// The threads of this process.
std::set<std::string> threads() {
  std::set<std::string> out;
  for (const auto& e : std::filesystem::directory_iterator{"/proc/self/task"})
    out.insert(e.path().filename());
  return out;
}

/// How often a thread has gone to sleep, looked at when it sleeps.
class sleeper {
 public:
  explicit sleeper(std::string tid) : dir_("/proc/self/task/" + tid) {}
  std::uint64_t times_asleep() {
    while (field("State:") != "S")
      std::this_thread::yield();
    return std::stoull(field("voluntary_ctxt_switches:"));
  }

 private:
  [[nodiscard]] std::string field(const std::string& name) const {
    std::ifstream file{dir_ + "/status"};
    for (std::string word; file >> word;)
      if (word == name && file >> word) return word;
    FAIL("no such field: ", name);
    return {};
  }
  std::string dir_;
};

} // namespace

TEST_CASE("timers come in the order in which they are due, each once, and not before") {
  fixture f;
  std::vector<started> all;
  for (const auto delay : {30ms, 0ms, 20ms, 10ms, 0ms, -5ms})
    all.push_back(start(f, delay, all.size()));
  std::set<std::uint64_t> seen;
  while (seen.size() < all.size()) {
    const auto id = f.next_timer();
    REQUIRE(id < all.size());
    CHECK(clock_type::now() >= all[id].earliest);
    CHECK(seen.insert(id).second);
    for (std::uint64_t other = 0; other < all.size(); ++other)
      if (all[other].latest < all[id].earliest) CHECK(seen.contains(other));
  }
  CHECK_FALSE(f.self->has_next_message());
}

TEST_CASE("a timer that is given up does not come; nor does one that another takes the place of") {
  fixture f;
  auto gone = f.polls->after(5ms, f.me, 1);
  gone.reset();
  gone.reset();
  { const auto dropped = f.polls->after(5ms, f.me, 2); }
  auto moved = f.polls->after(5ms, f.me, 3);
  auto replaced = f.polls->after(5ms, f.me, 4);
  replaced = f.polls->after(10ms, f.me, 5);
  auto target = std::move(moved);
  const auto last = f.polls->after(15ms, f.me, 6);
  CHECK(f.next_timer() == 3);
  CHECK(f.next_timer() == 5);
  CHECK(f.next_timer() == 6);
  target.reset(); // it has come: nothing happens
  CHECK_FALSE(f.self->has_next_message());
}

TEST_CASE("a timer does not hold its owner, and one that has ended harms nobody") {
  fixture f;
  auto owner = f.sys.spawn(
      [](caf::event_based_actor*) -> caf::behavior { return {[](const timer_fired&) {}}; });
  const auto weak = owner.address();
  const auto pending = f.polls->after(1h, owner, 1);
  const auto due = f.polls->after(0ms, owner, 2);
  caf::anon_send_exit(owner, caf::exit_reason::kill);
  f.self->wait_for(owner);
  owner = nullptr;
  const auto mine = f.polls->after(1ms, f.me, 3);
  CHECK(f.next_timer() == 3);
  while (caf::actor_cast<caf::actor>(weak)) // its worker thread may still hold it for a moment
    std::this_thread::yield();
}

TEST_CASE("thousands of timers, of which half are given up") {
  fixture f;
  constexpr std::uint64_t many = 10'000;
  std::vector<timer> all;
  for (std::uint64_t id = 0; id < many; ++id)
    all.push_back(f.polls->after(id % 2 == 0 ? std::chrono::milliseconds{id % 7} : 1h, f.me, id));
  for (std::uint64_t id = 1; id < many; id += 2)
    all[id].reset();
  std::set<std::uint64_t> seen;
  while (seen.size() < many / 2) {
    const auto id = f.next_timer();
    CHECK(id % 2 == 0);
    CHECK(seen.insert(id).second);
  }
  CHECK_FALSE(f.self->has_next_message());
}

TEST_CASE("the thread wakes for a time that comes before the one it sleeps for, and for no other") {
  const auto before = threads();
  auto polls = *poller::create();
  std::string tid;
  for (const auto& t : threads())
    if (!before.contains(t)) tid = t;
  REQUIRE_FALSE(tid.empty());
  system_config config;
  caf::actor_system sys{config};
  caf::scoped_actor self{sys};
  const auto me = caf::actor_cast<caf::actor>(self);
  sleeper thread{tid};

  const auto idle = thread.times_asleep();
  std::vector<timer> all;
  all.push_back(polls->after(1h, me, 1));
  const auto first = thread.times_asleep();
  CHECK(first > idle); // it has to look how long it may sleep
  for (int i = 0; i < 200; ++i) {
    all.push_back(polls->after(2h, me, 2));
    CHECK(thread.times_asleep() == first);
  }
  all.clear(); // nor for one that is given up
  CHECK(thread.times_asleep() == first);
  const auto sooner = polls->after(0ms, me, 3);
  bool fired = false;
  self->receive([&](const timer_fired& m) { fired = m.id == 3; },
                caf::after(10s) >> [] { FAIL("no timer_fired came"); });
  CHECK(fired);
}

TEST_CASE("a timer that outlives its poller does nothing") {
  fixture f;
  auto t = f.polls->after(1h, f.me, 1);
  f.polls->stop();
  auto late = f.polls->after(0ms, f.me, 2);
  f.polls.reset();
  t.reset();
  CHECK_FALSE(f.self->has_next_message());
}

} // namespace poller_test

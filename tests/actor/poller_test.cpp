#include "actors/caf_compat.hpp"
#include "actors/messages.hpp"
#include "actors/poller.hpp"
#include "base/unique_fd.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

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

#include "base/worker.hpp"

#include <doctest/doctest.h>

#include <future>
#include <latch>
#include <thread>
#include <vector>

namespace worker_test {

using namespace tank;
using namespace std::chrono_literals;

TEST_CASE("serial jobs are done one after the other, in order, and take one thread") {
  const auto pool = std::make_shared<thread_pool>(4, std::nullopt);
  const auto serial = std::make_shared<serial_runner>(pool);
  std::promise<void> hangs;
  std::vector<int> order;
  int running = 0;
  serial->submit([&] { hangs.get_future().wait(); });
  std::promise<void> done;
  for (int i = 0; i < 100; ++i)
    serial->submit([&, i] {
      CHECK(++running == 1);
      order.push_back(i);
      --running;
      if (i == 99) done.set_value();
    });
  // The three other threads are free for others: all of them at once.
  std::latch others{3};
  std::promise<void> free;
  for (int i = 0; i < 3; ++i)
    pool->submit([&, i] {
      others.arrive_and_wait();
      if (i == 0) free.set_value();
    });
  free.get_future().wait();
  CHECK(order.empty());
  hangs.set_value();
  done.get_future().wait();
  REQUIRE(order.size() == 100);
  for (int i = 0; i < 100; ++i)
    CHECK(order[static_cast<std::size_t>(i)] == i);
  pool->stop();
}

TEST_CASE("a serial job that asks for another one on a runner that runs at once") {
  const auto serial = std::make_shared<serial_runner>(std::make_shared<inline_runner>());
  std::vector<int> order;
  serial->submit([&] {
    serial->submit([&] { order.push_back(2); });
    order.push_back(1);
  });
  CHECK(order == std::vector{1, 2});
}

TEST_CASE("jobs that hang hold up the others no longer than the patience") {
  std::promise<void> hangs;
  const auto forever = hangs.get_future().share();
  thread_pool pool{2, 1ms};
  for (int i = 0; i < 20; ++i) // far more than there are threads
    pool.submit([forever] { forever.wait(); });
  for (int round = 0; round < 5; ++round) {
    std::promise<void> done;
    pool.submit([&] { done.set_value(); });
    done.get_future().wait();
  }
  hangs.set_value();
  std::promise<void> after;
  pool.submit([&] { after.set_value(); });
  after.get_future().wait();
}

TEST_CASE("without patience a job waits for its turn") {
  std::promise<void> hangs;
  const auto until = hangs.get_future().share();
  std::vector<int> order; // of one thread, so in no danger
  std::promise<void> done;
  thread_pool pool{1, std::nullopt};
  pool.submit([&, until] {
    until.wait();
    order.push_back(1);
  });
  pool.submit([&] {
    order.push_back(2);
    done.set_value();
  });
  hangs.set_value();
  done.get_future().wait();
  CHECK(order == std::vector{1, 2});
}

TEST_CASE("a stopped pool has waited for what ran, and keeps nothing of what comes later") {
  std::promise<void> begun;
  bool ended = false;
  const auto kept = std::make_shared<int>(0);
  thread_pool pool{1, 1h};
  pool.submit([&] {
    begun.set_value();
    ended = true;
  });
  begun.get_future().wait();
  for (int i = 0; i < 10; ++i)
    pool.submit([kept] {});
  pool.stop();
  CHECK(ended);
  CHECK(kept.use_count() == 1);
  pool.submit([kept] { FAIL("a job of a stopped pool"); });
  CHECK(kept.use_count() == 1);
}

} // namespace worker_test

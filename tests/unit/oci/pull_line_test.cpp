#include "oci/pull_line.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <new>
#include <semaphore>
#include <thread>

namespace pull_line_test {

using namespace tank;
using namespace tank::oci;
using namespace std::chrono_literals;

namespace {

using ids = std::vector<pull_order::id>;
const pull_order::time_point begin{1h};
constexpr std::uint64_t kib = 1024;

} // namespace

TEST_CASE("places go to who came first, and to the registry with the fewest pulls") {
  pull_order order{{.places = 2}};
  const auto a1 = order.enter("a");
  CHECK(order.decide(begin).begin == ids{a1});
  const auto a2 = order.enter("a");
  const auto a3 = order.enter("a");
  const auto a4 = order.enter("a");
  const auto b1 = order.enter("b");
  CHECK(order.decide(begin).begin == ids{b1}); // though it came last
  CHECK(order.decide(begin).begin.empty());
  order.leave(a1);
  CHECK(order.decide(begin).begin == ids{a2});
  order.leave(b1);
  CHECK(order.decide(begin).begin == ids{a3}); // nobody else wants it
  order.leave(a2);
  order.leave(a3);
  CHECK(order.decide(begin).begin == ids{a4});
}

TEST_CASE("a pull that gets next to nothing gives way, but only while others wait") {
  pull_order order{{.places = 3, .useful_rate = 16 * kib, .window = 20s}};
  const auto slow = order.enter("slow");
  const auto slower = order.enter("slower");
  const auto fast = order.enter("fast");
  CHECK(order.decide(begin).begin.size() == 3);
  order.came(slow, 20 * 10 * kib, 1 << 30);
  order.came(slower, 20 * 2 * kib, 1 << 30);
  order.came(fast, 20 * 100 * kib, 1 << 30);
  const auto alone = order.decide(begin + 1h);
  CHECK_FALSE(alone.give_way);
  CHECK_FALSE(alone.look_again); // nothing to wake for
  const auto waiting = order.enter("other");
  const auto judged = order.decide(begin + 20s);
  CHECK(judged.give_way == slower);
  CHECK(judged.begin.empty());
  CHECK_FALSE(order.decide(begin + 21s).give_way); // one place for one who waits
  order.leave(slower);
  CHECK(order.decide(begin + 22s).begin == ids{waiting});
  const auto again = order.enter("slower");
  CHECK(order.decide(begin + 23s).give_way == slow);
  order.leave(slow);
  CHECK(order.decide(begin + 24s).begin == ids{again});
}

TEST_CASE("each window counts for itself, and one that has all its bytes is left alone") {
  pull_order order{{.places = 1, .useful_rate = 16 * kib, .window = 20s}};
  const auto first = order.enter("a");
  order.decide(begin);
  order.enter("b");
  CHECK(order.decide(begin + 1s).look_again == begin + 20s);
  order.came(first, 100'000 * kib, 200'000 * kib);
  const auto good = order.decide(begin + 20s);
  CHECK_FALSE(good.give_way);
  CHECK(good.look_again == begin + 40s);
  SUBCASE("it stands still") {
    CHECK(order.decide(begin + 40s).give_way == first);
  }
  SUBCASE("it unpacks") {
    order.came(first, 200'000 * kib, 200'000 * kib);
    CHECK_FALSE(order.decide(begin + 40s).give_way);
  }
}

TEST_CASE("threads wait for their places, and one that is slow lets the next one go") {
  pull_line line{{.places = 1, .useful_rate = 16 * kib, .window = 1ms}};
  using outcome = result<int>;
  using body = std::function<outcome(const pull_line::progress&, cancellation&)>;
  std::atomic<bool> has_place{false};
  outcome slow;
  std::thread other{[&] {
    cancellation stop;
    slow = line.run("slow", stop, body{[&](const auto&, cancellation& told) -> outcome {
                      has_place = true;
                      has_place.notify_all();
                      told.wait_for(1h);
                      return fail(errc::cancelled, "pull", "it", "told to");
                    }});
  }};
  has_place.wait(false);
  cancellation stop;
  CHECK(line.run("fast", stop, body{[](const auto&, auto&) -> outcome { return 7; }}) == 7);
  other.join();
  REQUIRE_FALSE(slow);
  CHECK(slow.error().code == errc::timeout);
  // Nobody waits who is not wanted any more.
  cancellation over;
  over.cancel();
  CHECK(line.run("none", over, body{[](const auto&, auto&) -> outcome { return 8; }}).has_value() ==
        false);
}

TEST_CASE("a place that is free again before its pull was told of it is seen") {
  pull_line line{{.places = 1, .useful_rate = 16 * kib, .window = 1ms}};
  using outcome = result<int>;
  using body = std::function<outcome(const pull_line::progress&, cancellation&)>;
  std::binary_semaphore has_place{0};
  std::binary_semaphore told{0};
  std::binary_semaphore over{0};
  // Never destroyed: its end would wait for the call, and the call waits for the end of the pull.
  alignas(cancellation::subscription) std::byte heard[sizeof(cancellation::subscription)];
  outcome slow;
  std::thread other{[&] {
    cancellation stop;
    slow = line.run("slow", stop, body{[&](const auto&, cancellation& mine) -> outcome {
                      new (heard) cancellation::subscription{mine, [&] {
                                                               told.release();
                                                               over.acquire();
                                                             }};
                      has_place.release();
                      told.acquire();
                      return fail(errc::cancelled, "pull", "it", "told to");
                    }});
    over.release();
  }};
  has_place.acquire();
  cancellation stop;
  CHECK(line.run("fast", stop, body{[](const auto&, auto&) -> outcome { return 7; }}) == 7);
  other.join();
  REQUIRE_FALSE(slow);
  CHECK(slow.error().code == errc::timeout);
}

} // namespace pull_line_test

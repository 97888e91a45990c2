// activeDeadlineSeconds: from when a pod is first desired, over restarts, back-offs and daemons.
#include "pod/pod_phase.hpp"
#include "tests/unit/pod/core_world.hpp"

#include <doctest/doctest.h>

namespace reconciler_deadline_test {

using namespace tank;
using namespace tank::testing;

namespace {

desired_pod limited(const std::string& hash, std::int64_t seconds,
                    const std::string& policy = "Always") {
  auto d = pod(hash, policy);
  auto p = std::make_shared<config::pod>(*d.pod);
  p->spec.active_deadline_seconds = seconds;
  d.pod = p;
  return d;
}

} // namespace

TEST_CASE("a pod that is active for too long is stopped in order, has failed, and stays so") {
  world w;
  w.want(limited("a", 60));
  REQUIRE(w.woken.size() == 1);
  CHECK(w.woken[0].delay == 60s);
  w.run();
  w.wait(60s - 1ms);
  w.due();
  CHECK(w.stopped.empty());
  w.wait(1ms);
  w.due();
  REQUIRE(w.stopped.size() == 1);
  CHECK_FALSE(w.stopped[0].grace);
  CHECK(w.status().state == pod_state::stopping);
  w.down(stop_requested("exited with code 0"));
  CHECK(w.status().state == pod_state::terminal);
  CHECK(w.status().reason == "DeadlineExceeded");
  CHECK(phase_of(w.status()) == pod_phase::failed);
  CHECK(status_word(w.status()) == "DeadlineExceeded");
  CHECK(w.started.size() == 1);
  w.wait(1h);
  w.pass();
  CHECK(w.started.size() == 1);
}

TEST_CASE("a restart does not begin it anew; a back-off is within it") {
  world w;
  w.want(limited("a", 15));
  w.run();
  w.wait(2s);
  w.down(stop_exited(3));
  CHECK(w.status().state == pod_state::backing_off);
  w.wait(10s);
  w.due();
  REQUIRE(w.started.size() == 2);
  CHECK(w.woken.back().delay == 3s);
  w.down(stop_exited(3));
  w.wait(3s);
  w.due(); // while it waits for its back-off
  CHECK(w.status().state == pod_state::terminal);
  CHECK(w.status().reason == "DeadlineExceeded");
  CHECK(w.status().restart_at_ns == 0);
}

TEST_CASE("one that was told to restart, or has other content, has all its time again") {
  world w;
  w.want(limited("a", 60));
  w.run();
  w.wait(59s);
  w.want(limited("b", 60));
  w.wait(2s);
  w.down(stop_requested(""));
  CHECK(w.status().state == pod_state::starting);
  CHECK(w.woken.back().delay == 60s);
  w.wait(60s);
  w.due();
  w.down(stop_requested(""));
  CHECK(w.status().reason == "DeadlineExceeded");
  w.note(*w.core.restart(key, w.now));
  CHECK(w.status().state == pod_state::starting);
  CHECK(w.status().reason.empty());
  CHECK(w.woken.back().delay == 60s);
}

TEST_CASE("it goes on over a daemon, and what is over stays over") {
  world w;
  w.want(limited("a", 60));
  w.run();
  w.wait(20s);
  const auto record = *w.core.record(key);
  world next;
  next.now = w.now;
  next.note(next.core.restore({record}, next.now));
  CHECK(next.woken.back().delay == 40s);
  next.wait(41s); // nobody woke it: the next look does
  next.want(limited("a", 60));
  CHECK(next.status().state == pod_state::stopping);
  next.down(stop_requested(""));
  CHECK(next.status().reason == "DeadlineExceeded");
  world last;
  last.now = next.now;
  last.note(last.core.restore({*next.core.record(key)}, last.now));
  last.want(limited("a", 60));
  CHECK(last.started.empty());
  CHECK(last.status().reason == "DeadlineExceeded");
}

} // namespace reconciler_deadline_test

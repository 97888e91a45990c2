#include "base/stop_reason.hpp"
#include "pod/backoff.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

namespace backoff_test {

using namespace tank;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

const std::chrono::steady_clock::time_point now{1h};

std::vector<milliseconds> delays(const backoff_profile& profile, std::uint32_t count) {
  std::vector<milliseconds> out;
  for (std::uint32_t n = 0; n < count; ++n)
    out.push_back(backoff_delay(profile, n));
  return out;
}

restart_verdict judge(restart_policy policy, const stop_reason& why) {
  return restart_decision(policy, why, {}, {}, now);
}

const restart_verdict first_retry = restart_after{10s, 1};
const restart_verdict never_again = stay_terminal{};

const stop_reason failures[] = {
    stop_exited(1),
    stop_signaled(9),
    {stop_class::shutdown, stop_cause::oom_killed, 9, ""},
    stop_failed({}),
    stop_session_down("x"),
    {stop_class::abnormal, stop_cause::exception, 0, "x"},
    {stop_class::abnormal, stop_cause::killed, 0, ""},
};

} // namespace

TEST_CASE("the default profile doubles from 10 s up to 300 s") {
  CHECK(delays({}, 8) == std::vector<milliseconds>{10s, 20s, 40s, 80s, 160s, 300s, 300s, 300s});
}

TEST_CASE("the kubelet profile restarts once at once") {
  CHECK(delays(*named_backoff("kubelet"), 7) ==
        std::vector<milliseconds>{0s, 10s, 20s, 40s, 80s, 160s, 300s});
}

TEST_CASE("the fast profile goes from 1 s to 60 s") {
  CHECK(delays(*named_backoff("fast"), 8) ==
        std::vector<milliseconds>{1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s});
}

TEST_CASE("an unknown profile name is no profile") {
  CHECK_FALSE(named_backoff("quick"));
}

TEST_CASE("any number of retries stays at the cap") {
  CHECK(backoff_delay({}, std::numeric_limits<std::uint32_t>::max()) == 300s);
  CHECK(backoff_delay({.base = 1ms, .cap = milliseconds::max()}, 20) == 1048576ms);
}

TEST_CASE("a base above the cap waits for the cap") {
  CHECK(backoff_delay({.base = 10s, .cap = 2s}, 0) == 2s);
}

TEST_CASE("a base of zero never waits") {
  CHECK(backoff_delay({.base = 0s}, 1000000) == 0s);
}

TEST_CASE("Always restarts after every end") {
  CHECK(judge(restart_policy::always, stop_normal()) == first_retry);
  for (const auto& why : failures)
    CHECK(judge(restart_policy::always, why) == first_retry);
}

TEST_CASE("OnFailure restarts after a failure and not after a clean end") {
  CHECK(judge(restart_policy::on_failure, stop_normal()) == never_again);
  CHECK(judge(restart_policy::on_failure, stop_requested("")) == never_again);
  CHECK(judge(restart_policy::on_failure, stop_shutdown()) == never_again);
  for (const auto& why : failures)
    CHECK(judge(restart_policy::on_failure, why) == first_retry);
}

TEST_CASE("Never stays down") {
  CHECK(judge(restart_policy::never, stop_normal()) == never_again);
  for (const auto& why : failures)
    CHECK(judge(restart_policy::never, why) == never_again);
}

TEST_CASE("the wait grows with the retries in a row") {
  CHECK(restart_decision(restart_policy::always, stop_exited(1), {2, now - 599s}, {}, now) ==
        restart_verdict{restart_after{40s, 3}});
}

TEST_CASE("a run of at least the stable time forgives all retries") {
  CHECK(restart_decision(restart_policy::always, stop_exited(1), {7, now - 600s}, {}, now) ==
        first_retry);
}

TEST_CASE("a run that never came up is never stable") {
  CHECK(restart_decision(restart_policy::always, stop_failed({}), {1, std::nullopt}, {}, now) ==
        restart_verdict{restart_after{20s, 2}});
}

TEST_CASE("the Pod's words become policies") {
  CHECK(parse_restart_policy("Always") == restart_policy::always);
  CHECK(parse_restart_policy("OnFailure") == restart_policy::on_failure);
  CHECK(parse_restart_policy("Never") == restart_policy::never);
  CHECK(parse_restart_policy("") == restart_policy::always);
}

} // namespace backoff_test

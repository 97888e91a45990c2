// What of the supervisor is easier to see without actors: how its cost grows.
#include "actors/supervision/stop_reason.hpp"
#include "actors/supervision/supervisor_core.hpp"

#include <doctest/doctest.h>

#include <ctime>

namespace supervisor_core_test {

using namespace tank;

namespace {

/// Children that start, and end as soon as they are told to.
struct obedient : supervisor_port {
  supervisor_core* core = nullptr;
  std::deque<child_ref> ending;
  child_ref last = 0;

  start_outcome start(const child_start&) override { return {++last, std::nullopt}; }
  void signal_shutdown(child_ref child) override { ending.push_back(child); }
  void kill(child_ref child) override { ending.push_back(child); }
  void arm(std::uint64_t, std::chrono::milliseconds) override {}
  void retry(std::uint64_t) override {}
  void report(const supervisor_report&) override {}
  std::chrono::steady_clock::time_point now() override { return {}; }
  void finished(const stop_reason&) override {}

  void let_end() {
    while (!ending.empty()) {
      const auto child = ending.front();
      ending.pop_front();
      core->child_down(child, stop_shutdown());
    }
  }
};

child_spec a_child(std::size_t n) {
  child_spec spec;
  spec.id = std::to_string(n);
  spec.restart = child_restart::temporary;
  spec.start = [](caf::actor_system&) -> start_answer { return ignore_child{}; };
  return spec;
}

/// CPU seconds to start and stop so many children, one request each; the best of three.
double cost(supervision strategy, std::size_t count) {
  double best = 1e9;
  for (int round = 0; round < 3; ++round) {
    obedient port;
    std::vector<child_spec> specs;
    if (strategy == supervision::dynamic) specs.push_back(a_child(0));
    supervisor_core core{{.strategy = strategy}, std::move(specs), port};
    port.core = &core;
    core.begin();
    const auto began = std::clock();
    std::size_t done = 0;
    for (std::size_t i = 0; i < count; ++i)
      core.start_child(a_child(i), [](const result<child_ref>& r) { REQUIRE(r); });
    for (std::size_t i = 0; i < count; ++i) {
      const auto stopped = [&](const result<void>& r) { done += r ? 1 : 0; };
      if (strategy == supervision::dynamic)
        core.terminate_dynamic(
            i + 1, [] { return false; }, stopped);
      else
        core.terminate_child(std::to_string(i), stopped);
      port.let_end();
    }
    best = std::min(best, static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC);
    REQUIRE(done == count);
  }
  return best;
}

} // namespace

TEST_CASE("scale_start_stop_many_children, simple_one_for_one_scale_many_temporary_children: ten "
          "times as many cost about ten times as much") {
  for (const auto strategy : {supervision::one_for_one, supervision::dynamic}) {
    const auto few = cost(strategy, 1000);
    const auto many = cost(strategy, 10'000);
    MESSAGE("1000 children: ", few * 1e3, " ms, 10000: ", many * 1e3, " ms");
    CHECK(many < 50 * (few + 1e-4)); // OTP's bound; with n squared it would be a hundred
  }
}

} // namespace supervisor_core_test

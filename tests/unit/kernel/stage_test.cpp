#include "kernel/stage.hpp"

#include "kernel/instance.hpp"
#include "kernel/launch_failure.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace stage_test {

using namespace tank::kernel;

TEST_CASE("every request in every stage has the documented answer") {
  constexpr auto no_process = refuse(refusal::no_process);
  constexpr auto not_ready = refuse(refusal::not_ready);
  constexpr auto built = refuse(refusal::built);
  constexpr auto running = refuse(refusal::running);
  constexpr auto not_running = refuse(refusal::not_running);
  constexpr auto exists = refuse(refusal::exists);
  const verdict expected[requests][stages] = {
      // starting, ready, built, running, exited, signaled, aborted, failed
      {exists, exists, exists, exists, act, act, act, act},
      {hold, act, built, running, no_process, no_process, no_process, no_process},
      {not_ready, not_ready, act, running, no_process, no_process, no_process, no_process},
      {hold, act, act, running, no_process, no_process, no_process, no_process},
      {hold, hold, hold, act, no_process, no_process, no_process, no_process},
      {hold, act, act, act, no_process, no_process, no_process, no_process},
      {not_running, not_running, not_running, act, no_process, no_process, no_process, no_process},
      {act, act, act, act, act, act, act, act},
  };
  for (unsigned what = 0; what < requests; ++what)
    for (unsigned s = 0; s < stages; ++s) {
      CAPTURE(what);
      CAPTURE(s);
      CHECK(judge(static_cast<stage>(s), static_cast<request>(what)) == expected[what][s]);
    }
}

TEST_CASE("only the last four stages are terminal") {
  for (unsigned s = 0; s < stages; ++s)
    CHECK(is_terminal(static_cast<stage>(s)) == (s >= 4));
}

/// Each value of an enum has a name of its own, and what is beyond the last has none.
template <class Enum>
static void check_names(unsigned count) {
  std::set<std::string_view> names;
  for (unsigned i = 0; i < count; ++i) {
    CAPTURE(i);
    CHECK(to_string(static_cast<Enum>(i)) != "unknown");
    CHECK(!to_string(static_cast<Enum>(i)).empty());
    names.insert(to_string(static_cast<Enum>(i)));
  }
  CHECK(names.size() == count);
  CHECK(to_string(static_cast<Enum>(count)) == "unknown");
}

TEST_CASE("stages, requests, refusals and failures have names") {
  check_names<stage>(stages);
  check_names<request>(requests);
  check_names<refusal>(refusals);
  check_names<launch_failure>(launch_failures);
  CHECK(to_string(stage::failed) == "failed");
  CHECK(to_string(request::proceed) == "let go");
  CHECK(to_string(refusal::no_pty) == "no_pty");
  CHECK(to_string(refusal::failed) == "failed");
  CHECK(to_string(launch_failure::filtered) == "filtered");
}

TEST_CASE("an instance is named by its attempt when that is not the first") {
  CHECK(to_string(instance{"web", 0}) == "web");
  CHECK(to_string(instance{"web", 3}) == "web (attempt 3)");
  CHECK(instance{"web", 1} < instance{"web", 2});
  CHECK(instance{"a", 9} < instance{"b", 0});
}

} // namespace stage_test

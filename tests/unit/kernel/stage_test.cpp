#include "kernel/stage.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace tank::kernel;

TEST_CASE("every request in every stage has the documented answer") {
  using enum verdict;
  const verdict expected[verbs][stages] = {
      // starting, ready, built, running, exited, signaled, aborted, failed
      {hold, act, built, running, no_process, no_process, no_process, no_process},
      {not_ready, not_ready, act, running, no_process, no_process, no_process, no_process},
      {hold, act, act, running, no_process, no_process, no_process, no_process},
      {hold, hold, hold, act, no_process, no_process, no_process, no_process},
      {hold, act, act, act, no_process, no_process, no_process, no_process},
  };
  for (unsigned v = 0; v < verbs; ++v)
    for (unsigned s = 0; s < stages; ++s) {
      CAPTURE(v);
      CAPTURE(s);
      CHECK(judge(static_cast<stage>(s), static_cast<verb>(v)) == expected[v][s]);
    }
}

TEST_CASE("refusals carry their cause, permissions none") {
  CHECK(refusal(verdict::act).empty());
  CHECK(refusal(verdict::hold).empty());
  CHECK(refusal(verdict::not_ready) == "not_ready");
  CHECK(refusal(verdict::running) == "running");
  CHECK(refusal(verdict::no_process) == "no_process");
}

TEST_CASE("only the last four stages are terminal, and each has a name") {
  for (unsigned s = 0; s < stages; ++s) {
    CHECK(is_terminal(static_cast<stage>(s)) == (s >= 4));
    CHECK(to_string(static_cast<stage>(s)) != "unknown");
  }
  CHECK(to_string(static_cast<stage>(8)) == "unknown");
}

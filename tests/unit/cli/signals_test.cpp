#include "cli/signals.hpp"

#include <doctest/doctest.h>

#include <csignal>

#include <unistd.h>

namespace signals_test {

using namespace tank::cli;
using namespace std::chrono_literals;

TEST_CASE("each press of a key is a wish, however fast") {
  wishes w;
  const wishes::time t{};
  CHECK(w.is_new(SIGINT, 0, t));
  CHECK(w.is_new(SIGINT, 0, t + 1ms));
  CHECK(w.is_new(SIGINT, 0, t + 2ms));
}

TEST_CASE("one sender's signals in a quarter of a second are one wish") {
  wishes w;
  const wishes::time t{};
  CHECK(w.is_new(SIGINT, 42, t));
  CHECK_FALSE(w.is_new(SIGINT, 42, t));
  CHECK_FALSE(w.is_new(SIGINT, 42, t + 249ms));
  CHECK(w.is_new(SIGINT, 42, t + 250ms)); // from the first on: a stream of them is heard
  CHECK_FALSE(w.is_new(SIGINT, 42, t + 300ms));
  CHECK(w.is_new(SIGINT, 43, t + 301ms)); // somebody else
  CHECK(w.is_new(SIGINT, 0, t + 302ms));  // the key
  CHECK(w.is_new(SIGINT, 43, t + 303ms));
}

TEST_CASE("the end of a terminal comes from several") {
  wishes w;
  const wishes::time t{};
  CHECK(w.is_new(SIGHUP, 0, t));
  CHECK_FALSE(w.is_new(SIGHUP, 7, t + 1ms));  // the shell's
  CHECK_FALSE(w.is_new(SIGTERM, 1, t + 2ms)); // of the login's end
  CHECK(w.is_new(SIGTERM, 1, t + 1s));
  CHECK_FALSE(w.is_new(SIGPIPE, 9, t + 1s + 1ms));
}

TEST_CASE("the sender of a signal is known") {
  auto signals = termination_signals::take(false);
  REQUIRE(signals);
  ::kill(::getpid(), SIGTERM);
  CHECK(signals->next() == SIGTERM);
  CHECK(signals->sender() == ::getpid());
  CHECK(signals->next() == 0);
}

} // namespace signals_test

#include "kernel/open_files.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>

namespace open_files_test {

using namespace tank;

TEST_CASE("the soft limit of open files rises to the hard one, which stays") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit low{64, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  for (int i = 0; i < 2; ++i) { // there is nothing left to do the second time
    const auto raised = kernel::raise_open_files();
    CHECK(raised.value() == before.rlim_max);
    rlimit now{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &now) == 0);
    CHECK(now.rlim_cur == before.rlim_max);
    CHECK(now.rlim_max == before.rlim_max);
  }
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

} // namespace open_files_test

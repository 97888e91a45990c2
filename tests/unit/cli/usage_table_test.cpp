#include "cli/usage_table.hpp"

#include <doctest/doctest.h>

namespace usage_table_test {

using namespace tank;
using namespace tank::cli;

TEST_CASE("the table of usage") {
  usage_row web;
  web.now.key = "default/web";
  web.now.counted.memory = 12u << 20;
  web.now.counted.memory_peak = 30u << 20;
  web.now.counted.memory_limit = 64u << 20;
  web.now.counted.pids = 3;
  web.now.counted.pids_limit = 4096;
  web.rate = {.cpu_millis = 250, .throttled_percent = 12};
  usage_row unknown;
  unknown.now.key = "jobs/x";
  usage_row free;
  free.now.key = "default/free";
  free.now.counted.pids = 1;
  CHECK(usage_table({web, unknown, free}, 0) ==
        "NAME     CPU    MEMORY     PEAK       LIMIT      PIDS     THROTTLED\n"
        "web      250m   12.0 MiB   30.0 MiB   64.0 MiB   3/4096   12%\n"
        "jobs/x   -      -          -          -          -        -\n"
        "free     -      -          -          -          1        -\n");
  CHECK(usage_table({}, 8) == "NAME   C\n");
}

} // namespace usage_table_test

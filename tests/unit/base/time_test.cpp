#include "base/time.hpp"

#include <doctest/doctest.h>

namespace time_test {

using namespace tank;

TEST_CASE("moments of RFC 3339") {
  CHECK(parse_rfc3339("1970-01-01T00:00:00Z") == utc_time{});
  CHECK(parse_rfc3339("2024-02-29T12:34:56+01:30") == utc_time{1'709'204'696, 0});
  CHECK(parse_rfc3339("2024-02-29T11:04:56.5Z") == utc_time{1'709'204'696, 500'000'000});
  CHECK(parse_rfc3339("2024-02-29T11:04:56.0000000019Z") == utc_time{1'709'204'696, 1});
  CHECK(parse_rfc3339("1969-12-31T23:59:59Z") == utc_time{-1, 0});
  for (const auto* wrong :
       {"", "2024-02-30T00:00:00Z", "2024-02-29T24:00:00Z", "2024-02-29 00:00:00Z",
        "2024-02-29T00:00:00", "2024-02-29T00:00:00.Z", "2024-02-29T00:00:00+1:00",
        "2024-02-29T00:00:00ZZ", "-024-02-29T00:00:00Z", "2024-13-01T00:00:00Z"})
    CHECK_MESSAGE(parse_rfc3339(wrong) == std::nullopt, wrong);
}

TEST_CASE("moments are written as they are read") {
  CHECK(format_rfc3339(1'709'204'696) == "2024-02-29T11:04:56Z");
  CHECK(format_rfc3339(-1) == "1969-12-31T23:59:59Z");
  CHECK(format_rfc3339_nano({1'709'204'696, 7}) == "2024-02-29T11:04:56.000000007Z");
  const utc_time moment{253'402'300'799, 999'999'999};
  CHECK(parse_rfc3339(format_rfc3339_nano(moment)) == moment);
}

} // namespace time_test

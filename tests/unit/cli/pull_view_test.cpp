#include "cli/pull_view.hpp"

#include <doctest/doctest.h>

namespace pull_view_test {

using namespace tank;
using namespace tank::cli;
using oci::layer_state;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t mib = 1 << 20;

oci::pull_totals some() {
  oci::pull_totals t;
  t.take({"sha256:0123456789abcdef", 12 * mib, 24 * mib, layer_state::downloading});
  t.take({"sha256:fedcba9876543210", 8 * mib, 8 * mib, layer_state::present});
  return t;
}

} // namespace

TEST_CASE("one bar for each layer with rate and time left, as wide as the terminal allows") {
  pull_speeds speeds;
  CHECK(pull_table(some(), speeds, 80) ==
        "0123456789ab [############............] 12.0 MiB / 24.0 MiB\n"
        "fedcba987654 [########################] 8.0 MiB already here\n"
        "all          [###############.........] 20.0 MiB / 32.0 MiB\n");
  const pull_rate::time start{1h};
  auto before = some();
  before.take({"sha256:0123456789abcdef", 8 * mib, 24 * mib, layer_state::downloading});
  speeds.sample(start, before);
  speeds.sample(start + 1s, some());
  CHECK(speeds.of("sha256:0123456789abcdef") == 4.0 * mib);
  CHECK(speeds.of("sha256:fedcba9876543210") == 0);
  CHECK(pull_table(some(), speeds, 79) ==
        "0123456789ab [############............] 12.0 MiB / 24.0 MiB, 4.0 MiB/s, 3s left\n"
        "fedcba987654 [########################] 8.0 MiB already here\n"
        "all          [###############.........] 20.0 MiB / 32.0 MiB, 4.0 MiB/s, 3s left\n");
  CHECK(pull_table(some(), speeds, 65) ==
        "0123456789ab [#####.....] 12.0 MiB / 24.0 MiB, 4.0 MiB/s, 3s left\n"
        "fedcba987654 [##########] 8.0 MiB already here\n"
        "all          [######....] 20.0 MiB / 32.0 MiB, 4.0 MiB/s, 3s left\n");
  CHECK(pull_table(some(), speeds, 53) == "0123456789ab 12.0 MiB / 24.0 MiB, 4.0 MiB/s, 3s left\n"
                                          "fedcba987654 8.0 MiB already here\n"
                                          "all          20.0 MiB / 32.0 MiB, 4.0 MiB/s, 3s left\n");
  CHECK(pull_table(some(), speeds, 39) == "0123456789ab 50% 4.0 MiB/s 3s left\n"
                                          "fedcba987654 already here\n"
                                          "all          62% 4.0 MiB/s 3s left\n");
  CHECK(pull_table(some(), speeds, 20) == "0123456789ab 50% 4.0\n"
                                          "fedcba987654 already\n"
                                          "all          62% 4.0\n");
  CHECK(pull_table({}, speeds, 80).empty());
}

TEST_CASE("without a terminal only what has ended is said") {
  CHECK(layer_line({"sha256:0123456789abcdef", 1, 2 * mib, layer_state::downloading}).empty());
  CHECK(layer_line({"sha256:0123456789abcdef", 0, 2 * mib, layer_state::waiting}).empty());
  CHECK(layer_line({"sha256:0123456789abcdef", 2 * mib, 2 * mib, layer_state::done}) ==
        "layer 0123456789ab 2.0 MiB done");
}

TEST_CASE("the rate is that of the last seconds, not of the last packet") {
  const pull_rate::time start{1h};
  pull_rate r;
  r.sample(start, 0);
  r.sample(start + 1ms, 100 * mib); // too short to mean anything
  CHECK(r.bytes_per_second() == 0);
  r.sample(start + 1s, 10 * mib);
  CHECK(r.bytes_per_second() == doctest::Approx(10.0 * mib));
  r.sample(start + 2s, 10 * mib);
  CHECK(r.bytes_per_second() == doctest::Approx(7.0 * mib));
}

} // namespace pull_view_test

#include "api/api_protocol.hpp"
#include "api/pod_usage.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace pod_usage_test {

using namespace tank;

namespace {

/// `cpu_us` of processor time at the second `at`.
pod_usage reading(std::int64_t at, std::uint64_t cpu_us) {
  pod_usage p;
  p.key = "default/web";
  p.uid = "u1";
  p.started_ns = 1'700'000'000'000'000'001;
  p.at_ns = at * 1'000'000'000;
  p.counted.cpu_us = cpu_us;
  return p;
}

pod_usage with_periods(pod_usage p, std::uint64_t all, std::uint64_t throttled) {
  p.counted.periods = all;
  p.counted.throttled_periods = throttled;
  return p;
}

} // namespace

TEST_CASE("a rate is the difference of two readings") {
  CHECK(rate_between(reading(10, 5'000'000), reading(11, 5'250'000)).cpu_millis == 250u);
  CHECK(rate_between(reading(10, 0), reading(12, 3'000'000)).cpu_millis == 1500u);
  CHECK(rate_between(reading(10, 7), reading(11, 7)).cpu_millis == 0u);
}

TEST_CASE("throttling is the share of the quota's periods") {
  const auto percent = [](std::uint64_t periods, std::uint64_t throttled) {
    return rate_between(with_periods(reading(1, 0), 100, 40),
                        with_periods(reading(2, 0), 100 + periods, 40 + throttled))
        .throttled_percent;
  };
  CHECK(percent(10, 0) == 0u);
  CHECK(percent(10, 3) == 30u);
  CHECK(percent(10, 10) == 100u);
  CHECK(percent(0, 0) == 0u);
  CHECK(percent(10, 11) == 100u); // the two counters are not read at one instant
  CHECK(!rate_between(reading(1, 0), reading(2, 0)).throttled_percent);
}

TEST_CASE("readings that do not compare say nothing") {
  const usage_rate nothing;
  CHECK(rate_between(reading(1, 100), reading(2, 99)) == nothing);
  CHECK(rate_between(reading(1, 100), reading(1, 200)) == nothing);
  CHECK(rate_between(reading(2, 100), reading(1, 200)) == nothing);
  auto other = reading(2, 200);
  other.started_ns += 1; // restarted in between
  CHECK(rate_between(reading(1, 100), other) == nothing);
  other = reading(2, 200);
  other.uid = "u2";
  CHECK(rate_between(reading(1, 100), other) == nothing);
  other = reading(2, 200);
  other.counted.cpu_us.reset();
  CHECK(rate_between(reading(1, 100), other) == nothing);
}

TEST_CASE("rows follow the later look; a pod that is new in it has no rates yet") {
  auto fresh = reading(2, 900);
  fresh.key = "default/new";
  const auto rows = usage_rows({reading(1, 0)}, {fresh, reading(2, 100'000)});
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].now == fresh);
  CHECK(rows[0].rate == usage_rate{});
  CHECK(rows[1].rate.cpu_millis == 100u);
}

TEST_CASE("readings travel whole over the control socket") {
  auto full = with_periods(reading(3, 12), 7, 2);
  full.counted.memory = 1ull << 40;
  full.counted.memory_limit = ~std::uint64_t{0};
  full.counted.pids = 1;
  const std::vector<pod_usage> sent{
      full, {.key = "ns/none", .uid = "u", .started_ns = 0, .at_ns = 5, .counted = {}}};
  const auto got = api::decode_usage(api::ok_usage(sent));
  REQUIRE(got);
  CHECK(*got == sent);
  CHECK(api::decode_usage("{\"ok\":true,\"items\":[{}]}").error().code == errc::corrupt);
  CHECK(api::decode_usage("{").error().code == errc::corrupt);
  const auto refused = api::decode_usage(api::refused({errc::timeout, 0, "ask", "x", "late", {}}));
  CHECK(refused.error().code == errc::timeout);
  const auto asked = api::decode_request("{\"verb\":\"usage\"}");
  REQUIRE(asked);
  CHECK(asked->verb == api::verb::usage);
}

TEST_CASE("the document has figures, and null for what is not known") {
  const auto text = api::usage_document(usage_rows({reading(1, 0)}, {reading(2, 500'000)}), 2);
  const auto doc = nlohmann::json::parse(text);
  CHECK(doc["kind"] == "PodUsageList");
  const auto& item = doc["items"][0];
  CHECK(item["name"] == "web");
  CHECK(item["cpuMillicores"] == 500);
  CHECK(item["cpuUs"] == 500'000);
  CHECK(item["memoryLimitBytes"].is_null());
  CHECK(item["startedAt"].is_string());
}

} // namespace pod_usage_test

#include "config/duration.hpp"
#include "config/settings.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using tank::config::parse_duration;
using tank::config::settings;

namespace {

tank::result<settings> read(std::string_view text) {
  const auto nothing = [](const std::string&) -> std::optional<std::string> {
    return std::nullopt;
  };
  return tank::config::resolve_settings({}, nothing, text, "t.yaml", "/");
}

std::string why(std::string_view text) {
  auto got = read(text);
  REQUIRE_FALSE(got);
  return got.error().message();
}

} // namespace

TEST_CASE("durations are numbers with units") {
  CHECK(*parse_duration("10s") == 10s);
  CHECK(*parse_duration("5m") == 5min);
  CHECK(*parse_duration("1h30m") == 90min);
  CHECK(*parse_duration("250ms") == 250ms);
  CHECK(*parse_duration("1.5s") == 1500ms);
  CHECK(*parse_duration("0") == 0ms);
  for (const char* bad :
       {"", "10", "s", "-1s", "10 s", "1d", "1h-5m", "1e3s", "nans", "infs", "9999999999h", "10s "})
    CHECK_FALSE(parse_duration(bad));
}

TEST_CASE("every setting of a file is read") {
  const auto got = read(R"(
manifestDir: /m
stateDir: /s
runDir: /r
logDir: /l
shim: /shim
backoff: {profile: kubelet, base: 2s, max: 1m, reset: 1h, immediateFirst: false}
cgroupRoot: /pods
podPidsLimit: 100
logMaxSize: 1Mi
logMaxFiles: 3
resync: 5s
logLevel: debug
stopPodsOnExit: true
)");
  REQUIRE_MESSAGE(got, got.error().message());
  settings expected;
  expected.dirs = {"/m", "/s", "/r", "/l"};
  expected.shim = "/shim";
  expected.backoff = "kubelet";
  expected.backoff_figures = {2s, 1min, 1h, false};
  expected.cgroup_root = "/pods";
  expected.pod_pids_limit = 100;
  expected.log_max_bytes = 1u << 20;
  expected.log_max_files = 3;
  expected.resync = 5s;
  expected.log_level = "debug";
  expected.stop_pods_on_exit = true;
  CHECK(*got == expected);
}

TEST_CASE("a backoff may be a profile's name alone") {
  CHECK(read("backoff: fast")->backoff == "fast");
  CHECK(read("backoff: fast")->backoff_figures == tank::config::backoff_figures{});
}

TEST_CASE("a wrong figure is refused with its place") {
  CHECK(why("backoff: {base: 10}") ==
        "cannot read settings 't.yaml:1:17': base: expected string, got number");
  CHECK(why("backoff: {bse: 10s}") ==
        "cannot read settings 't.yaml:1:11': backoff.bse: unknown field");
  CHECK(why("backoff: {base: 10s, max: 5s}").find("max must not be shorter than base") !=
        std::string::npos);
  CHECK(why("backoff: slow").find("must be one of default, kubelet, fast") != std::string::npos);
  CHECK(why("backoff: {immediateFirst: 1}").find("expected boolean") != std::string::npos);
  CHECK(why("logMaxSize: 1").find("must be between 4Ki and 1Ti") != std::string::npos);
  CHECK(why("logMaxSize: 1MB").find("unable to parse") == std::string::npos);
  CHECK(why("logMaxFiles: 1").find("between 2 and 100") != std::string::npos);
  for (const char* pids : {"15", "-1", "4194305", "many"})
    CHECK(why(std::string{"podPidsLimit: "} + pids).find("between 16 and 4194304, or 0") !=
          std::string::npos);
  CHECK(read("podPidsLimit: 0")->pod_pids_limit == 0);
  CHECK(why("stopPodsOnExit: 1").find("expected boolean") != std::string::npos);
  CHECK(why("resync: 10ms").find("at least 1s") != std::string::npos);
  CHECK(why("resync: soon").find("cannot parse duration 'soon'") != std::string::npos);
  CHECK(why("nothing: here") == "cannot read settings 't.yaml:1:1': nothing: unknown field");
  CHECK(why("resync: 5s\nresync: 6s").find("t.yaml:2:1") != std::string::npos);
}

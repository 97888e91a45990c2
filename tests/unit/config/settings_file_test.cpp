#include "base/time.hpp"
#include "config/settings.hpp"

#include <doctest/doctest.h>

namespace settings_file_test {

using namespace std::chrono_literals;
using tank::parse_duration;
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
giveUp: 5 in 10m
logMaxSize: 1Mi
logMaxFiles: 3
resync: 5s
logLevel: debug
stopPodsOnExit: true
registries:
  - prefix: docker.io/library
    location: hub.lan/mirror/
    insecure: true
    mirrorByDigestOnly: true
    mirrors: [{location: "cache.lan:5000", insecure: true, pullFromMirror: tag-only}, {location: b.lan}]
    tokenServers: [auth.lan]
  - {prefix: "*.bad.example", blocked: true}
  - location: other.lan
images:
  gcHighPercent: 90
  gcLowPercent: 70
  gcMinimumAge: 1m
  gcPeriod: 10s
  maxUnpackedSize: 1Gi
  maxEntries: 1000
  maxManifestSize: 1Mi
  parallelPulls: 2
  parallelLayers: 4
  stallTimeout: 5s
  attempts: 2
  offline: true
userNamespaces: {base: 100000, count: 3}
)");
  REQUIRE_MESSAGE(got, got.error().message());
  settings expected;
  expected.dirs = {"/m", "/s", "/r", "/l"};
  expected.shim = "/shim";
  expected.backoff = "kubelet";
  expected.backoff_figures = {2s, 1min, 1h, false};
  expected.cgroup_root = "/pods";
  expected.pod_pids_limit = 100;
  expected.give_up = {5, 10min};
  expected.log_max_bytes = 1u << 20;
  expected.log_max_files = 3;
  expected.resync = 5s;
  expected.log_level = "debug";
  expected.stop_pods_on_exit = true;
  expected.registries = {{"docker.io/library",
                          "hub.lan/mirror",
                          true,
                          false,
                          true,
                          {{"cache.lan:5000", true, "tag-only"}, {"b.lan", false, ""}},
                          {"auth.lan"}},
                         {"*.bad.example", "", false, true, false, {}, {}},
                         {"other.lan", "other.lan", false, false, false, {}, {}}};
  expected.images = {90, 70, 1min, 10s, 1u << 30, 1000, 1u << 20, 2, 4, 5s, 2, true};
  expected.ids_base = 100'000;
  expected.ids_count = 3;
  CHECK(*got == expected);
}

TEST_CASE("a backoff may be a profile's name alone") {
  CHECK(read("backoff: fast")->backoff == "fast");
  CHECK(read("backoff: fast")->backoff_figures == tank::config::backoff_figures{});
}

TEST_CASE("ids for user namespaces lie above the system's and end before there are none") {
  CHECK(read("userNamespaces: {}")->ids_base == std::nullopt);
  CHECK(read("userNamespaces: {count: 7}")->ids_count == 7);
  CHECK(read("userNamespaces: {base: 65536, count: 65534}").has_value());
  CHECK(why("userNamespaces: {base: 65537, count: 65534}").find("above 4294901759") !=
        std::string::npos);
  CHECK(why("userNamespaces: {base: 1000}").find("between 65536 and") != std::string::npos);
  CHECK(why("userNamespaces: {count: 0}").find("between 1 and") != std::string::npos);
  CHECK(why("userNamespaces: 5").find("expected object") != std::string::npos);
  CHECK(why("userNamespaces: {first: 1}").find("userNamespaces.first: unknown field") !=
        std::string::npos);
}

TEST_CASE("a wrong figure is refused with its place") {
  CHECK(why("backoff: {base: 10}") ==
        "cannot read settings 't.yaml:1:17': base: expected string, got number");
  CHECK(why("backoff: {bse: 10s}") ==
        "cannot read settings 't.yaml:1:11': backoff.bse: unknown field");
  CHECK(why("backoff: {base: 10s, max: 5s}").find("max must not be shorter than base") !=
        std::string::npos);
  CHECK(why("backoff: slow").find("must be one of default, kubelet, fast") != std::string::npos);
  CHECK(why("giveUp: often") ==
        "cannot read settings 't.yaml:1:9': giveUp: cannot parse 'often': it "
        "is neither never nor a number in a time (write it as never, or as 5 "
        "in 10m)");
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

TEST_CASE("what is wrong with registries and images is named with its place") {
  const auto says = [](std::string_view text, std::string_view part) {
    const auto message = why(text);
    CHECK_MESSAGE(message.find(part) != std::string::npos, message);
  };
  says("registries: {}", "'t.yaml:1:13': registries: expected array, got object");
  says("registries: [x]", "'t.yaml:1:14': registries[0]: expected object, got string");
  says("registries:\n  - {prefx: a}", "'t.yaml:2:6': registries[0].prefx: unknown field");
  says("registries:\n  - {insecure: true}",
       "'t.yaml:2:5': registries[0]: needs prefix or location");
  says("registries: [{prefix: \"https://a.lan\"}]", "prefix: must be host[:port][/path]");
  says("registries: [{prefix: a, location: \"b c\"}]", "location: must be host[:port][/path]");
  says("registries: [{prefix: a, insecure: 1}]", "insecure: expected boolean, got number");
  says("registries: [{prefix: a}, {prefix: a}]", "1:27': registries: prefix 'a' is given twice");
  says("registries: [{prefix: a, mirrors: [{insecure: true}]}]",
       "registries[0].mirrors[0].location: required");
  says("registries: [{prefix: a, mirrors: [{location: b, pullFromMirror: never}]}]",
       "pullFromMirror: must be one of all, digest-only, tag-only");
  says("registries: [{prefix: a, mirrors: [{location: b, x: 1}]}]",
       "registries[0].mirrors[0].x: unknown field");
  says("registries: [{prefix: a, tokenServers: [1]}]",
       "registries[0].tokenServers: expected strings, got number");
  says("images: []", "images: expected object, got array");
  says("images: {gc: 1}", "'t.yaml:1:10': images.gc: unknown field");
  says("images: {gcHighPercent: 101}", "gcHighPercent: must be a number between 1 and 100");
  says("images: {gcLowPercent: 90}", "gcLowPercent must not be above gcHighPercent");
  says("images: {gcPeriod: 10ms}", "gcPeriod: must be at least 1s");
  says("images: {gcMinimumAge: 5}", "gcMinimumAge: expected string, got number");
  says("images: {maxUnpackedSize: many}", "maxUnpackedSize: ");
  says("images: {maxManifestSize: 1Gi}", "maxManifestSize: must be between 1Ki and 64Mi");
  says("images: {parallelLayers: 0}", "parallelLayers: must be a number between 1 and 100");
  says("images: {attempts: -1}", "attempts: must be a number between 1 and 100");
}

} // namespace settings_file_test

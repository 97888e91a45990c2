#include "api/api_protocol.hpp"

#include "config/pod.hpp"

#include <doctest/doctest.h>

#include <string>

namespace api_protocol_test {

using namespace tank;
using namespace tank::api;

namespace {

std::string repeat(std::string_view text, int n) {
  std::string out;
  for (int i = 0; i < n; ++i)
    out += text;
  return out;
}

} // namespace

TEST_CASE("a request survives the way there") {
  for (const auto v : {verb::version, verb::pods, verb::files, verb::restart, verb::watch}) {
    const request r{v, "default/web", true};
    const auto line = encode(r);
    CHECK(line.find('\n') == line.size() - 1);
    CHECK(decode_request(line) == r);
  }
}

TEST_CASE("what is no request is refused") {
  for (const char* line :
       {"", "null", "7", "\"version\"", "[\"version\"]", "{", "{}", R"({"key":"a/b"})",
        R"({"verb":"Version"})", R"({"verb":null})", R"({"verb":"pods","full":"yes"})",
        R"({"verb":"pods","unknown":1})", R"({"verb":"pods"} x)", "{\"verb\":\"po\xff\x80s\"}"})
    CHECK_MESSAGE(decode_request(line).error().code == errc::invalid, line);
  CHECK(decode_request(R"({"verb":"reboot"})").error().message() ==
        "cannot read 'request': unknown verb \"reboot\"");
}

TEST_CASE("nesting as deep as a request may be costs an error, not the stack") {
  const int deep = static_cast<int>(max_request) / 2;
  CHECK_FALSE(decode_request(repeat("[", deep)));
  CHECK_FALSE(decode_request(repeat("[", deep) + repeat("]", deep)));
  CHECK_FALSE(decode_request("{\"key\":" + repeat("{\"a\":", deep / 3) + "1" +
                             repeat("}", deep / 3) + "}"));
}

TEST_CASE("an answer that is not ours is an error, whatever it is") {
  for (const char* line :
       {"", "{}", "[]", "true", R"({"ok":true})", R"({"ok":true,"items":7})",
        R"({"ok":true,"items":[{}]})", R"({"ok":true,"items":[{"namespace":1}]})",
        R"({"ok":false})", R"({"ok":"yes"})"}) {
    CAPTURE(line);
    CHECK_FALSE(decode_pods(line).has_value());
    CHECK_FALSE(decode_version(line).has_value());
  }
}

TEST_CASE("a refusal arrives as the error it was") {
  const auto got = decode_ok(refused(
      error{errc::not_found, 0, "restart", "default/web", "no such pod", "see tank get pods"}));
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().code == errc::not_found);
  CHECK(got.error().message() == "cannot restart 'default/web': no such pod (see tank get pods)");
}

TEST_CASE("a status survives the way back, bytes that are no text included") {
  pod_status p;
  p.key = "default/web";
  p.uid = "u-1";
  p.file = "/m/a\xff.yaml";
  p.state = pod_state::backing_off;
  p.restarts = 3;
  p.retries = 2;
  p.created_ns = 1'700'000'000'123'456'789;
  p.restart_at_ns = 1'700'000'100'000'000'000;
  p.last = last_exit{"Error", 137, 9, "killed", 5, 1'700'000'000'000'000'001};
  p.phases.spawn = std::chrono::microseconds{1234};
  p.warnings = {"one", "two"};
  const auto line = ok_items({p}, false);
  CHECK(line.find('\n') == line.size() - 1);
  const auto got = decode_pods(line);
  REQUIRE(got.has_value());
  REQUIRE(got->size() == 1);
  const auto& q = got->front();
  CHECK(q.key == p.key);
  CHECK(q.uid == p.uid);
  CHECK(q.file == "/m/a\xef\xbf\xbd.yaml");
  CHECK(q.state == p.state);
  CHECK(q.restarts == 3);
  CHECK(q.retries == 2);
  CHECK(q.created_ns == p.created_ns);
  CHECK(q.started_ns == 0);
  CHECK(q.restart_at_ns == p.restart_at_ns);
  CHECK(q.last == p.last);
  CHECK(q.phases == p.phases);
  CHECK(q.warnings == p.warnings);
}

TEST_CASE("no pid is null, for 0 would name the caller's own process group to kill") {
  pod_status p;
  p.key = "default/web";
  const auto line = ok_items({p}, false);
  CHECK(line.find(R"("pid":null)") != std::string::npos);
  CHECK(decode_pods(line)->front().host_pid == 0);
  p.host_pid = 4711;
  CHECK(decode_pods(ok_items({p}, false))->front().host_pid == 4711);
}

TEST_CASE("times are RFC 3339 in UTC, to the nanosecond") {
  CHECK(format_time(0).empty());
  CHECK(format_time(1'700'000'000'000'000'001) == "2023-11-14T22:13:20.000000001Z");
  CHECK(parse_time("2023-11-14T22:13:20.000000001Z") == 1'700'000'000'000'000'001);
  CHECK(parse_time("yesterday") == 0);
  CHECK(parse_time("9999-01-01T00:00:00.000000000Z") == 0); // beyond 64 bits of nanoseconds
}

} // namespace api_protocol_test

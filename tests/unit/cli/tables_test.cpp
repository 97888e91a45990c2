#include "cli/image_text.hpp"
#include "cli/tables.hpp"
#include "config/pod.hpp"

#include <doctest/doctest.h>

namespace tables_test {

using namespace tank;
using namespace tank::cli;

namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t t0 = 1'700'000'000 * second;

pod_status pod(const std::string& key, pod_state state) {
  pod_status p;
  p.key = key;
  p.uid = "uid-1";
  p.file = "/etc/tank/pods.d/web.yaml";
  p.state = state;
  p.created_ns = t0;
  auto value = std::make_shared<config::pod>();
  value->spec.restart_policy = "Always";
  value->spec.containers.emplace_back().image = "localhost/demo:1";
  p.pod = value;
  auto& c = p.containers.emplace_back();
  c.name = "main";
  if (state == pod_state::running) {
    c.state = container_phase::running;
    c.started = c.ready = true;
  } else if (state == pod_state::backing_off) {
    c.reason = "CrashLoopBackOff";
  }
  return p;
}

} // namespace

TEST_CASE("the table aligns its columns and names pods outside of default in full") {
  auto a = pod("default/web", pod_state::running);
  auto b = pod("prod/database", pod_state::backing_off);
  b.restarts = 12;
  b.restart_at_ns = t0 + 190 * second;
  b.last = last_exit{"Error", 3, 0, "", t0, t0};
  CHECK(pod_table({a, b}, t0 + 185 * second) ==
        "NAME            READY   STATUS             RESTARTS   AGE   REASON\n"
        "web             1/1     Running            0          3m\n"
        "prod/database   0/1     CrashLoopBackOff   12         3m    again in 5s: Error\n");
}

TEST_CASE("what the state says is not said again as its reason") {
  auto p = pod("default/web", pod_state::stopping);
  p.message = "stopping";
  CHECK(state_line(p) == "pod/web stopping");
  p = pod("default/web", pod_state::backing_off);
  p.message = "back-off 10s: exited with code 3";
  p.last = last_exit{"Error", 3, 0, "exited with code 3", t0, t0};
  p.restart_at_ns = t0 + 10 * second;
  CHECK(pod_table({p}, t0).find("0          0s    again in 10s: exited with code 3\n") !=
        std::string::npos);
  CHECK(state_line(p) == "pod/web backing off: back-off 10s: exited with code 3");
}

TEST_CASE("a running pod without a pid is about to end") {
  auto p = pod("default/web", pod_state::running);
  CHECK(ends_now(p));
  p.host_pid = 4711;
  CHECK_FALSE(ends_now(p));
  p = pod("default/web", pod_state::starting);
  CHECK_FALSE(ends_now(p));
}

TEST_CASE("a finished pod shows how its workload ended") {
  auto p = pod("default/job", pod_state::terminal);
  p.last = last_exit{"Completed", 0, 0, "", t0, t0};
  CHECK(state_text(p, t0) == "exited 0");
  p.last = last_exit{"Error", 3, 0, "", t0, t0};
  CHECK(state_text(p, t0) == "exited 3");
  p.last = last_exit{"Error", 137, 9, "", t0, t0};
  CHECK(state_text(p, t0) == "killed by signal 9");
  p.last = last_exit{"StartError", 128, 0, "cannot execute 'x': No such file or directory", 0, t0};
  CHECK(state_text(p, t0) == "failed");
  CHECK(state_line(p) == "pod/job failed: cannot execute 'x': No such file or directory");
}

TEST_CASE("nothing from outside can steer the terminal") {
  auto p = pod("default/web", pod_state::pending);
  p.message = "bad\x1b[2Jimage\nnext\ttab\x7f";
  const auto text = pod_table({p}, t0) + describe_pod(p, t0) + state_line(p);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find('\x7f') == std::string::npos);
  CHECK(text.find("bad\\x1b[2Jimage\\nnext\\ttab\\x7f") != std::string::npos);
}

TEST_CASE("a table is cut to the terminal's width, counting characters and not bytes") {
  auto p = pod("default/web", pod_state::pending);
  p.message = "\xc3\xa4\xc3\xb6\xc3\xbc and a long story";
  const auto text = pod_table({p}, t0, {false, false, 40});
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    std::size_t columns = 0;
    for (const char c : text.substr(at, end - at))
      columns += (c & 0xC0) != 0x80;
    CHECK(columns <= 40);
  }
}

TEST_CASE("a live table does not change while its pods do not") {
  auto p = pod("default/web", pod_state::backing_off);
  p.restart_at_ns = t0 + 300 * second;
  p.last = last_exit{"Error", 3, 0, "", t0, t0};
  const table_style live{false, true, 80};
  CHECK(pod_table({p}, t0, live) == pod_table({p}, t0 + 100 * second, live));
  CHECK(pod_table({p}, t0, live).find("again at ") != std::string::npos);
}

TEST_CASE("describe shows the phases in milliseconds, the last exit and every warning") {
  auto p = pod("default/web", pod_state::running);
  p.host_pid = 4711;
  p.phases.image = std::chrono::microseconds{1500};
  p.phases.rootfs = std::chrono::microseconds{250};
  p.last = last_exit{"Error", 137, 9, "out of luck", t0, t0 + second};
  p.warnings = {"spec.nodeName: only steers a cluster"};
  const auto text = describe_pod(p, t0);
  for (const auto* part : {"4711", "1.500 ms", "0.250 ms", "1.750 ms", "killed by signal 9 (Error)",
                           "out of luck", "spec.nodeName: only steers a cluster",
                           "localhost/demo:1", "Always", "/etc/tank/pods.d/web.yaml"})
    CHECK_MESSAGE(text.find(part) != std::string::npos, part);
}

TEST_CASE("ages read as kubectl's") {
  CHECK(age_text(-5) == "0s");
  CHECK(age_text(59 * second) == "59s");
  CHECK(age_text(60 * second) == "1m");
  CHECK(age_text(7200 * second) == "2h");
  CHECK(age_text(86400 * 12 * second) == "12d");
}

TEST_CASE("files with errors say whether the last good version is in force") {
  const std::string text = file_table({{"a.yaml", {"default/web"}, {}, {}, {"old field"}, false},
                                       {"b.yaml", {"x/y"}, {}, {"b.yaml:3:1: bad"}, {}, true},
                                       {"c.yaml", {}, {}, {"c.yaml:1:1: worse"}, {}, false}});
  CHECK(text == "FILE     STATUS                  PODS\n"
                "a.yaml   ok                      web\n"
                "b.yaml   error, last good kept   x/y\n"
                "c.yaml   error                   -\n"
                "warning: old field\n"
                "b.yaml:3:1: bad\n"
                "c.yaml:1:1: worse\n");
}

TEST_CASE("image sizes are in binary units") {
  CHECK(size_text(512) == "512 B");
  CHECK(size_text(4 << 20) == "4.0 MiB");
  CHECK(image_table({{"localhost/a:1", "sha256:0123456789abcdef", "amd64", "", 2048}}) ==
        "NAME            DIGEST         ARCH    SIZE      CREATED\n"
        "localhost/a:1   0123456789ab   amd64   2.0 KiB\n");
}

} // namespace tables_test

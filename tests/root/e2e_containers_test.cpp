// Pods of several containers, as the user sees them, and from inside.
#include "tests/root/host_fixture.hpp"
#include "tests/root/pod_view.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <functional>
#include <string>
#include <vector>

namespace e2e_containers_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

/// A container whose shell notes each start in NAME.log beside the other's, and SIGTERM in NAME.term;
/// `then` is what it does next.
struct part {
  std::string name;
  std::string then = stay;
};

std::string pod_of(const std::string& name, const std::vector<part>& parts, const fs::path& shared,
                   const std::string& restart = "Always") {
  std::string text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name +
                     "\nspec:\n  restartPolicy: " + restart +
                     "\n  terminationGracePeriodSeconds: 20\n  containers:\n";
  for (const auto& p : parts)
    text += "  - name: " + p.name +
            "\n    image: localhost/witness:1\n    command:\n    - /bin/sh\n    - -c\n    - |\n"
            "      trap 'echo term >> /shared/" +
            p.name + ".term; exit 0' TERM\n      echo " + p.name +
            " says hello\n      echo start >> /shared/" + p.name + ".log\n      " + p.then +
            "\n    volumeMounts:\n    - {name: shared, mountPath: /shared}\n"
            "    - {name: scratch, mountPath: /scratch}\n";
  return text + "  volumes:\n  - name: shared\n    hostPath: {path: " + shared.string() +
         "}\n  - name: scratch\n    emptyDir: {}\n";
}

std::function<bool(const std::string&)> lines(int n) {
  return [n](const std::string& text) { return std::count(text.begin(), text.end(), '\n') == n; };
}

const char* quick = "stopPodsOnExit: false\nbackoff: {base: 10ms, max: 10ms}\n";

} // namespace

TEST_CASE("two containers run: both in the JSON, each with its log, sharing what a pod shares") {
  host h{quick};
  const auto before = h.snapshot();
  h.put(
      "two.yaml",
      pod_of("two", {{"a", "echo from-a > /scratch/note; " + std::string{stay}}, {"b"}}, h.shared));
  h.start_daemon();
  const auto pod = h.await_pod("two", "runs", [](const auto& p) {
    return p.state == pod_state::running && runs(p, "a") && runs(p, "b");
  });
  const auto& a = of(pod, "a");
  const auto& b = of(pod, "b");
  CHECK(pod.host_pid == a.host_pid);
  CHECK(a.host_pid != b.host_pid);
  for (const auto* shared : {"net", "ipc", "uts"}) {
    CAPTURE(shared);
    const auto ns = [&](pid_t pid) {
      return fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + shared);
    };
    CHECK(ns(a.host_pid) == ns(b.host_pid));
  }
  for (const auto* own : {"pid", "mnt"}) {
    CAPTURE(own);
    const auto ns = [&](pid_t pid) {
      return fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + own);
    };
    CHECK(ns(a.host_pid) != ns(b.host_pid));
  }
  // The emptyDir is one; what a wrote is seen in b.
  const fs::path in_b = "/proc/" + std::to_string(b.host_pid) + "/root/scratch/note";
  CHECK(await_file(in_b, [](const auto& text) { return text == "from-a\n"; }));

  const auto doc = nlohmann::json::parse(h.hear({"get", "pods", "-o", "json"})).at("items").at(0);
  CHECK(doc.at("phase") == "Running");
  CHECK(doc.at("containers").size() == 2);
  const auto& statuses = doc.at("containerStatuses");
  REQUIRE(statuses.size() == 2);
  for (const auto& s : statuses) {
    CHECK(s.at("ready") == true);
    CHECK(s.at("restartCount") == 0);
    CHECK(s.at("state").contains("running"));
  }
  CHECK(statuses[0].at("name") == "a");
  CHECK(statuses[1].at("pid") == b.host_pid);
  for (const auto& c : doc.at("conditions"))
    CHECK_MESSAGE(c.at("status") == "True", c.at("type").get<std::string>());
  CHECK(h.hear({"logs", "two", "-c", "a"}) == "a says hello\n");
  CHECK(h.hear({"logs", "two", "-c", "b"}) == "b says hello\n");
  CHECK(h.tank({"logs", "two"}).err.find("name one with -c") != std::string::npos);
  CHECK(h.hear({"describe", "pod", "two"}).find("  b:") != std::string::npos);

  h.remove("two.yaml");
  h.await_gone("two");
  CHECK(h.shared_text("a.term") == "term\n"); // each heard the stop signal, once
  CHECK(h.shared_text("b.term") == "term\n");
  h.stop_daemon();
  CHECK(h.snapshot() == before);
}

TEST_CASE("either end leaves the other running, over a daemon that is killed too") {
  host h{quick};
  const auto before = h.snapshot();
  h.put("two.yaml", pod_of("two", {{"a"}, {"b"}}, h.shared));
  h.start_daemon();
  auto pod = h.await_pod("two", "runs", [](const auto& p) { return runs(p, "a") && runs(p, "b"); });
  const auto b_first = of(pod, "b");
  for (const auto* log : {"a.log", "b.log"}) // they run before they write
    REQUIRE(await_file(h.shared / log, lines(1)));
  kill_one(of(pod, "a"));
  pod = h.await_pod("two", "has a again",
                    [](const auto& p) { return runs(p, "a", 1) && runs(p, "b"); });
  CHECK(of(pod, "b").host_pid == b_first.host_pid);
  CHECK(of(pod, "b").started_ns == b_first.started_ns);
  CHECK(of(pod, "a").last->signal == SIGKILL);
  CHECK(pod.state == pod_state::running);
  CHECK(await_file(h.shared / "a.log", lines(2)));
  CHECK(h.shared_text("b.log") == "start\n");

  h.kill_daemon();
  const auto a_second = of(pod, "a");
  h.start_daemon();
  pod = h.await_pod("two", "is adopted",
                    [](const auto& p) { return runs(p, "a", 1) && runs(p, "b"); });
  CHECK(of(pod, "a").host_pid == a_second.host_pid);
  CHECK(of(pod, "b").host_pid == b_first.host_pid);
  CHECK(of(pod, "a").last->signal == SIGKILL);

  h.kill_daemon();
  kill_one(of(pod, "b")); // while nobody looks
  h.start_daemon();
  pod = h.await_pod("two", "has b again",
                    [](const auto& p) { return runs(p, "a", 1) && runs(p, "b", 1); });
  CHECK(of(pod, "a").host_pid == a_second.host_pid);
  CHECK(await_file(h.shared / "b.log", lines(2)));
  CHECK(h.shared_text("a.log") == "start\nstart\n");
  CHECK(h.hear({"logs", "two", "-c", "b", "-p"}) == "b says hello\n");

  h.remove("two.yaml");
  h.await_gone("two");
  h.stop_daemon();
  CHECK(h.snapshot() == before);
}

TEST_CASE("the run ends with its last container, as the restart policy has it") {
  struct row {
    std::string name;
    std::string restart;
    std::string a;
    std::string b;
    std::string phase;
    int exit_code; ///< of the pod
    int starts_a;
  };
  const std::vector<row> rows{
      {"never-well", "Never", "exit 0", "exit 0", "Succeeded", 0, 1},
      {"never-failed", "Never", "exit 0", "exit 4", "Failed", 4, 1},
      {"on-failure", "OnFailure", "[ $(wc -l < /shared/a.log) -ge 3 ] && exit 0; exit 5", "exit 0",
       "Succeeded", 0, 3},
  };
  for (const auto& r : rows) {
    CAPTURE(r.name);
    host h{quick};
    const auto before = h.snapshot();
    h.put("ends.yaml", pod_of("ends", {{"a", r.a}, {"b", r.b}}, h.shared, r.restart));
    h.start_daemon();
    const auto pod = h.await_pod("ends", "is over",
                                 [](const auto& p) { return p.state == pod_state::terminal; });
    CHECK(pod.last->exit_code == r.exit_code);
    CHECK(of(pod, "a").state == container_phase::terminated);
    CHECK(of(pod, "b").state == container_phase::terminated);
    const auto doc = nlohmann::json::parse(h.hear({"get", "pods", "-o", "json"})).at("items").at(0);
    CHECK(doc.at("phase") == r.phase);
    CHECK(lines(r.starts_a)(h.shared_text("a.log")));
    CHECK(h.shared_text("b.log") == "start\n");
    h.remove("ends.yaml");
    h.await_gone("ends");
    h.stop_daemon();
    CHECK(h.snapshot() == before);
  }
}

TEST_CASE("a container that cannot start waits for its back-off, and the other runs") {
  host h{"stopPodsOnExit: true\nbackoff: {base: 1h, max: 1h}\n"};
  const auto before = h.snapshot();
  auto text = pod_of("half", {{"a"}, {"b"}}, h.shared);
  const std::string second = "  - name: b\n    image: localhost/witness:1\n";
  REQUIRE(text.find(second) != std::string::npos);
  SUBCASE("for want of an image") {
    text.replace(text.find(second), second.size(), "  - name: b\n    image: localhost/absent:1\n");
  }
  SUBCASE("for want of its program") {
    const auto at = text.find("    - /bin/sh\n", text.find("  - name: b\n"));
    text.replace(at, 14, "    - /bin/absent\n");
  }
  h.put("half.yaml", text);
  h.start_daemon();
  const auto pod = h.await_pod("half", "runs in part", [](const auto& p) {
    return p.state == pod_state::running && runs(p, "a") &&
           of(p, "b").state == container_phase::waiting && of(p, "b").restart_at_ns != 0;
  });
  const auto& b = of(pod, "b");
  CHECK((b.reason == "ImagePullBackOff" || b.reason == "CrashLoopBackOff"));
  CHECK(b.message.find("absent") != std::string::npos);
  CHECK(!b.ready);
  CHECK(h.hear({"get", "pods"}).find("b: " + b.reason) != std::string::npos);
  h.remove("half.yaml");
  h.await_gone("half");
  h.stop_daemon();
  CHECK(h.snapshot() == before);
}

} // namespace e2e_containers_test

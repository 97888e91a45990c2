// The list of a pod: init containers, sidecars, others; what their ends take with them. Each container
// notes what it sees in one file that they share, so that their order is seen from inside.
#include "tests/root/host_fixture.hpp"
#include "tests/root/pod_view.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace e2e_order_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

/// Notes "NAME start" and, at the stop signal, "NAME term".
struct part {
  std::string name;
  std::string then = stay;
  std::string more{}; ///< lines of the container, indented by 4
  std::string at_term = "exit 0";
};

std::string container(const part& p) {
  return "  - name: " + p.name +
         "\n    image: localhost/witness:1\n    command:\n    - /bin/sh\n    - -c\n    - |\n"
         "      trap 'echo " +
         p.name + " term >> /shared/order; " + p.at_term + "' TERM\n      echo " + p.name +
         " start >> /shared/order\n      " + p.then +
         "\n    volumeMounts:\n    - {name: shared, mountPath: /shared}\n" + p.more;
}

struct pod_parts {
  std::string name;
  std::vector<part> inits;
  std::vector<part> mains;
  std::string restart = "Always";
  std::string annotations{}; ///< "a: b, c: d"
  std::string spec{};        ///< lines, indented by 2
};

std::string text_of(const pod_parts& pod, const host& h) {
  std::string text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + pod.name +
                     "\n  annotations: {" + pod.annotations +
                     "}\nspec:\n  restartPolicy: " + pod.restart + "\n" + pod.spec;
  if (pod.spec.find("terminationGracePeriodSeconds") == std::string::npos)
    text += "  terminationGracePeriodSeconds: 20\n";
  if (!pod.inits.empty()) text += "  initContainers:\n";
  for (const auto& p : pod.inits)
    text += container(p);
  text += "  containers:\n";
  for (const auto& p : pod.mains)
    text += container(p);
  return text + "  volumes:\n  - name: shared\n    hostPath: {path: " + h.shared.string() + "}\n";
}

part as_sidecar(part p) {
  p.more += "    restartPolicy: Always\n";
  return p;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);)
    all.push_back(line);
  return all;
}
std::vector<std::string> order(const host& h) {
  return lines_of(h.shared_text("order"));
}
using seen = std::vector<std::string>;

/// Until the containers have noted so many lines.
bool await_lines(const host& h, std::size_t n) {
  return await_file(h.shared / "order",
                    [n](const std::string& text) { return lines_of(text).size() >= n; });
}

const char* quick = "stopPodsOnExit: false\nbackoff: {base: 10ms, max: 10ms}\n";

nlohmann::json row(host& h) {
  return nlohmann::json::parse(h.hear({"get", "pods", "-o", "json"})).at("items").at(0);
}

std::string condition(const nlohmann::json& pod, const std::string& type) {
  for (const auto& c : pod.at("conditions"))
    if (c.at("type") == type) return c.at("status");
  return "none";
}

/// Two init containers with a sidecar between them. The first waits at the gate /shared/go.
pod_parts app(const std::string& name) {
  return {.name = name,
          .inits = {{"first", "read go < /shared/go; exit 0"},
                    as_sidecar({"side"}),
                    {"second", "exit 0"}},
          .mains = {{"a"}, {"b"}}};
}

} // namespace

TEST_CASE("init containers, a sidecar, and two others: in order, and the passed never again") {
  host h{quick};
  const gate go{h.shared / "go"};
  const auto before = h.snapshot();
  h.put("app.yaml", text_of(app("app"), h));
  h.start_daemon();
  h.await_pod("app", "begins",
              [](const auto& p) { return p.containers.size() == 5 && runs(p, "first"); });
  auto doc = row(h);
  CHECK(doc.at("phase") == "Pending");
  CHECK(condition(doc, "Initialized") == "False");
  REQUIRE(doc.at("initContainerStatuses").size() == 3);
  CHECK(doc.at("containerStatuses").size() == 2);
  CHECK(doc.at("containerStatuses")[0].at("state").at("waiting").at("reason") == "PodInitializing");
  CHECK(order(h) == seen{"first start"}); // nobody is ahead of it

  go.open();
  auto pod = h.await_pod("app", "is up", [](const auto& p) {
    return p.state == pod_state::running && runs(p, "a") && runs(p, "b") && runs(p, "side");
  });
  REQUIRE(await_lines(h, 5));
  CHECK(order(h) == seen{"first start", "side start", "second start", "a start", "b start"});
  CHECK(of(pod, "first").terminated->reason == "Completed");
  CHECK(of(pod, "first").ready);
  CHECK(of(pod, "second").restarts == 0);
  doc = row(h);
  CHECK(doc.at("phase") == "Running");
  CHECK(condition(doc, "Initialized") == "True");
  CHECK(condition(doc, "Ready") == "True");
  CHECK(h.hear({"get", "pods"}).find("3/3") != std::string::npos);
  CHECK(h.hear({"logs", "app", "-c", "first"}).empty());

  kill_one(of(pod, "a"));
  pod = h.await_pod("app", "a runs again", [](const auto& p) { return runs(p, "a", 1); });
  h.kill_daemon();
  h.start_daemon();
  pod = h.await_pod("app", "is taken over", [](const auto& p) {
    return p.state == pod_state::running && runs(p, "a", 1) && runs(p, "b");
  });
  kill_one(of(pod, "side"));
  pod = h.await_pod("app", "the sidecar runs again",
                    [](const auto& p) { return runs(p, "side", 1) && of(p, "side").ready; });
  CHECK(of(pod, "b").restarts == 0);
  REQUIRE(await_lines(h, 7));
  auto all = order(h);
  CHECK(std::count(all.begin(), all.end(), "first start") == 1);
  CHECK(std::count(all.begin(), all.end(), "second start") == 1);

  fs::remove(h.shared / "order");
  h.remove("app.yaml");
  h.await_gone("app");
  all = order(h);
  std::sort(all.begin(), all.begin() + std::min<std::ptrdiff_t>(2, std::ssize(all)));
  CHECK(all == seen{"a term", "b term", "side term"}); // the sidecar heard it last
  h.stop_daemon();
  CHECK(h.snapshot() == before);
}

TEST_CASE("a daemon that is killed while an init container runs: it is taken over, not doubled") {
  host h{quick};
  const gate go{h.shared / "go"};
  h.put("app.yaml", text_of(app("app"), h));
  h.start_daemon();
  h.await_pod("app", "begins",
              [](const auto& p) { return p.containers.size() == 5 && runs(p, "first"); });
  REQUIRE(await_lines(h, 1));
  h.kill_daemon();
  go.open(); // it ends while nobody looks
  h.start_daemon();
  h.await_pod("app", "is up", [](const auto& p) {
    return p.state == pod_state::running && runs(p, "a") && runs(p, "b");
  });
  REQUIRE(await_lines(h, 5));
  CHECK(order(h) == seen{"first start", "side start", "second start", "a start", "b start"});
  h.remove("app.yaml");
  h.await_gone("app");
  h.stop_daemon();
}

TEST_CASE(
    "an init container that fails: again, until it succeeds; under Never the pod has failed") {
  host h{quick};
  h.put("again.yaml", text_of({.name = "again",
                               .inits = {{"i", "[ -e /shared/i.twice ] && exit 0; "
                                               "[ -e /shared/i.once ] && echo > /shared/i.twice; "
                                               "echo > /shared/i.once; exit 3"}},
                               .mains = {{"a"}}},
                              h));
  h.start_daemon();
  auto pod = h.await_pod("again", "is up", [](const auto& p) { return runs(p, "a"); });
  CHECK(of(pod, "i").restarts == 2);
  REQUIRE(await_lines(h, 4));
  CHECK(order(h) == seen{"i start", "i start", "i start", "a start"});
  h.remove("again.yaml");
  h.await_gone("again");

  fs::remove(h.shared / "order");
  h.put("never.yaml", text_of({.name = "never",
                               .inits = {as_sidecar({"s"}), {"i", "exit 3"}},
                               .mains = {{"a"}},
                               .restart = "Never"},
                              h));
  pod =
      h.await_pod("never", "is over", [](const auto& p) { return p.state == pod_state::terminal; });
  CHECK(order(h) == seen{"s start", "i start", "s term"});
  const auto doc = row(h);
  CHECK(doc.at("phase") == "Failed");
  CHECK(doc.at("lastExit").at("exitCode") == 3);
  CHECK(of(pod, "a").state == container_phase::waiting);
  h.stop_daemon();
}

TEST_CASE("the pod has succeeded with its last main container; its sidecars are stopped and count "
          "nothing") {
  host h{quick};
  h.put("job.yaml", text_of({.name = "job",
                             .inits = {as_sidecar({.name = "s1", .at_term = "exit 7"}),
                                       as_sidecar({.name = "s2", .at_term = "exit 7"})},
                             .mains = {{"a", "exit 0"}},
                             .restart = "OnFailure"},
                            h));
  h.start_daemon();
  h.await_pod("job", "is over", [](const auto& p) { return p.state == pod_state::terminal; });
  CHECK(row(h).at("phase") == "Succeeded");
  CHECK(order(h) == seen{"s1 start", "s2 start", "a start", "s2 term", "s1 term"});
  h.stop_daemon();
}

TEST_CASE("a stop with three sidecars, one of them deaf, keeps one grace period for all") {
  host h{quick};
  h.put("deaf.yaml",
        text_of({.name = "deaf",
                 .inits = {as_sidecar({"s1"}), as_sidecar({.name = "s2", .at_term = ":"}),
                           as_sidecar({"s3"})},
                 .mains = {{"a"}},
                 .spec = "  terminationGracePeriodSeconds: 3\n"},
                h));
  h.start_daemon();
  h.await_pod("deaf", "is up", [](const auto& p) { return runs(p, "a"); });
  REQUIRE(await_lines(h, 4));
  fs::remove(h.shared / "order");
  h.remove("deaf.yaml");
  h.await_gone("deaf");
  CHECK(order(h) == seen{"a term", "s3 term", "s2 term", "s1 term"});
  h.stop_daemon();
}

// --- whose policy counts -------------------------------------------------------------------------

TEST_CASE("a container's own policy and rules count before the pod's") {
  host h{quick};
  const std::string on_42 = "    restartPolicy: Never\n    restartPolicyRules:\n"
                            "    - {action: Restart, exitCodes: {operator: In, values: [42]}}\n";
  h.put("own.yaml", text_of({.name = "own",
                             .mains = {{"a",
                                        "[ -e /shared/a.once ] && exit 5; echo > "
                                        "/shared/a.once; exit 42",
                                        on_42},
                                       {"b",
                                        "[ -e /shared/b.once ] && " + std::string{stay} +
                                            "; echo > /shared/b.once; exit 0",
                                        "    restartPolicy: Always\n"}},
                             .restart = "Never"},
                            h));
  h.start_daemon();
  const auto pod = h.await_pod("own", "has settled", [](const auto& p) {
    return p.containers.size() == 2 && runs(p, "b", 1) && of(p, "a").terminated;
  });
  CHECK(of(pod, "a").restarts == 1);
  CHECK(of(pod, "a").terminated->exit_code == 5);
  h.remove("own.yaml");
  h.await_gone("own");
  h.stop_daemon();
}

TEST_CASE("RestartAllContainers: all from the start, in their sandbox, without grace") {
  host h{quick};
  const std::string all_on_88 =
      "    restartPolicy: Never\n    restartPolicyRules:\n"
      "    - {action: RestartAllContainers, exitCodes: {operator: In, values: [88]}}\n";
  const gate go{h.shared / "go"};
  h.put("all.yaml", text_of({.name = "all",
                             .inits = {{"i", "exit 0"}},
                             .mains = {{"a"},
                                       {"b",
                                        "[ -e /shared/b.once ] && " + std::string{stay} +
                                            "; echo > /shared/b.once; read go < /shared/go; "
                                            "exit 88",
                                        all_on_88}}},
                            h));
  h.start_daemon();
  auto pod =
      h.await_pod("all", "is up", [](const auto& p) { return runs(p, "a") && runs(p, "b"); });
  REQUIRE(await_lines(h, 3));
  const auto ns = [](const container_status& c) {
    return fs::read_symlink("/proc/" + std::to_string(c.host_pid) + "/ns/net");
  };
  const auto net = ns(of(pod, "a"));
  go.open();
  pod = h.await_pod("all", "is up again",
                    [](const auto& p) { return runs(p, "a", 1) && runs(p, "b", 1); });
  CHECK(of(pod, "i").restarts == 1);
  CHECK(ns(of(pod, "a")) == net);
  REQUIRE(await_lines(h, 6));
  CHECK(order(h) == seen{"i start", "a start", "b start", "i start", "a start", "b start"});
  h.remove("all.yaml");
  h.await_gone("all");
  h.stop_daemon();
}

// --- strategies ----------------------------------------------------------------------------------

TEST_CASE("strategies: what the end of the second of three takes with it") {
  struct case_of {
    const char* strategy;
    seen then;
    std::array<std::uint32_t, 4> restarts; ///< of i, a, b, c
  };
  for (const auto& c : {case_of{"one_for_one", {"b start"}, {0, 0, 1, 0}},
                        case_of{"rest_for_one", {"c term", "b start", "c start"}, {0, 0, 1, 1}},
                        case_of{"one_for_all",
                                {"c term", "a term", "i start", "a start", "b start", "c start"},
                                {1, 1, 1, 1}}}) {
    CAPTURE(c.strategy);
    host h{quick};
    h.put("otp.yaml", text_of({.name = "otp",
                               .inits = {{"i", "exit 0"}},
                               .mains = {{"a"}, {"b"}, {"c"}},
                               .annotations = "tank/strategy: " + std::string{c.strategy}},
                              h));
    h.start_daemon();
    auto pod = h.await_pod(
        "otp", "is up", [](const auto& p) { return runs(p, "a") && runs(p, "b") && runs(p, "c"); });
    REQUIRE(await_lines(h, 4));
    fs::remove(h.shared / "order");
    kill_one(of(pod, "b"));
    pod = h.await_pod("otp", "is up again", [&](const auto& p) {
      return runs(p, "a", c.restarts[1]) && runs(p, "b", c.restarts[2]) &&
             runs(p, "c", c.restarts[3]);
    });
    REQUIRE(await_lines(h, c.then.size()));
    CHECK(order(h) == c.then);
    CHECK(of(pod, "i").restarts == c.restarts[0]);
    h.remove("otp.yaml");
    h.await_gone("otp");
    h.stop_daemon();
  }
}

TEST_CASE(
    "tank/ends-with: the pod ends with it, the others are stopped, and its end is the pod's") {
  host h{quick};
  const gate go{h.shared / "go"};
  h.put("task.yaml", text_of({.name = "task",
                              .mains = {{.name = "helper", .at_term = "exit 9"},
                                        {"task", "read go < /shared/go; exit 0"}},
                              .restart = "OnFailure",
                              .annotations = "tank/ends-with: task"},
                             h));
  h.start_daemon();
  h.await_pod("task", "is up", [](const auto& p) { return runs(p, "helper") && runs(p, "task"); });
  REQUIRE(await_lines(h, 2));
  go.open();
  h.await_pod("task", "is over", [](const auto& p) { return p.state == pod_state::terminal; });
  CHECK(order(h) == seen{"helper start", "task start", "helper term"});
  CHECK(row(h).at("phase") == "Succeeded");
  h.stop_daemon();
}

} // namespace e2e_order_test

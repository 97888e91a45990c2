#include "cli/up_verdict.hpp"
#include "config/pod.hpp"

#include <doctest/doctest.h>

namespace up_verdict_test {

using namespace tank;
using namespace tank::cli;

namespace {

pod_status pod(const std::string& name, pod_state state, const std::string& policy = "Always") {
  pod_status p;
  p.key = "default/" + name;
  p.state = state;
  auto value = std::make_shared<config::pod>();
  value->spec.restart_policy = policy;
  value->spec.containers.resize(1);
  p.pod = value;
  return p;
}

pod_status ended(const std::string& name, int code, const std::string& policy = "Never") {
  auto p = pod(name, pod_state::terminal, policy);
  p.last = last_exit{code == 0 ? "Completed" : "Error", code, 0, "", 1, 2};
  return p;
}

instance::view view(std::vector<pod_status> pods) {
  instance::view v;
  v.pods = std::move(pods);
  v.synced = true;
  return v;
}

} // namespace

TEST_CASE("nothing is judged before the manifests are read") {
  auto v = view({ended("a", 0)});
  v.synced = false;
  CHECK_FALSE(judge_up(v, up_goal::ready));
  CHECK_FALSE(judge_up(v, up_goal::exit));
  CHECK(up_line(v).empty());
}

TEST_CASE("ready means that every pod runs or has ended well") {
  auto running = pod("a", pod_state::running);
  CHECK(judge_up(view({running, ended("b", 0)}), up_goal::ready) == up_end{});
  CHECK_FALSE(judge_up(view({running, pod("b", pod_state::starting)}), up_goal::ready));
  CHECK_FALSE(judge_up(view({running, pod("b", pod_state::backing_off)}), up_goal::ready));
  // One that failed for good ends the wait while others still start.
  const auto end = judge_up(view({pod("a", pod_state::starting), ended("b", 3)}), up_goal::ready);
  REQUIRE(end);
  REQUIRE(end->problems.size() == 1);
  CHECK(end->problems[0].starts_with("pod/b exited 3"));
}

TEST_CASE("exit waits for the pods that end by themselves, and for no others") {
  auto always = pod("a", pod_state::running);
  CHECK_FALSE(judge_up(view({always, pod("b", pod_state::running, "Never")}), up_goal::exit));
  CHECK(judge_up(view({always, ended("b", 0)}), up_goal::exit) == up_end{});
  const auto failed = judge_up(view({ended("b", 3), ended("c", 0)}), up_goal::exit);
  REQUIRE(failed);
  CHECK(failed->problems.size() == 1);
  // Nobody would ever come to the end.
  const auto never = judge_up(view({always}), up_goal::exit);
  REQUIRE(never);
  CHECK(never->problems.size() == 1);
}

TEST_CASE("a pod ends by itself with its containers' own policies, and with its deadline") {
  const auto running = [](const std::string& policy, const std::vector<std::string>& own,
                          std::optional<std::int64_t> deadline = {}) {
    auto p = pod("a", pod_state::running, policy);
    auto value = *p.pod;
    value.spec.containers.resize(own.size());
    for (std::size_t i = 0; i < own.size(); ++i)
      if (!own[i].empty()) value.spec.containers[i].restart_policy = own[i];
    value.spec.active_deadline_seconds = deadline;
    p.pod = std::make_shared<const config::pod>(std::move(value));
    return p;
  };
  const auto waits = [](const pod_status& p) { return !judge_up(view({p}), up_goal::exit); };
  CHECK(waits(running("Always", {"OnFailure", "Never"})));
  CHECK(waits(running("Always", {""}, 60)));
  CHECK_FALSE(waits(running("Always", {"Never", ""}))); // nobody would ever come to the end
  CHECK_FALSE(waits(running("Never", {"", "Always"})));
}

TEST_CASE("a pod whose deadline is over has failed, though its program ended with 0") {
  auto late = ended("a", 0);
  late.reason = "DeadlineExceeded";
  for (const auto goal : {up_goal::ready, up_goal::exit})
    CHECK(judge_up(view({late}), goal).value().problems.size() == 1);
}

TEST_CASE("a file in error and an empty directory end the wait with the reason") {
  auto v = view({pod("a", pod_state::starting)});
  v.files.push_back({"x.yaml", {}, {}, {"x.yaml:1:1: it is bad"}, {}, false});
  CHECK(judge_up(v, up_goal::ready) == up_end{{"x.yaml:1:1: it is bad"}});
  CHECK(judge_up(view({}), up_goal::ready)->problems.size() == 1);
  CHECK_FALSE(judge_up(view({}), up_goal::forever));
}

TEST_CASE("what is missing when the time is over is said a pod") {
  const auto lines =
      missing(view({pod("a", pod_state::running), pod("b", pod_state::starting)}), up_goal::ready);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == "pod/b starting");
}

TEST_CASE("the line that says that all is up counts, and tells no lies") {
  const auto running = pod("a", pod_state::running);
  CHECK(up_line(view({})).empty());
  CHECK(up_line(view({running})) == "the pod is up");
  CHECK(up_line(view({running, ended("b", 0)})) == "all 2 pods are up");
  CHECK(up_line(view({running, pod("b", pod_state::pending)})).empty());
  CHECK(up_line(view({running, pod("b", pod_state::backing_off)})).empty());
  CHECK(up_line(view({running, ended("b", 3), ended("c", 0)})) == "2 of 3 pods are up, 1 failed");
}

} // namespace up_verdict_test

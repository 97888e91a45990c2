// From resources to cgroup limits, as kubelet computes them.
#include "base/capability.hpp"
#include "config/decode.hpp"
#include "config/defaults.hpp"
#include "config/manifest.hpp"
#include "pod/plan_cgroup.hpp"
#include "tests/unit/config/vectors.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace plan_cgroup_test {

using namespace tank;
using nlohmann::json;

namespace {

constexpr std::uint64_t node = std::uint64_t{16} << 30;

/// As a manifest that was read; what it is judged as does not matter here.
config::pod pod_of(const std::string& text) {
  const auto parsed = config::parse_manifest(text, {});
  REQUIRE(parsed.pods.size() == 1);
  return parsed.pods.front().pod;
}

config::pod with_resources(const std::string& resources) {
  return pod_of("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
                "  - {name: main, image: 'x:1', resources: " +
                resources + "}\n");
}

/// The form of the corpus' rows.
json told(const pod_resources& r) {
  json j{{"qos", to_string(r.qos)}, {"containers", json::array()}};
  const auto put = [](json& to, const char* key, const std::optional<std::uint64_t>& value) {
    if (value) to[key] = *value;
  };
  put(j, "podCpuShares", r.limits.cpu_shares);
  put(j, "podCpuQuota", r.limits.cpu_quota);
  put(j, "podMemory", r.limits.memory);
  for (const auto& c : r.containers)
    j["containers"].push_back({{"name", c.name},
                               {"cpuShares", c.limits.cpu_shares.value_or(0)},
                               {"cpuQuota", c.limits.cpu_quota.value_or(0)},
                               {"memoryLimit", c.limits.memory.value_or(0)},
                               {"oomScoreAdj", c.oom_score_adj}});
  return j;
}

} // namespace

TEST_CASE("all of kubelet's own results hold") {
  using namespace config::test;
  if (!have_corpus()) return;
  std::istringstream lines{slurp(corpus() / "cgroup_goldens.jsonl")};
  std::size_t rows = 0;
  for (std::string line; std::getline(lines, line); ++rows) {
    auto wanted = json::parse(line);
    const auto name = wanted["golden"].get<std::string>();
    wanted.erase("golden");
    wanted.erase("hugepages"); // a manifest that asks for them is refused here
    const auto ours = told(plan_resources(pod_of(slurp(corpus() / name)), node));
    CHECK_MESSAGE(ours == wanted, name, ": ", json::diff(wanted, ours).dump());
  }
  CHECK(rows > 390);
}

TEST_CASE("the three classes, and what they mean for the OOM killer") {
  auto r = plan_resources(with_resources("{}"), node);
  CHECK(r.qos == qos_class::best_effort);
  CHECK(r.limits == kernel::cgroup_limits{.cpu_shares = 2});
  CHECK(r.containers.at(0).oom_score_adj == 1000);
  r = plan_resources(with_resources("{limits: {cpu: 500m, memory: 64Mi}}"), node);
  CHECK(r.qos == qos_class::guaranteed);
  CHECK(r.containers.at(0).oom_score_adj == -997);
  CHECK(r.containers.at(0).limits ==
        kernel::cgroup_limits{.memory = 64u << 20, .cpu_quota = 50'000, .cpu_shares = 512});
  CHECK(r.limits == r.containers.at(0).limits);
  r = plan_resources(with_resources("{requests: {memory: 8Gi}}"), node);
  CHECK(r.qos == qos_class::burstable);
  CHECK(r.containers.at(0).oom_score_adj == 500);
  CHECK(plan_resources(with_resources("{requests: {memory: 1Ti}}"), node)
            .containers.at(0)
            .oom_score_adj == 3);
  CHECK(plan_resources(with_resources("{requests: {memory: 1}}"), node)
            .containers.at(0)
            .oom_score_adj == 999);
  CHECK(
      plan_resources(with_resources("{requests: {memory: 1}}"), 0).containers.at(0).oom_score_adj ==
      3);
}

TEST_CASE("figures stay in their ranges") {
  const auto limits = [](const std::string& text) {
    return plan_resources(with_resources(text), node).containers.at(0).limits;
  };
  CHECK(limits("{limits: {cpu: 1m}}").cpu_quota == 1000);
  CHECK(limits("{limits: {cpu: 1m}}").cpu_shares == 2);
  CHECK(limits("{limits: {cpu: '100000'}}").cpu_shares == 262144);
  CHECK(limits("{limits: {cpu: 2}, requests: {cpu: 0}}").cpu_shares == 2);
  CHECK(!limits("{limits: {cpu: 0, memory: 0}}").cpu_quota);
  CHECK(!limits("{limits: {cpu: 0, memory: 0}}").memory);
  CHECK(limits("{limits: {memory: 0.5}}").memory == 1);
  const auto vast = limits("{limits: {memory: 8Ei, cpu: 1E}}");
  CHECK(vast.memory.value_or(0) > node);
  CHECK(vast.cpu_shares == 262144);
}

TEST_CASE("the pod's processes are bounded whatever it asks for") {
  CHECK(plan_resources(with_resources("{}"), node, 4096).limits.pids == 4096);
  CHECK(!plan_resources(with_resources("{}"), node, 4096).containers.at(0).limits.pids);
  CHECK(!plan_resources(with_resources("{}"), node).limits.pids);
}

TEST_CASE("a score below our own is left out where the kernel would refuse it") {
  kernel::host_facts host;
  CHECK(possible_oom_score(-997, host) == -997);
  host.capabilities &= ~capability_bit(*capability_number("SYS_RESOURCE"));
  CHECK(!possible_oom_score(-997, host));
  CHECK(possible_oom_score(0, host) == 0);
  CHECK(possible_oom_score(1000, host) == 1000);
  host.oom_score_adj = 500;
  CHECK(!possible_oom_score(499, host));
  CHECK(possible_oom_score(500, host) == 500);
}

TEST_CASE("an end is for want of memory when there were kills in the run and it was no good one") {
  CHECK(is_oom_end(0, 1, false));
  CHECK(is_oom_end(3, 4, false));
  CHECK(!is_oom_end(0, 1, true)); // a child was killed, and the program coped
  CHECK(!is_oom_end(2, 2, false));
  CHECK(!is_oom_end(0, 0, false));
  CHECK(!is_oom_end(5, 0, false)); // another cgroup of this name
}

TEST_CASE("init containers and sidecars have cgroups of their own; a sidecar outlives no less than "
          "a main one") {
  const auto pod = pod_of(R"(
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  initContainers:
  - {name: i, image: 'x:1', resources: {limits: {memory: 64Mi}}}
  - {name: s, image: 'x:1', restartPolicy: Always}
  containers:
  - {name: a, image: 'x:1', resources: {requests: {memory: 8Gi}}}
  - {name: b, image: 'x:1', resources: {requests: {memory: 4Gi}}}
)");
  const auto r = plan_resources(pod, node);
  REQUIRE(r.init_containers.size() == 2);
  CHECK(r.init_containers[1].oom_score_adj == 750); // alone it would have 999
  CHECK(r.containers[1].oom_score_adj == 750);
  CHECK(r.init_containers[0].oom_score_adj == 997);
  const cgroup_tree tree{.version = cgroup_version::v2, .hierarchies = {}};
  const auto made = plan_cgroup(r, tree, "tank/p");
  REQUIRE(made.has_value());
  REQUIRE(made->containers.size() == 4);
  CHECK(made->containers[0].name == "i");
  CHECK(made->containers[0].limits.memory == std::uint64_t{64} << 20);
}

} // namespace plan_cgroup_test

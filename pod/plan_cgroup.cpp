#include "pod/plan_cgroup.hpp"

#include "base/capability.hpp"

#include <algorithm>
#include <map>

namespace tank {
namespace {

using amounts = std::map<std::string, config::quantity>;

constexpr std::uint64_t min_shares = 2;
constexpr std::uint64_t max_shares = 262144;
constexpr std::uint64_t period_us = 100'000;
constexpr std::uint64_t min_quota_us = 1000;
constexpr std::int32_t guaranteed_score = -997;
constexpr std::int32_t best_effort_score = 1000;

/// What counts here, in the units in which it is added up: thousandths of a cpu, bytes.
struct sums {
  std::uint64_t cpu = 0;
  std::uint64_t memory = 0;
  sums& operator+=(const sums& o) {
    cpu += o.cpu;
    memory += o.memory;
    return *this;
  }
  void raise_to(const sums& o) {
    cpu = std::max(cpu, o.cpu);
    memory = std::max(memory, o.memory);
  }
};

std::uint64_t positive(std::int64_t n) {
  return n > 0 ? static_cast<std::uint64_t>(n) : 0;
}

/// Bounded so that sums of many do not wrap.
sums sums_of(const amounts& list) {
  constexpr std::uint64_t most = std::uint64_t{1} << 53;
  sums out;
  if (const auto it = list.find("cpu"); it != list.end())
    out.cpu = std::min(positive(it->second.milli_value()), most);
  if (const auto it = list.find("memory"); it != list.end())
    out.memory = std::min(positive(it->second.value()), most);
  return out;
}

std::uint64_t shares_of(std::uint64_t milli) {
  return std::clamp(milli * 1024 / 1000, min_shares, max_shares);
}

std::optional<std::uint64_t> quota_of(std::uint64_t milli) {
  if (milli == 0) return std::nullopt;
  return std::max(milli * period_us / 1000, min_quota_us);
}

std::optional<std::uint64_t> bytes_of(std::uint64_t n) {
  return n == 0 ? std::nullopt : std::optional{n};
}

bool is_sidecar(const config::container& c) {
  return c.restart_policy == "Always";
}

std::vector<const config::container*> all_containers(const config::pod_spec& spec) {
  std::vector<const config::container*> all;
  for (const auto& c : spec.init_containers)
    all.push_back(&c);
  for (const auto& c : spec.containers)
    all.push_back(&c);
  return all;
}

/// The most that runs at one time: all containers and sidecars, or one step of the beginning with
/// the sidecars before it.
sums pod_sums(const config::pod_spec& spec, amounts config::resource_requirements::*list) {
  sums total;
  for (const auto& c : spec.containers)
    total += sums_of(c.resources.*list);
  sums sidecars;
  sums beginning;
  for (const auto& c : spec.init_containers) {
    auto step = sums_of(c.resources.*list);
    if (is_sidecar(c)) {
      total += step;
      sidecars += step;
      step = sidecars;
    } else {
      step += sidecars;
    }
    beginning.raise_to(step);
  }
  total.raise_to(beginning);
  return total;
}

std::int32_t score_of(qos_class qos, std::uint64_t request, std::uint64_t memory) {
  if (qos == qos_class::guaranteed) return guaranteed_score;
  if (qos == qos_class::best_effort) return best_effort_score;
  const auto part = static_cast<std::int64_t>(
      std::min<std::uint64_t>(1000 * request / std::max<std::uint64_t>(memory, 1), 1000));
  // Never as safe as a guaranteed one, never the first to go.
  return static_cast<std::int32_t>(
      std::clamp<std::int64_t>(1000 - part, 1000 + guaranteed_score, best_effort_score - 1));
}

container_resources plan_container(const config::container& c, qos_class qos,
                                   std::uint64_t memory) {
  const auto requests = sums_of(c.resources.requests);
  const auto limits = sums_of(c.resources.limits);
  container_resources out{.name = c.name, .limits = {}};
  const bool says = c.resources.requests.contains("cpu");
  out.limits.cpu_shares = shares_of(says ? requests.cpu : limits.cpu);
  out.limits.cpu_quota = quota_of(limits.cpu);
  out.limits.memory = bytes_of(limits.memory);
  out.oom_score_adj = score_of(qos, requests.memory, memory);
  return out;
}

/// No sidecar goes before the main container that asks for the least: the pod needs it as much.
void spare_sidecars(const config::pod_spec& spec, pod_resources& out) {
  auto first_to_go = guaranteed_score;
  for (const auto& c : out.containers)
    first_to_go = std::max(first_to_go, c.oom_score_adj);
  for (std::size_t i = 0; i < spec.init_containers.size(); ++i)
    if (auto& score = out.init_containers[i].oom_score_adj; is_sidecar(spec.init_containers[i]))
      score = std::min(score, first_to_go);
}

} // namespace

std::string_view to_string(qos_class q) noexcept {
  switch (q) {
  case qos_class::guaranteed:
    return "Guaranteed";
  case qos_class::burstable:
    return "Burstable";
  case qos_class::best_effort:
    return "BestEffort";
  }
  return "";
}

qos_class qos_of(const config::pod& pod) {
  sums requests;
  sums limits;
  bool all_limited = true;
  for (const auto* c : all_containers(pod.spec)) {
    const auto limit = sums_of(c->resources.limits);
    requests += sums_of(c->resources.requests);
    limits += limit;
    all_limited = all_limited && limit.cpu != 0 && limit.memory != 0;
  }
  if (requests.cpu + requests.memory + limits.cpu + limits.memory == 0)
    return qos_class::best_effort;
  const bool same = requests.cpu == limits.cpu && requests.memory == limits.memory;
  return all_limited && same ? qos_class::guaranteed : qos_class::burstable;
}

pod_resources plan_resources(const config::pod& pod, std::uint64_t memory, std::uint64_t pids) {
  pod_resources out;
  out.qos = qos_of(pod);
  bool cpu_limited = true;
  bool memory_limited = true;
  const auto plan = [&](const std::vector<config::container>& list,
                        std::vector<container_resources>& to) {
    for (const auto& c : list) {
      to.push_back(plan_container(c, out.qos, memory));
      cpu_limited = cpu_limited && to.back().limits.cpu_quota.has_value();
      memory_limited = memory_limited && to.back().limits.memory.has_value();
    }
  };
  plan(pod.spec.init_containers, out.init_containers);
  plan(pod.spec.containers, out.containers);
  spare_sidecars(pod.spec, out);
  const auto limits = pod_sums(pod.spec, &config::resource_requirements::limits);
  out.limits.cpu_shares =
      shares_of(pod_sums(pod.spec, &config::resource_requirements::requests).cpu);
  if (cpu_limited) out.limits.cpu_quota = quota_of(limits.cpu);
  if (memory_limited) out.limits.memory = bytes_of(limits.memory);
  if (pids != 0) out.limits.pids = pids;
  return out;
}

result<kernel::pod_cgroup> plan_cgroup(const pod_resources& resources, const cgroup_tree& tree,
                                       const std::filesystem::path& name) {
  const bool none = tree.version == cgroup_version::none;
  kernel::pod_cgroup out;
  for (const auto* list : {&resources.init_containers, &resources.containers})
    for (const auto& c : *list) {
      if (none && (c.limits.memory || c.limits.cpu_quota))
        return fail(errc::unsupported, "limit", c.name, "Tank has no cgroups on this host",
                    "see event=no_cgroups in the daemon's log");
      out.containers.push_back({c.name, c.limits});
    }
  if (none) return kernel::pod_cgroup{};
  out.name = name;
  out.limits = resources.limits;
  return out;
}

std::optional<std::int32_t> possible_oom_score(std::int32_t wanted,
                                               const kernel::host_facts& host) {
  const bool may = (host.capabilities & capability_bit(24)) != 0; // CAP_SYS_RESOURCE
  if (wanted < host.oom_score_adj && !may) return std::nullopt;
  return wanted;
}

bool is_oom_end(std::uint64_t kills_before, std::uint64_t kills_after, bool ended_well) noexcept {
  return kills_after > kills_before && !ended_well;
}

} // namespace tank

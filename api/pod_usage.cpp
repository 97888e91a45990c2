#include "api/pod_usage.hpp"

#include "api/api_protocol.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

namespace tank {

usage_rate rate_between(const pod_usage& before, const pod_usage& after) {
  usage_rate rate;
  if (before.key != after.key || before.uid != after.uid || before.started_ns != after.started_ns)
    return rate;
  const auto grown = [&](auto member) -> std::optional<std::uint64_t> {
    const auto from = before.counted.*member;
    const auto to = after.counted.*member;
    if (!from || !to || *to < *from) return std::nullopt;
    return *to - *from;
  };
  const auto us = (after.at_ns - before.at_ns) / 1000;
  if (const auto cpu = grown(&kernel::cgroup_stats::cpu_us); cpu && us > 0)
    rate.cpu_millis = *cpu * 1000 / static_cast<std::uint64_t>(us);
  const auto periods = grown(&kernel::cgroup_stats::periods);
  const auto throttled = grown(&kernel::cgroup_stats::throttled_periods);
  if (periods && throttled)
    rate.throttled_percent =
        *periods == 0 ? 0 : std::min<std::uint64_t>(*throttled * 100 / *periods, 100);
  return rate;
}

std::vector<usage_row> usage_rows(const std::vector<pod_usage>& before,
                                  const std::vector<pod_usage>& after) {
  std::vector<usage_row> rows;
  for (const auto& now : after) {
    const auto earlier =
        std::find_if(before.begin(), before.end(), [&](const auto& b) { return b.key == now.key; });
    rows.push_back({now, earlier == before.end() ? usage_rate{} : rate_between(*earlier, now)});
  }
  return rows;
}

namespace api {
namespace {

using json = nlohmann::ordered_json;
using figure = std::optional<std::uint64_t>;

constexpr std::array<std::pair<const char*, figure kernel::cgroup_stats::*>, 13> figures{{
    {"cpuUs", &kernel::cgroup_stats::cpu_us},
    {"cpuUserUs", &kernel::cgroup_stats::cpu_user_us},
    {"cpuSystemUs", &kernel::cgroup_stats::cpu_system_us},
    {"periods", &kernel::cgroup_stats::periods},
    {"throttledPeriods", &kernel::cgroup_stats::throttled_periods},
    {"throttledUs", &kernel::cgroup_stats::throttled_us},
    {"memoryBytes", &kernel::cgroup_stats::memory},
    {"memoryWorkingSetBytes", &kernel::cgroup_stats::memory_working_set},
    {"memoryPeakBytes", &kernel::cgroup_stats::memory_peak},
    {"memoryLimitBytes", &kernel::cgroup_stats::memory_limit},
    {"pids", &kernel::cgroup_stats::pids},
    {"pidsLimit", &kernel::cgroup_stats::pids_limit},
    {"oomKills", &kernel::cgroup_stats::oom_kills},
}};

json or_null(const figure& value) {
  return value ? json(*value) : json(nullptr);
}

json to_json(const pod_usage& p) {
  const auto slash = p.key.find('/');
  json row{{"namespace", p.key.substr(0, slash)},
           {"name", slash == std::string::npos ? p.key : p.key.substr(slash + 1)},
           {"uid", p.uid},
           {"startedAt", p.started_ns == 0 ? json(nullptr) : json(format_time(p.started_ns))}};
  for (const auto& [name, member] : figures)
    row[name] = or_null(p.counted.*member);
  return row;
}

} // namespace

std::string ok_usage(const std::vector<pod_usage>& pods) {
  json items = json::array();
  for (const auto& p : pods) {
    auto row = to_json(p);
    row["monotonicNs"] = p.at_ns;
    items.push_back(std::move(row));
  }
  return json{{"ok", true}, {"items", std::move(items)}}.dump() + "\n";
}

result<std::vector<pod_usage>> decode_usage(std::string_view line) {
  TANK_TRY(decode_ok(line));
  try {
    std::vector<pod_usage> pods;
    const auto answer = json::parse(line);
    for (const auto& item : answer.at("items")) {
      auto& p = pods.emplace_back();
      p.key = item.at("namespace").get<std::string>() + "/" + item.at("name").get<std::string>();
      p.uid = item.at("uid").get<std::string>();
      if (item.at("startedAt").is_string())
        p.started_ns = parse_time(item.at("startedAt").get<std::string>());
      p.at_ns = item.at("monotonicNs").get<std::int64_t>();
      for (const auto& [name, member] : figures)
        if (const auto it = item.find(name); it != item.end() && it->is_number_unsigned())
          p.counted.*member = it->get<std::uint64_t>();
    }
    return pods;
  } catch (const json::exception& e) {
    return fail(errc::corrupt, "read the answer of", "the daemon", e.what());
  }
}

std::string usage_document(const std::vector<usage_row>& rows, int indent) {
  json items = json::array();
  for (const auto& r : rows) {
    auto row = to_json(r.now);
    row["cpuMillicores"] = or_null(r.rate.cpu_millis);
    row["throttledPercent"] = or_null(r.rate.throttled_percent);
    items.push_back(std::move(row));
  }
  return json{{"apiVersion", "tank/v1"}, {"kind", "PodUsageList"}, {"items", std::move(items)}}
      .dump(indent);
}

} // namespace api
} // namespace tank

// Contradictions between what annotations say of a pod's supervision and its containers.
#include "config/restart_rules.hpp"
#include "config/validate_common.hpp"

#include <algorithm>

namespace tank::config::rules {
namespace {

path annotation(std::string_view key) {
  return path{"metadata"}.child("annotations").key(key);
}

std::string policy_of(const container& c, const pod_spec& spec) {
  return c.restart_policy.value_or(spec.restart_policy);
}

bool is_permanent(const container& c, const pod_spec& spec) {
  return policy_of(c, spec) == "Always";
}

/// Never, and no rule says otherwise.
bool is_temporary(const container& c, const pod_spec& spec) {
  return policy_of(c, spec) == "Never" && c.restart_policy_rules.empty();
}

void check_ends_with(const pod& p, const std::vector<std::string>& names, findings& out) {
  const auto named = [](const std::vector<container>& list, const std::string& name) {
    return std::find_if(list.begin(), list.end(), [&](const auto& c) { return c.name == name; });
  };
  const auto at = annotation(ends_with_annotation);
  for (const auto& name : names) {
    const auto main = named(p.spec.containers, name);
    if (main != p.spec.containers.end()) {
      if (is_permanent(*main, p.spec))
        out.invalid(at, name, "this container never ends for good: its restartPolicy is Always");
    } else if (named(p.spec.init_containers, name) != p.spec.init_containers.end()) {
      out.invalid(at, name, "a pod does not end with one of its initContainers");
    } else {
      out.invalid(at, name, "there is no such container");
    }
  }
}

void check_strategy(const pod& p, const std::string& strategy, findings& out) {
  const auto& spec = p.spec;
  const bool all_temporary =
      std::all_of(spec.containers.begin(), spec.containers.end(),
                  [&](const auto& c) { return is_temporary(c, spec); }) &&
      std::none_of(spec.init_containers.begin(), spec.init_containers.end(),
                   [](const auto& c) { return c.restart_policy == "Always"; });
  if (all_temporary)
    out.invalid(annotation(strategy_annotation), strategy,
                "no container of this pod is ever restarted: restartPolicy is Never");
}

} // namespace

void check_supervision(const pod& p, findings& out) {
  const auto wishes = restart_wishes_of(p.metadata.annotations);
  check_ends_with(p, wishes.ends_with, out);
  if (!wishes.strategy.empty() && wishes.strategy != "one_for_one")
    check_strategy(p, wishes.strategy, out);
}

} // namespace tank::config::rules

/// What steers a cluster's scheduler. Accepted and kept, never acted on.
///
/// Kubernetes `core/v1` as values, every field; names are those of the API in snake_case. An absent
/// optional is an absent key. config/schema_*.cpp binds each field to its key.
#pragma once

#include "config/pod/metadata.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tank::config {

struct node_selector_requirement {
  std::string key;
  std::string op;
  std::vector<std::string> values;
  bool operator==(const node_selector_requirement&) const = default;
};

struct node_selector_term {
  std::vector<node_selector_requirement> match_expressions;
  std::vector<node_selector_requirement> match_fields;
  bool operator==(const node_selector_term&) const = default;
};

struct node_selector {
  std::vector<node_selector_term> node_selector_terms;
  bool operator==(const node_selector&) const = default;
};

struct preferred_scheduling_term {
  std::int32_t weight = 0;
  node_selector_term preference;
  bool operator==(const preferred_scheduling_term&) const = default;
};

struct node_affinity {
  std::optional<node_selector> required_during_scheduling_ignored_during_execution;
  std::vector<preferred_scheduling_term> preferred_during_scheduling_ignored_during_execution;
  bool operator==(const node_affinity&) const = default;
};

struct pod_affinity_term {
  std::optional<config::label_selector> label_selector;
  std::vector<std::string> namespaces;
  std::string topology_key;
  std::optional<config::label_selector> namespace_selector;
  std::vector<std::string> match_label_keys;
  std::vector<std::string> mismatch_label_keys;
  bool operator==(const pod_affinity_term&) const = default;
};

struct weighted_pod_affinity_term {
  std::int32_t weight = 0;
  config::pod_affinity_term pod_affinity_term;
  bool operator==(const weighted_pod_affinity_term&) const = default;
};

struct pod_affinity {
  std::vector<pod_affinity_term> required_during_scheduling_ignored_during_execution;
  std::vector<weighted_pod_affinity_term> preferred_during_scheduling_ignored_during_execution;
  bool operator==(const pod_affinity&) const = default;
};

struct pod_anti_affinity {
  std::vector<pod_affinity_term> required_during_scheduling_ignored_during_execution;
  std::vector<weighted_pod_affinity_term> preferred_during_scheduling_ignored_during_execution;
  bool operator==(const pod_anti_affinity&) const = default;
};

struct affinity {
  std::optional<config::node_affinity> node_affinity;
  std::optional<config::pod_affinity> pod_affinity;
  std::optional<config::pod_anti_affinity> pod_anti_affinity;
  bool operator==(const affinity&) const = default;
};

struct toleration {
  std::string key;
  std::string op;
  std::string value;
  std::string effect;
  std::optional<std::int64_t> toleration_seconds;
  bool operator==(const toleration&) const = default;
};

struct topology_spread_constraint {
  std::int32_t max_skew = 0;
  std::string topology_key;
  std::string when_unsatisfiable;
  std::optional<config::label_selector> label_selector;
  std::optional<std::int32_t> min_domains;
  std::optional<std::string> node_affinity_policy;
  std::optional<std::string> node_taints_policy;
  std::vector<std::string> match_label_keys;
  bool operator==(const topology_spread_constraint&) const = default;
};

struct pod_scheduling_gate {
  std::string name;
  bool operator==(const pod_scheduling_gate&) const = default;
};

struct pod_scheduling_group {
  std::optional<std::string> pod_group_name;
  bool operator==(const pod_scheduling_group&) const = default;
};

} // namespace tank::config

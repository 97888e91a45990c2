#include "config/validate_common.hpp"

namespace tank::config::rules {
namespace {

void check_requirement(const node_selector_requirement& r, bool is_field, const path& at,
                       findings& out) {
  if (r.op == "In" || r.op == "NotIn") {
    if (r.values.empty())
      out.required(at.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
    if (is_field && r.values.size() != 1)
      out.required(at.child("values"), "must be only one value when `operator` is 'In' or 'NotIn' "
                                       "for node field selector");
  } else if (r.op == "Exists" || r.op == "DoesNotExist") {
    if (!r.values.empty())
      out.forbidden(at.child("values"),
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  } else if (r.op == "Gt" || r.op == "Lt") {
    if (r.values.size() != 1)
      out.required(at.child("values"),
                   "must be specified single value when `operator` is 'Lt' or 'Gt'");
  } else {
    out.invalid(at.child("operator"), r.op, "not a valid selector operator");
  }
  if (!is_field)
    out.name(at.child("key"), r.key, qualified_name(r.key));
  else if (r.key != "metadata.name")
    out.invalid(at.child("key"), r.key, "not a valid field selector key");
}

void check_term(const node_selector_term& t, const path& at, findings& out) {
  for (std::size_t i = 0; i < t.match_expressions.size(); ++i)
    check_requirement(t.match_expressions[i], false, at.child("matchExpressions").index(i), out);
  for (std::size_t i = 0; i < t.match_fields.size(); ++i)
    check_requirement(t.match_fields[i], true, at.child("matchFields").index(i), out);
}

void check_weight(std::int32_t weight, const path& at, findings& out) {
  if (weight < 1 || weight > 100) out.invalid(at, weight, "must be in the range 1-100");
}

void check_node_affinity(const node_affinity& a, const path& at, findings& out) {
  if (const auto& required = a.required_during_scheduling_ignored_during_execution) {
    const auto terms =
        at.child("requiredDuringSchedulingIgnoredDuringExecution").child("nodeSelectorTerms");
    if (required->node_selector_terms.empty())
      out.required(terms, "must have at least one node selector term");
    for (std::size_t i = 0; i < required->node_selector_terms.size(); ++i)
      check_term(required->node_selector_terms[i], terms.index(i), out);
  }
  const auto& preferred = a.preferred_during_scheduling_ignored_during_execution;
  for (std::size_t i = 0; i < preferred.size(); ++i) {
    const auto here = at.child("preferredDuringSchedulingIgnoredDuringExecution").index(i);
    check_weight(preferred[i].weight, here.child("weight"), out);
    check_term(preferred[i].preference, here.child("preference"), out);
  }
}

void check_affinity_term(const pod_affinity_term& t, const path& at, findings& out) {
  if (t.label_selector) check_label_selector(*t.label_selector, at.child("labelSelector"), out);
  if (t.namespace_selector)
    check_label_selector(*t.namespace_selector, at.child("namespaceSelector"), out);
  for (std::size_t i = 0; i < t.namespaces.size(); ++i)
    out.name(at.child("namespaces").index(i), t.namespaces[i], dns_label(t.namespaces[i]));
  if (t.topology_key.empty())
    out.required(at.child("topologyKey"), "can not be empty");
  else
    out.name(at.child("topologyKey"), t.topology_key, qualified_name(t.topology_key));
}

template <class Affinity>
void check_pod_affinity(const Affinity& a, const path& at, findings& out) {
  const auto& required = a.required_during_scheduling_ignored_during_execution;
  for (std::size_t i = 0; i < required.size(); ++i)
    check_affinity_term(required[i],
                        at.child("requiredDuringSchedulingIgnoredDuringExecution").index(i), out);
  const auto& preferred = a.preferred_during_scheduling_ignored_during_execution;
  for (std::size_t i = 0; i < preferred.size(); ++i) {
    const auto here = at.child("preferredDuringSchedulingIgnoredDuringExecution").index(i);
    check_weight(preferred[i].weight, here.child("weight"), out);
    check_affinity_term(preferred[i].pod_affinity_term, here.child("podAffinityTerm"), out);
  }
}

void check_toleration(const toleration& t, const path& at, findings& out) {
  if (!t.key.empty()) out.name(at.child("key"), t.key, qualified_name(t.key));
  if (t.key.empty() && t.op != "Exists")
    out.invalid(at.child("operator"), t.op,
                "operator must be Exists when `key` is empty, which means \"match all values and "
                "all keys\"");
  if (t.toleration_seconds && t.effect != "NoExecute")
    out.invalid(at.child("effect"), t.effect,
                "effect must be 'NoExecute' when `tolerationSeconds` is set");
  if (t.op.empty() || t.op == "Equal")
    out.name(at.child("operator"), t.value, label_value(t.value));
  else if (t.op == "Exists") {
    if (!t.value.empty())
      out.invalid(at.child("operator"), t.value, "value must be empty when `operator` is 'Exists'");
  } else
    out.one_of(at.child("operator"), t.op, {"Equal", "Exists", "Gt", "Lt"});
  if (!t.effect.empty())
    out.one_of(at.child("effect"), t.effect, {"NoExecute", "NoSchedule", "PreferNoSchedule"});
}

void check_spread(const topology_spread_constraint& c, const path& at, findings& out) {
  if (c.max_skew <= 0) out.invalid(at.child("maxSkew"), c.max_skew, "must be greater than zero");
  if (c.topology_key.empty())
    out.required(at.child("topologyKey"), "can not be empty");
  else
    out.name(at.child("topologyKey"), c.topology_key, qualified_name(c.topology_key));
  out.one_of(at.child("whenUnsatisfiable"), c.when_unsatisfiable,
             {"DoNotSchedule", "ScheduleAnyway"});
  if (c.min_domains) {
    if (*c.min_domains <= 0)
      out.invalid(at.child("minDomains"), *c.min_domains, "must be greater than zero");
    if (c.when_unsatisfiable != "DoNotSchedule")
      out.invalid(at.child("minDomains"), *c.min_domains,
                  "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not " +
                      c.when_unsatisfiable);
  }
  if (c.node_affinity_policy)
    out.one_of(at.child("nodeAffinityPolicy"), *c.node_affinity_policy, {"Honor", "Ignore"});
  if (c.node_taints_policy)
    out.one_of(at.child("nodeTaintsPolicy"), *c.node_taints_policy, {"Honor", "Ignore"});
  if (c.label_selector) check_label_selector(*c.label_selector, at.child("labelSelector"), out);
  if (!c.match_label_keys.empty() && !c.label_selector)
    out.forbidden(at.child("matchLabelKeys"),
                  "must not be specified when labelSelector is not set");
}

} // namespace

void check_scheduling(const pod_spec& pod, const path& at, findings& out) {
  check_labels(pod.node_selector, at.child("nodeSelector"), out);
  if (!pod.node_name.empty())
    out.name(at.child("nodeName"), pod.node_name, dns_subdomain(pod.node_name));
  if (pod.affinity) {
    const auto here = at.child("affinity");
    const auto& a = *pod.affinity;
    if (a.node_affinity) check_node_affinity(*a.node_affinity, here.child("nodeAffinity"), out);
    if (a.pod_affinity) check_pod_affinity(*a.pod_affinity, here.child("podAffinity"), out);
    if (a.pod_anti_affinity)
      check_pod_affinity(*a.pod_anti_affinity, here.child("podAntiAffinity"), out);
  }
  for (std::size_t i = 0; i < pod.tolerations.size(); ++i)
    check_toleration(pod.tolerations[i], at.child("tolerations").index(i), out);
  std::set<std::string> pairs;
  for (std::size_t i = 0; i < pod.topology_spread_constraints.size(); ++i) {
    const auto& c = pod.topology_spread_constraints[i];
    const auto here = at.child("topologySpreadConstraints").index(i);
    check_spread(c, here, out);
    const auto pair = "{" + c.topology_key + ", " + c.when_unsatisfiable + "}";
    if (!pairs.insert(pair).second)
      out.duplicate(here.child("{topologyKey, whenUnsatisfiable}"), pair);
  }
  std::set<std::string> gates;
  for (std::size_t i = 0; i < pod.scheduling_gates.size(); ++i) {
    const auto& name = pod.scheduling_gates[i].name;
    const auto here = at.child("schedulingGates").index(i);
    if (name.empty())
      out.required(here, "must not be empty");
    else
      out.name(here, name, qualified_name(name));
    if (!gates.insert(name).second) out.duplicate(here, name);
  }
  if (!pod.scheduling_gates.empty() && !pod.node_name.empty())
    out.forbidden(at.child("nodeName"),
                  "cannot be set until all schedulingGates have been cleared");
  if (pod.preemption_policy)
    out.one_of(at.child("preemptionPolicy"), *pod.preemption_policy,
               {"Never", "PreemptLowerPriority"});
}

} // namespace tank::config::rules

#include "config/validate.hpp"

#include "config/validate_common.hpp"

#include <limits>

namespace tank::config {
namespace {

using rules::path;

void check_times(const pod_spec& pod, const path& at, rules::findings& out) {
  if (pod.termination_grace_period_seconds)
    out.not_negative(at.child("terminationGracePeriodSeconds"),
                     *pod.termination_grace_period_seconds);
  constexpr auto most = std::numeric_limits<std::int32_t>::max();
  if (pod.active_deadline_seconds &&
      (*pod.active_deadline_seconds < 1 || *pod.active_deadline_seconds > most))
    out.invalid(at.child("activeDeadlineSeconds"), *pod.active_deadline_seconds,
                "must be between 1 and 2147483647, inclusive");
}

void check_references(const pod_spec& pod, const path& at, rules::findings& out) {
  const auto subdomain = [&](const std::string& name, const path& here) {
    if (!name.empty()) out.name(here, name, rules::dns_subdomain(name));
  };
  subdomain(pod.service_account_name, at.child("serviceAccountName"));
  subdomain(pod.priority_class_name, at.child("priorityClassName"));
  if (pod.runtime_class_name)
    out.name(at.child("runtimeClassName"), *pod.runtime_class_name,
             rules::dns_subdomain(*pod.runtime_class_name));
  for (std::size_t i = 0; i < pod.image_pull_secrets.size(); ++i)
    if (pod.image_pull_secrets[i].name.empty())
      out.required(at.child("imagePullSecrets").index(i).child("name"));
  for (std::size_t i = 0; i < pod.readiness_gates.size(); ++i)
    out.name(at.child("readinessGates").index(i).child("conditionType"),
             pod.readiness_gates[i].condition_type,
             rules::qualified_name(pod.readiness_gates[i].condition_type));
  std::set<std::string> claims;
  for (std::size_t i = 0; i < pod.resource_claims.size(); ++i) {
    const auto& c = pod.resource_claims[i];
    const auto here = at.child("resourceClaims").index(i);
    out.name(here.child("name"), c.name, rules::dns_label(c.name));
    if (!claims.insert(c.name).second) out.duplicate(here.child("name"), c.name);
    if (c.resource_claim_name.has_value() == c.resource_claim_template_name.has_value())
      out.invalid(here, c.name,
                  "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
  }
}

void check_spec(const pod_spec& pod, rules::findings& out) {
  const path at{"spec"};
  rules::pod_facts facts{pod, {}};
  for (const auto& v : pod.volumes)
    facts.volumes.insert(v.name);
  rules::check_volumes(pod, at.child("volumes"), out);
  rules::check_containers(facts, out);
  if (pod.restart_policy.empty())
    out.required(at.child("restartPolicy"));
  else
    out.one_of(at.child("restartPolicy"), pod.restart_policy, {"Always", "Never", "OnFailure"});
  check_times(pod, at, out);
  rules::check_network(pod, at, out);
  rules::check_pod_security(pod, at.child("securityContext"), out);
  rules::check_scheduling(pod, at, out);
  check_references(pod, at, out);
  if (pod.os) out.one_of(at.child("os.name"), pod.os->name, {"linux", "windows"});
  if (pod.resources) rules::check_resources(*pod.resources, pod, true, at.child("resources"), out);
  rules::check_resource_list(pod.overhead, false, at.child("overhead"), out);
}

} // namespace

void validate_pod(const pod& p, const position_lookup& locate, std::vector<diagnostic>& found) {
  rules::findings out{locate, found};
  rules::check_metadata(p.metadata, out);
  check_spec(p.spec, out);
  rules::check_supervision(p, out);
}

} // namespace tank::config

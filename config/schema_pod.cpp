/// The tables of the Pod and its companions: config/reflect.hpp.
#include "config/objects.hpp"
#include "config/pod.hpp"
#include "config/schema.hpp"

namespace tank::config::reflect {

// clang-format off
template <>
const type& type_of<node_selector_requirement>() {
  static const type t = detail::make_record("NodeSelectorRequirement", {
    always<&node_selector_requirement::key>("key"),
    always<&node_selector_requirement::op>("operator"),
    row<&node_selector_requirement::values>("values"),
  });
  return t;
}

template <>
const type& type_of<node_selector_term>() {
  static const type t = detail::make_record("NodeSelectorTerm", {
    row<&node_selector_term::match_expressions>("matchExpressions"),
    row<&node_selector_term::match_fields>("matchFields"),
  });
  return t;
}

template <>
const type& type_of<node_selector>() {
  static const type t = detail::make_record("NodeSelector", {
    always<&node_selector::node_selector_terms>("nodeSelectorTerms"),
  });
  return t;
}

template <>
const type& type_of<preferred_scheduling_term>() {
  static const type t = detail::make_record("PreferredSchedulingTerm", {
    always<&preferred_scheduling_term::weight>("weight"),
    always<&preferred_scheduling_term::preference>("preference"),
  });
  return t;
}

template <>
const type& type_of<node_affinity>() {
  static const type t = detail::make_record("NodeAffinity", {
    row<&node_affinity::required_during_scheduling_ignored_during_execution>("requiredDuringSchedulingIgnoredDuringExecution"),
    row<&node_affinity::preferred_during_scheduling_ignored_during_execution>("preferredDuringSchedulingIgnoredDuringExecution"),
  });
  return t;
}

template <>
const type& type_of<pod_affinity_term>() {
  static const type t = detail::make_record("PodAffinityTerm", {
    row<&pod_affinity_term::label_selector>("labelSelector"),
    row<&pod_affinity_term::namespaces>("namespaces"),
    always<&pod_affinity_term::topology_key>("topologyKey"),
    row<&pod_affinity_term::namespace_selector>("namespaceSelector"),
    row<&pod_affinity_term::match_label_keys>("matchLabelKeys"),
    row<&pod_affinity_term::mismatch_label_keys>("mismatchLabelKeys"),
  });
  return t;
}

template <>
const type& type_of<weighted_pod_affinity_term>() {
  static const type t = detail::make_record("WeightedPodAffinityTerm", {
    always<&weighted_pod_affinity_term::weight>("weight"),
    always<&weighted_pod_affinity_term::pod_affinity_term>("podAffinityTerm"),
  });
  return t;
}

template <>
const type& type_of<pod_affinity>() {
  static const type t = detail::make_record("PodAffinity", {
    row<&pod_affinity::required_during_scheduling_ignored_during_execution>("requiredDuringSchedulingIgnoredDuringExecution"),
    row<&pod_affinity::preferred_during_scheduling_ignored_during_execution>("preferredDuringSchedulingIgnoredDuringExecution"),
  });
  return t;
}

template <>
const type& type_of<pod_anti_affinity>() {
  static const type t = detail::make_record("PodAntiAffinity", {
    row<&pod_anti_affinity::required_during_scheduling_ignored_during_execution>("requiredDuringSchedulingIgnoredDuringExecution"),
    row<&pod_anti_affinity::preferred_during_scheduling_ignored_during_execution>("preferredDuringSchedulingIgnoredDuringExecution"),
  });
  return t;
}

template <>
const type& type_of<affinity>() {
  static const type t = detail::make_record("Affinity", {
    row<&affinity::node_affinity>("nodeAffinity"),
    row<&affinity::pod_affinity>("podAffinity"),
    row<&affinity::pod_anti_affinity>("podAntiAffinity"),
  });
  return t;
}

template <>
const type& type_of<toleration>() {
  static const type t = detail::make_record("Toleration", {
    row<&toleration::key>("key"),
    row<&toleration::op>("operator"),
    row<&toleration::value>("value"),
    row<&toleration::effect>("effect"),
    row<&toleration::toleration_seconds>("tolerationSeconds"),
  });
  return t;
}

template <>
const type& type_of<topology_spread_constraint>() {
  static const type t = detail::make_record("TopologySpreadConstraint", {
    always<&topology_spread_constraint::max_skew>("maxSkew"),
    always<&topology_spread_constraint::topology_key>("topologyKey"),
    always<&topology_spread_constraint::when_unsatisfiable>("whenUnsatisfiable"),
    row<&topology_spread_constraint::label_selector>("labelSelector"),
    row<&topology_spread_constraint::min_domains>("minDomains"),
    row<&topology_spread_constraint::node_affinity_policy>("nodeAffinityPolicy"),
    row<&topology_spread_constraint::node_taints_policy>("nodeTaintsPolicy"),
    row<&topology_spread_constraint::match_label_keys>("matchLabelKeys"),
  });
  return t;
}

template <>
const type& type_of<pod_scheduling_gate>() {
  static const type t = detail::make_record("PodSchedulingGate", {
    always<&pod_scheduling_gate::name>("name"),
  });
  return t;
}

template <>
const type& type_of<pod_scheduling_group>() {
  static const type t = detail::make_record("PodSchedulingGroup", {
    row<&pod_scheduling_group::pod_group_name>("podGroupName"),
  });
  return t;
}

template <>
const type& type_of<host_alias>() {
  static const type t = detail::make_record("HostAlias", {
    always<&host_alias::ip>("ip"),
    row<&host_alias::hostnames>("hostnames"),
  });
  return t;
}

template <>
const type& type_of<pod_dns_config_option>() {
  static const type t = detail::make_record("PodDNSConfigOption", {
    row<&pod_dns_config_option::name>("name"),
    row<&pod_dns_config_option::value>("value"),
  });
  return t;
}

template <>
const type& type_of<pod_dns_config>() {
  static const type t = detail::make_record("PodDNSConfig", {
    row<&pod_dns_config::nameservers>("nameservers"),
    row<&pod_dns_config::searches>("searches"),
    row<&pod_dns_config::options>("options"),
  });
  return t;
}

template <>
const type& type_of<pod_readiness_gate>() {
  static const type t = detail::make_record("PodReadinessGate", {
    always<&pod_readiness_gate::condition_type>("conditionType"),
  });
  return t;
}

template <>
const type& type_of<pod_os>() {
  static const type t = detail::make_record("PodOS", {
    always<&pod_os::name>("name"),
  });
  return t;
}

template <>
const type& type_of<pod_resource_claim>() {
  static const type t = detail::make_record("PodResourceClaim", {
    always<&pod_resource_claim::name>("name"),
    row<&pod_resource_claim::resource_claim_name>("resourceClaimName"),
    row<&pod_resource_claim::resource_claim_template_name>("resourceClaimTemplateName"),
  });
  return t;
}

template <>
const type& type_of<eviction_responder>() {
  static const type t = detail::make_record("EvictionResponder", {
    always<&eviction_responder::name>("name"),
    row<&eviction_responder::priority>("priority"),
  });
  return t;
}

template <>
const type& type_of<pod_spec>() {
  static const type t = detail::make_record("PodSpec", {
    row<&pod_spec::volumes>("volumes"),
    row<&pod_spec::init_containers>("initContainers"),
    always<&pod_spec::containers>("containers"),
    row<&pod_spec::ephemeral_containers>("ephemeralContainers"),
    row<&pod_spec::restart_policy>("restartPolicy"),
    row<&pod_spec::termination_grace_period_seconds>("terminationGracePeriodSeconds"),
    row<&pod_spec::active_deadline_seconds>("activeDeadlineSeconds"),
    row<&pod_spec::dns_policy>("dnsPolicy"),
    row<&pod_spec::node_selector>("nodeSelector"),
    row<&pod_spec::service_account_name>("serviceAccountName"),
    row<&pod_spec::service_account>("serviceAccount"),
    row<&pod_spec::automount_service_account_token>("automountServiceAccountToken"),
    row<&pod_spec::node_name>("nodeName"),
    row<&pod_spec::host_network>("hostNetwork"),
    row<&pod_spec::host_pid>("hostPID"),
    row<&pod_spec::host_ipc>("hostIPC"),
    row<&pod_spec::share_process_namespace>("shareProcessNamespace"),
    row<&pod_spec::security_context>("securityContext"),
    row<&pod_spec::image_pull_secrets>("imagePullSecrets"),
    row<&pod_spec::hostname>("hostname"),
    row<&pod_spec::subdomain>("subdomain"),
    row<&pod_spec::affinity>("affinity"),
    row<&pod_spec::scheduler_name>("schedulerName"),
    row<&pod_spec::tolerations>("tolerations"),
    row<&pod_spec::host_aliases>("hostAliases"),
    row<&pod_spec::priority_class_name>("priorityClassName"),
    row<&pod_spec::priority>("priority"),
    row<&pod_spec::dns_config>("dnsConfig"),
    row<&pod_spec::readiness_gates>("readinessGates"),
    row<&pod_spec::runtime_class_name>("runtimeClassName"),
    row<&pod_spec::enable_service_links>("enableServiceLinks"),
    row<&pod_spec::preemption_policy>("preemptionPolicy"),
    row<&pod_spec::overhead>("overhead"),
    row<&pod_spec::topology_spread_constraints>("topologySpreadConstraints"),
    row<&pod_spec::set_hostname_as_fqdn>("setHostnameAsFQDN"),
    row<&pod_spec::os>("os"),
    row<&pod_spec::host_users>("hostUsers"),
    row<&pod_spec::scheduling_gates>("schedulingGates"),
    row<&pod_spec::resource_claims>("resourceClaims"),
    row<&pod_spec::resources>("resources"),
    row<&pod_spec::hostname_override>("hostnameOverride"),
    row<&pod_spec::scheduling_group>("schedulingGroup"),
    row<&pod_spec::eviction_responders>("evictionResponders"),
  });
  return t;
}

template <>
const type& type_of<pod>() {
  static const type t = detail::make_record("Pod", {
    always<&pod::metadata>("metadata"),
    always<&pod::spec>("spec"),
  });
  return t;
}

template <>
const type& type_of<config_map>() {
  static const type t = detail::make_record("ConfigMap", {
    always<&config_map::metadata>("metadata"),
    row<&config_map::immutable>("immutable"),
    row<&config_map::data>("data"),
    row<&config_map::binary_data>("binaryData"),
  });
  return t;
}

template <>
const type& type_of<secret>() {
  static const type t = detail::make_record("Secret", {
    always<&secret::metadata>("metadata"),
    row<&secret::immutable>("immutable"),
    row<&secret::data>("data"),
    row<&secret::string_data>("stringData"),
    row<&secret::type>("type"),
  });
  return t;
}

template <>
const type& type_of<persistent_volume_claim>() {
  static const type t = detail::make_record("PersistentVolumeClaim", {
    always<&persistent_volume_claim::metadata>("metadata"),
    always<&persistent_volume_claim::spec>("spec"),
  });
  return t;
}

// clang-format on

} // namespace tank::config::reflect

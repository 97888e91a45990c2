/// What a Pod shall be.
///
/// Kubernetes `core/v1` as values, every field; names are those of the API in snake_case. An absent
/// optional is an absent key. config/schema_*.cpp binds each field to its key.
#pragma once

#include "config/box.hpp"
#include "config/pod/affinity.hpp"
#include "config/pod/container.hpp"
#include "config/pod/metadata.hpp"
#include "config/pod/resources.hpp"
#include "config/pod/security.hpp"
#include "config/pod/volume.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tank::config {

/// A line of /etc/hosts.
struct host_alias {
  std::string ip;
  std::vector<std::string> hostnames;
  bool operator==(const host_alias&) const = default;
};

/// An option of resolv.conf.
struct pod_dns_config_option {
  std::string name;
  std::optional<std::string> value;
  bool operator==(const pod_dns_config_option&) const = default;
};

/// Added to what dnsPolicy gives.
struct pod_dns_config {
  std::vector<std::string> nameservers;
  std::vector<std::string> searches;
  std::vector<pod_dns_config_option> options;
  bool operator==(const pod_dns_config&) const = default;
};

/// A condition set by somebody else.
struct pod_readiness_gate {
  std::string condition_type;
  bool operator==(const pod_readiness_gate&) const = default;
};

/// Which operating system the pod is made for.
struct pod_os {
  std::string name; ///< linux | windows
  bool operator==(const pod_os&) const = default;
};

/// A device claim; needs a cluster.
struct pod_resource_claim {
  std::string name;
  std::optional<std::string> resource_claim_name;
  std::optional<std::string> resource_claim_template_name;
  bool operator==(const pod_resource_claim&) const = default;
};

/// Who answers an eviction; needs a cluster.
struct eviction_responder {
  std::string name;
  std::optional<std::int32_t> priority;
  bool operator==(const eviction_responder&) const = default;
};

/// The desired state.
struct pod_spec {
  std::vector<volume> volumes;
  std::vector<container> init_containers; ///< run to completion in order, before `containers`
  std::vector<container> containers;
  std::vector<ephemeral_container> ephemeral_containers;
  std::string restart_policy;                                   ///< Always | OnFailure | Never
  std::optional<std::int64_t> termination_grace_period_seconds; ///< seconds; 30 once defaulted
  std::optional<std::int64_t> active_deadline_seconds;
  std::string dns_policy; ///< ClusterFirst | ClusterFirstWithHostNet | Default | None
  std::map<std::string, std::string> node_selector;
  std::string service_account_name;
  std::string service_account; ///< the old name of serviceAccountName
  std::optional<bool> automount_service_account_token;
  std::string node_name;
  bool host_network = false;
  bool host_pid = false;
  bool host_ipc = false;
  std::optional<bool> share_process_namespace;
  std::optional<pod_security_context> security_context; ///< set once defaulted
  std::vector<local_object_reference> image_pull_secrets;
  std::string hostname;
  std::string subdomain;
  box<config::affinity> affinity;
  std::string scheduler_name;
  std::vector<toleration> tolerations;
  std::vector<host_alias> host_aliases;
  std::string priority_class_name;
  std::optional<std::int32_t> priority;
  std::optional<pod_dns_config> dns_config;
  std::vector<pod_readiness_gate> readiness_gates;
  std::optional<std::string> runtime_class_name;
  std::optional<bool> enable_service_links;
  std::optional<std::string> preemption_policy;
  std::map<std::string, quantity> overhead;
  std::vector<topology_spread_constraint> topology_spread_constraints;
  std::optional<bool> set_hostname_as_fqdn;
  std::optional<pod_os> os;
  std::optional<bool> host_users;
  std::vector<pod_scheduling_gate> scheduling_gates;
  std::vector<pod_resource_claim> resource_claims;
  std::optional<resource_requirements> resources;
  std::optional<std::string> hostname_override;
  std::optional<pod_scheduling_group> scheduling_group;
  std::vector<eviction_responder> eviction_responders;
  bool operator==(const pod_spec&) const = default;
};

} // namespace tank::config

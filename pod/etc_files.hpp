/// The texts of a pod's own /etc/hosts, /etc/hostname and /etc/resolv.conf, as kubelet makes them.
/// Pure.
#pragma once

#include "config/pod/pod_spec.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tank {

struct etc_files {
  std::string hosts;
  std::string hostname;
  std::string resolv_conf;
  bool operator==(const etc_files&) const = default;
};

/// Name servers and the like: of the host, or of a pod's dnsConfig.
struct dns_settings {
  std::vector<std::string> nameservers;
  std::vector<std::string> searches;
  std::vector<std::string> options; ///< "ndots:5", "edns0"
  bool operator==(const dns_settings&) const = default;
};

/// The host name inside: `wanted`, or else the pod's name; at most 63 characters, no '-' or '.' at
/// the end.
std::string pod_hostname(std::string_view wanted, std::string_view pod_name);

/// /etc/hosts of a pod with its own network namespace. `domain` may be empty.
std::string hosts_text(std::string_view pod_ip, std::string_view hostname, std::string_view domain,
                       const std::vector<config::host_alias>& aliases);

/// /etc/hosts of a pod in the host's network namespace: the host's own file under a header.
std::string host_network_hosts_text(std::string_view host_file,
                                    const std::vector<config::host_alias>& aliases);

/// `base` (the host's; empty for dnsPolicy None) with the pod's dnsConfig appended, duplicates
/// dropped, an option of the pod replacing the one of the same name.
dns_settings merge_dns(const dns_settings& base, const dns_settings& extra);

/// resolv.conf within the resolver's limits: 3 name servers, 32 search domains of 2048 characters
/// in all; what is over is left out.
std::string resolv_conf_text(const dns_settings& dns);

} // namespace tank

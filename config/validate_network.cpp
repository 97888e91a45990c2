#include "config/validate_common.hpp"

namespace tank::config::rules {
namespace {

constexpr std::size_t max_nameservers = 3;
constexpr std::size_t max_searches = 32;
constexpr std::size_t max_search_text = 2048;

void check_dns(const pod_spec& pod, const path& at, findings& out) {
  out.one_of(at.child("dnsPolicy"), pod.dns_policy,
             {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"});
  const auto here = at.child("dnsConfig");
  if (pod.dns_policy == "None") {
    if (!pod.dns_config)
      return out.required(here, "must provide `dnsConfig` when `dnsPolicy` is None");
    if (pod.dns_config->nameservers.empty())
      return out.required(here.child("nameservers"),
                          "must provide at least one DNS nameserver when `dnsPolicy` is None");
  }
  if (!pod.dns_config) return;
  const auto& dns = *pod.dns_config;
  if (dns.nameservers.size() > max_nameservers)
    out.invalid(here.child("nameservers"), std::to_string(dns.nameservers.size()),
                "must not have more than " + std::to_string(max_nameservers) + " nameservers");
  for (std::size_t i = 0; i < dns.nameservers.size(); ++i)
    out.name(here.child("nameservers").index(i), dns.nameservers[i],
             ip_address(dns.nameservers[i]));
  if (dns.searches.size() > max_searches)
    out.invalid(here.child("searches"), std::to_string(dns.searches.size()),
                "must not have more than " + std::to_string(max_searches) + " search paths");
  std::size_t total = dns.searches.empty() ? 0 : dns.searches.size() - 1;
  for (std::size_t i = 0; i < dns.searches.size(); ++i) {
    std::string_view search = dns.searches[i];
    total += search.size();
    if (search == ".") continue;
    if (search.ends_with('.')) search.remove_suffix(1);
    std::string plain{search}; // '_' is allowed here, as in SRV names
    for (char& c : plain)
      if (c == '_') c = 'a';
    out.name(here.child("searches").index(i), dns.searches[i], dns_subdomain(plain));
  }
  if (total > max_search_text)
    out.invalid(here.child("searches"), std::to_string(total),
                "must not have more than " + std::to_string(max_search_text) +
                    " characters (including spaces) in the search list");
  for (std::size_t i = 0; i < dns.options.size(); ++i)
    if (dns.options[i].name.empty())
      out.required(here.child("options").index(i), "must not be empty");
}

void check_own_user_namespace(const pod_spec& pod, const path& at, findings& out) {
  if (pod.host_users.value_or(true)) return;
  constexpr std::string_view why = "when `hostUsers` is false";
  if (pod.host_network) out.forbidden(at.child("hostNetwork"), why);
  if (pod.host_pid) out.forbidden(at.child("hostPID"), why);
  if (pod.host_ipc) out.forbidden(at.child("hostIPC"), why);
}

} // namespace

void check_network(const pod_spec& pod, const path& at, findings& out) {
  check_dns(pod, at, out);
  check_own_user_namespace(pod, at, out);
  if (!pod.hostname.empty()) out.name(at.child("hostname"), pod.hostname, dns_label(pod.hostname));
  if (!pod.subdomain.empty())
    out.name(at.child("subdomain"), pod.subdomain, dns_label(pod.subdomain));
  if (pod.hostname_override) {
    const auto here = at.child("hostnameOverride");
    if (pod.hostname_override->size() > 64) out.too_long(here, 64);
    out.name(here, *pod.hostname_override, dns_subdomain(*pod.hostname_override));
    if (pod.host_network) out.forbidden(here, "may not be specified when hostNetwork is true");
    if (pod.set_hostname_as_fqdn.value_or(false))
      out.forbidden(here, "may not be specified when setHostnameAsFQDN is true");
  }
  for (std::size_t i = 0; i < pod.host_aliases.size(); ++i) {
    const auto& alias = pod.host_aliases[i];
    const auto here = at.child("hostAliases").index(i);
    out.name(here.child("ip"), alias.ip, ip_address(alias.ip));
    for (std::size_t k = 0; k < alias.hostnames.size(); ++k)
      out.name(here.child("hostnames").index(k), alias.hostnames[k],
               dns_subdomain(alias.hostnames[k]));
  }
}

} // namespace tank::config::rules

#include "pod/etc_files.hpp"

#include <algorithm>

namespace tank {

std::string pod_hostname(std::string_view wanted, std::string_view pod_name) {
  auto name = std::string{wanted.empty() ? pod_name : wanted}.substr(0, 63);
  while (!name.empty() && (name.back() == '-' || name.back() == '.'))
    name.pop_back();
  return name;
}

static std::string aliases_text(const std::vector<config::host_alias>& aliases) {
  if (aliases.empty()) return {};
  std::string text = "\n# Entries added by HostAliases.\n";
  for (const auto& a : aliases) {
    text += a.ip;
    for (const auto& name : a.hostnames)
      text += "\t" + name;
    text += "\n";
  }
  return text;
}

std::string hosts_text(std::string_view pod_ip, std::string_view hostname, std::string_view domain,
                       const std::vector<config::host_alias>& aliases) {
  std::string text = "# Kubernetes-managed hosts file.\n"
                     "127.0.0.1\tlocalhost\n"
                     "::1\tlocalhost ip6-localhost ip6-loopback\n"
                     "fe00::0\tip6-localnet\n"
                     "fe00::0\tip6-mcastprefix\n"
                     "fe00::1\tip6-allnodes\n"
                     "fe00::2\tip6-allrouters\n";
  text.append(pod_ip).append("\t");
  if (!domain.empty()) text.append(hostname).append(".").append(domain).append("\t");
  text.append(hostname).append("\n");
  return text + aliases_text(aliases);
}

std::string host_network_hosts_text(std::string_view host_file,
                                    const std::vector<config::host_alias>& aliases) {
  std::string text = "# Kubernetes-managed hosts file (host network).\n";
  text.append(host_file);
  return text + aliases_text(aliases);
}

static void append_new(std::vector<std::string>& to, const std::vector<std::string>& from) {
  for (const auto& v : from)
    if (std::find(to.begin(), to.end(), v) == to.end()) to.push_back(v);
}

static std::string_view option_name(std::string_view option) {
  return option.substr(0, option.find(':'));
}

dns_settings merge_dns(const dns_settings& base, const dns_settings& extra) {
  dns_settings out;
  append_new(out.nameservers, base.nameservers);
  append_new(out.nameservers, extra.nameservers);
  append_new(out.searches, base.searches);
  append_new(out.searches, extra.searches);
  append_new(out.options, base.options);
  for (const auto& option : extra.options) {
    const auto same = std::find_if(out.options.begin(), out.options.end(), [&](const auto& o) {
      return option_name(o) == option_name(option);
    });
    if (same != out.options.end())
      *same = option;
    else
      out.options.push_back(option);
  }
  return out;
}

static std::string line(std::string_view keyword, const std::vector<std::string>& words) {
  std::string text{keyword};
  for (const auto& w : words)
    text += " " + w;
  return text + "\n";
}

std::string resolv_conf_text(const dns_settings& dns) {
  constexpr std::size_t max_nameservers = 3;
  constexpr std::size_t max_searches = 32;
  constexpr std::size_t max_search_chars = 2048;

  std::string text;
  std::vector<std::string> searches;
  std::size_t chars = 0;
  for (const auto& s : dns.searches) {
    const auto more = s.size() + (searches.empty() ? 0 : 1);
    if (searches.size() == max_searches || chars + more > max_search_chars) break;
    chars += more;
    searches.push_back(s);
  }
  if (!searches.empty()) text += line("search", searches);
  for (std::size_t i = 0; i < std::min(max_nameservers, dns.nameservers.size()); ++i)
    text += "nameserver " + dns.nameservers[i] + "\n";
  if (!dns.options.empty()) text += line("options", dns.options);
  return text;
}

} // namespace tank

#include "pod/etc_files.hpp"

#include <doctest/doctest.h>

namespace etc_files_test {

using namespace tank;

TEST_CASE("/etc/hosts of a pod with its own network") {
  CHECK(hosts_text("127.0.0.1", "web", "", {}) == "# Kubernetes-managed hosts file.\n"
                                                  "127.0.0.1\tlocalhost\n"
                                                  "::1\tlocalhost ip6-localhost ip6-loopback\n"
                                                  "fe00::0\tip6-localnet\n"
                                                  "fe00::0\tip6-mcastprefix\n"
                                                  "fe00::1\tip6-allnodes\n"
                                                  "fe00::2\tip6-allrouters\n"
                                                  "127.0.0.1\tweb\n");
}

TEST_CASE("/etc/hosts names the domain first and lists host aliases at the end") {
  const auto text = hosts_text("10.0.0.2", "web", "sub.default.svc",
                               {{"10.1.1.1", {"a", "b"}}, {"10.1.1.2", {"c"}}});
  CHECK(text.ends_with("10.0.0.2\tweb.sub.default.svc\tweb\n"
                       "\n# Entries added by HostAliases.\n"
                       "10.1.1.1\ta\tb\n"
                       "10.1.1.2\tc\n"));
}

TEST_CASE("/etc/hosts in the host's network is the host's file under a header") {
  CHECK(host_network_hosts_text("127.0.0.1 localhost\n", {{"10.1.1.1", {"a"}}}) ==
        "# Kubernetes-managed hosts file (host network).\n"
        "127.0.0.1 localhost\n"
        "\n# Entries added by HostAliases.\n"
        "10.1.1.1\ta\n");
}

TEST_CASE("the host name is the wanted one or the pod's, cut to 63 without trailing marks") {
  CHECK(pod_hostname("", "web-1") == "web-1");
  CHECK(pod_hostname("front", "web-1") == "front");
  CHECK(pod_hostname("", std::string(62, 'a') + "-bcd") == std::string(62, 'a'));
  CHECK(pod_hostname("", std::string(61, 'a') + ".-bcd") == std::string(61, 'a'));
  CHECK(pod_hostname("", std::string(70, 'a')) == std::string(63, 'a'));
}

TEST_CASE("dnsConfig is appended, duplicates go, options of one name are replaced") {
  const dns_settings host{{"1.1.1.1", "8.8.8.8"}, {"example.org"}, {"ndots:1", "edns0"}};
  const dns_settings pod{{"8.8.8.8", "9.9.9.9"}, {"a.b", "example.org"}, {"ndots:5", "rotate"}};
  const auto merged = merge_dns(host, pod);
  CHECK(merged == dns_settings{{"1.1.1.1", "8.8.8.8", "9.9.9.9"},
                               {"example.org", "a.b"},
                               {"ndots:5", "edns0", "rotate"}});
  CHECK(resolv_conf_text(merged) == "search example.org a.b\n"
                                    "nameserver 1.1.1.1\nnameserver 8.8.8.8\nnameserver 9.9.9.9\n"
                                    "options ndots:5 edns0 rotate\n");
}

TEST_CASE("resolv.conf keeps to the resolver's limits") {
  dns_settings dns;
  for (int i = 0; i < 5; ++i)
    dns.nameservers.push_back("10.0.0." + std::to_string(i));
  for (int i = 0; i < 40; ++i)
    dns.searches.push_back("d" + std::to_string(i));
  const auto text = resolv_conf_text(dns);
  CHECK(text.find("d31") != std::string::npos);
  CHECK(text.find("d32") == std::string::npos);
  CHECK(text.find("10.0.0.2") != std::string::npos);
  CHECK(text.find("10.0.0.3") == std::string::npos);

  dns.searches = {std::string(2000, 'a'), std::string(47, 'b'), "c"};
  const auto cut = resolv_conf_text(dns);
  CHECK(cut.find(std::string(47, 'b')) != std::string::npos); // 2000 + 1 + 47 = 2048
  CHECK(cut.find(" c\n") == std::string::npos);
  CHECK(resolv_conf_text({}).empty());
}

} // namespace etc_files_test

#include "kernel/probe.hpp"

#include "base/file.hpp"

#include <cerrno>
#include <sstream>

#include <sys/utsname.h>

namespace tank::kernel {

void read_resolv_conf(std::string_view text, host_facts& facts) {
  std::istringstream lines{std::string{text}};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string key;
    words >> key;
    std::vector<std::string> values;
    for (std::string word; words >> word && word[0] != '#' && word[0] != ';';)
      values.push_back(word);
    if (key == "nameserver" && !values.empty())
      facts.nameservers.push_back(values.front());
    else if (key == "search" || key == "domain")
      facts.searches = values;
    else if (key == "options")
      facts.resolver_options.insert(facts.resolver_options.end(), values.begin(), values.end());
  }
}

std::string go_architecture(std::string_view machine) {
  constexpr std::pair<std::string_view, std::string_view> known[] = {
      {"x86_64", "amd64"},    {"aarch64", "arm64"}, {"i386", "386"},
      {"i486", "386"},        {"i586", "386"},      {"i686", "386"},
      {"armv7l", "arm"},      {"armv6l", "arm"},    {"ppc64le", "ppc64le"},
      {"riscv64", "riscv64"}, {"s390x", "s390x"},   {"loongarch64", "loong64"},
  };
  for (const auto& [from, to] : known)
    if (machine == from) return std::string{to};
  return std::string{machine};
}

static result<std::string> read_optional(const char* path) {
  auto text = read_file(path, std::size_t{1} << 20);
  if (!text && text.error().code == errc::not_found) return std::string{};
  return text;
}

result<host_facts> probe_host() {
  utsname name{};
  if (::uname(&name) != 0) return fail_errno(errno, "ask for", "the host's name");
  host_facts facts;
  facts.hostname = name.nodename;
  facts.architecture = go_architecture(name.machine);
  read_resolv_conf(TANK_TRY(read_optional("/etc/resolv.conf")), facts);
  facts.hosts_file = TANK_TRY(read_optional("/etc/hosts"));
  return facts;
}

} // namespace tank::kernel

// registries.conf: what it says survives being written again; where it leads is a registry.
#include "../fuzz.hpp"

#include "oci/registries_conf.hpp"

#include <cstdio>

namespace tank::fuzz {
namespace registries_conf_target {
namespace {

using namespace oci;

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    char escape[16];
    const auto u = static_cast<unsigned char>(c);
    std::snprintf(escape, sizeof escape,
                  u < 32 || c == '"' || c == '\\' || u == 127 ? "\\u%04X" : "%c", u);
    out += escape;
  }
  return out + "\"";
}

std::string print(const registry_rules& r) {
  std::string text = "unqualified-search-registries = [";
  for (const auto& s : r.search)
    text += in_quotes(s) + ", ";
  text += "]\n";
  const auto flag = [](const char* key, bool value) {
    return std::string{key} + (value ? " = true\n" : " = false\n");
  };
  for (const auto& rule : r.rules) {
    text += "[[registry]]\nprefix = " + in_quotes(rule.prefix) + "\n";
    if (!rule.location.empty()) text += "location = " + in_quotes(rule.location) + "\n";
    text += flag("insecure", rule.insecure) + flag("blocked", rule.blocked) +
            flag("mirror-by-digest-only", rule.digest_mirrors_only);
    for (const auto& m : rule.mirrors)
      text += "[[registry.mirror]]\nlocation = " + in_quotes(m.location) + "\n" +
              flag("insecure", m.insecure) + "pull-from-mirror = " + in_quotes(m.pull_from) + "\n";
  }
  text += "[aliases]\n";
  for (const auto& [key, value] : r.aliases)
    text += in_quotes(key) + " = " + in_quotes(value) + "\n";
  return text;
}

void ask(const registry_rules& rules, const char* name) {
  const auto r = parse_reference(name);
  FUZZ_CHECK(r);
  if (const auto places = places_for(rules, *r)) {
    FUZZ_CHECK(!places->empty());
    for (const auto& p : *places)
      FUZZ_CHECK(!p.host.empty() && p.host.find('/') == std::string::npos && !p.repository.empty());
  }
  if (const auto names = expand_short_name(rules, *r))
    for (const auto& n : *names)
      FUZZ_CHECK(parse_reference(n.to_string()) && n.tag == r->tag);
}

verdict run(std::string_view input) {
  const auto rules = parse_registries_conf(input, "f");
  if (!rules) return verdict::refused;
  for (const auto& rule : rules->rules) {
    FUZZ_CHECK(!rule.prefix.empty());
    for (const auto& m : rule.mirrors)
      FUZZ_CHECK(!m.location.empty());
  }
  for (const auto* name : {"nginx:1.27", "registry.example.org/team/app:2", "localhost:5000/x"})
    ask(*rules, name);
  const auto again = parse_registries_conf(print(*rules), "f");
  FUZZ_CHECK(again && *again == *rules);
  auto merged = *rules;
  merge_rules(merged, *rules);
  FUZZ_CHECK(merged.search == rules->search && merged.rules.size() <= rules->rules.size());
  return verdict::accepted;
}

} // namespace
} // namespace registries_conf_target
const target targets::registries_conf{"registries_conf", registries_conf_target::run};
} // namespace tank::fuzz

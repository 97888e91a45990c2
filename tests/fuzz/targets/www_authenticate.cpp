// WWW-Authenticate, and the address that it sends us to for a token.
#include "../fuzz.hpp"

#include "oci/registry_rules.hpp"

#include <algorithm>
#include <set>

namespace tank::fuzz {
namespace www_authenticate_target {
namespace {

using namespace oci;

std::string print(const std::vector<auth_challenge>& all) {
  std::string text;
  for (const auto& c : all) {
    if (!text.empty()) text += ", ";
    text += c.scheme;
    const char* before = " ";
    for (const auto& [name, value] : c.parameters) {
      text += before + name + "=\"";
      for (const char ch : value)
        text.append(ch == '"' || ch == '\\' ? "\\" : "").push_back(ch);
      text += "\"";
      before = ", ";
    }
  }
  return text;
}

constexpr std::string_view password = "hunter2";

/// What a registry's challenge may make the client do.
void follow(const auth_challenge& c) {
  const auto origin = parse_url("https://registry.example.org/v2/");
  const auto realm = parse_url(c.parameter("realm"));
  if (!realm) return;
  if (check_realm(*origin, *realm, true, {})) {
    FUZZ_CHECK(realm->secure && same_site(realm->host, "registry.example.org"));
    FUZZ_CHECK(check_realm(*origin, *realm, false, {}));
  }
  const credentials login{"user", std::string{password}, ""};
  const auto request = token_request(*realm, c, "repository:a/b:pull", login);
  FUZZ_CHECK(request.url.same_origin(*realm));
  // The fuzzer sees what it is compared with, and puts it into the challenge itself.
  const bool planted = std::any_of(c.parameters.begin(), c.parameters.end(), [](const auto& p) {
    return p.second.find(password) != std::string::npos;
  });
  FUZZ_CHECK(planted || request.url.target.find(password) == std::string::npos);
  FUZZ_CHECK(std::all_of(request.url.target.begin(), request.url.target.end(),
                         [](char ch) { return ch > ' ' && ch <= '~'; }));
}

verdict run(std::string_view input) {
  const auto all = parse_challenges(input);
  if (!all || all->empty()) return verdict::refused;
  FUZZ_CHECK(input.size() <= 8192 && all->size() <= 16);
  for (const auto& c : *all) {
    FUZZ_CHECK(!c.scheme.empty() && c.parameters.size() <= 32);
    std::set<std::string> names;
    for (const auto& [name, value] : c.parameters)
      FUZZ_CHECK(!name.empty() && names.insert(name).second);
    follow(c);
  }
  const auto text = print(*all);
  const auto again = parse_challenges(text);
  FUZZ_CHECK(text.size() > 8192 || (again && *again == *all));
  return verdict::accepted;
}

} // namespace
} // namespace www_authenticate_target
const target targets::www_authenticate{"www_authenticate", www_authenticate_target::run};
} // namespace tank::fuzz

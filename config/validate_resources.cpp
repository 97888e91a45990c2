#include "config/validate_common.hpp"

namespace tank::config::rules {
namespace {

bool huge_pages(std::string_view name) {
  return name.starts_with("hugepages-");
}

/// A resource of a device plugin: a foreign domain in front.
bool extended(std::string_view name) {
  const auto slash = name.find('/');
  if (slash == std::string_view::npos) return false;
  const auto domain = name.substr(0, slash);
  return domain != "kubernetes.io" && !domain.ends_with(".kubernetes.io") &&
         !name.starts_with("requests.");
}

bool standard(std::string_view name, bool of_pod) {
  return name == "cpu" || name == "memory" || huge_pages(name) ||
         (!of_pod && name == "ephemeral-storage");
}

void check_name(const std::string& name, bool of_pod, const path& at, findings& out) {
  out.name(at, name, qualified_name(name));
  if (standard(name, of_pod)) return;
  if (of_pod)
    out.add(at, "Unsupported value: " + rules::quoted(name) +
                    ": supported values: \"cpu\", \"hugepages-\", \"memory\"");
  else if (name.find('/') == std::string::npos)
    out.invalid(at, name, "must be a standard resource for containers");
  else if (name.starts_with("requests."))
    out.invalid(at, name, "doesn't follow extended resource name standard");
}

void check_amount(const std::string& name, const quantity& q, const path& at, findings& out) {
  if (q.sign() < 0)
    out.invalid(at, q.to_string(), "must be greater than or equal to 0");
  else if (extended(name) && quantity(q.value()) != q)
    out.invalid(at, q.to_string(), "must be an integer");
}

void check_claims(const resource_requirements& r, const pod_spec& pod, const path& at,
                  findings& out) {
  if (r.claims.empty()) return;
  std::set<std::string> known;
  for (const auto& c : pod.resource_claims)
    known.insert(c.name);
  std::set<std::string> seen;
  for (std::size_t i = 0; i < r.claims.size(); ++i) {
    const auto& claim = r.claims[i];
    const auto here = at.child("claims").index(i);
    if (claim.name.empty()) {
      out.required(here.child("name"));
      continue;
    }
    if (!seen.insert(claim.name + "/" + claim.request).second) out.duplicate(here, claim.name);
    if (!known.contains(claim.name)) out.not_found(here, claim.name);
  }
}

} // namespace

void check_resource_list(const std::map<std::string, quantity>& list, bool of_pod, const path& at,
                         findings& out) {
  for (const auto& [name, amount] : list) {
    check_name(name, of_pod, at.key(name), out);
    check_amount(name, amount, at.key(name), out);
  }
}

void check_resources(const resource_requirements& r, const pod_spec& pod, bool of_pod,
                     const path& at, findings& out) {
  check_resource_list(r.limits, of_pod, at.child("limits"), out);
  check_resource_list(r.requests, of_pod, at.child("requests"), out);
  bool huge = false;
  for (const auto& [name, amount] : r.limits)
    huge = huge || huge_pages(name);
  for (const auto& [name, amount] : r.requests) {
    huge = huge || huge_pages(name);
    const auto limit = r.limits.find(name);
    const bool fixed = extended(name) || huge_pages(name);
    if (limit == r.limits.end()) {
      if (fixed)
        out.required(at.child("limits"), "Limit must be set for non overcommitable resources");
      continue;
    }
    const auto against = name + " limit of " + limit->second.to_string();
    if (fixed && amount != limit->second)
      out.invalid(at.child("requests"), amount.to_string(), "must be equal to " + against);
    else if (amount > limit->second)
      out.invalid(at.child("requests"), amount.to_string(),
                  "must be less than or equal to " + against);
  }
  const auto has = [&r](const char* name) {
    return r.limits.contains(name) || r.requests.contains(name);
  };
  if (huge && !of_pod && !has("cpu") && !has("memory"))
    out.forbidden(at, "HugePages require cpu or memory");
  check_claims(r, pod, at, out);
}

} // namespace tank::config::rules

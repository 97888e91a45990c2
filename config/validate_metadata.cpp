#include "config/restart_rules.hpp"
#include "config/validate_common.hpp"

#include <algorithm>

namespace tank::config::rules {

void check_labels(const std::map<std::string, std::string>& labels, const path& at, findings& out) {
  for (const auto& [key, value] : labels) {
    out.name(at, key, qualified_name(key));
    out.name(at, value, label_value(value));
  }
}

namespace {

std::string lowered(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

void check_annotations(const std::map<std::string, std::string>& annotations, const path& at,
                       findings& out) {
  constexpr std::size_t most = 256 * 1024;
  std::size_t total = 0;
  for (const auto& [key, value] : annotations) {
    out.name(at, key, qualified_name(lowered(key))); // the API ignores case here
    total += key.size() + value.size();
  }
  if (total > most) out.too_long(at, most);
}

/// Ours steer what happens here, so their values are judged, which the API does to none.
template <class Value>
void check_ours(const object_meta& meta, std::string_view key,
                result<Value> (*parse)(std::string_view), findings& out) {
  const auto it = meta.annotations.find(std::string{key});
  if (it == meta.annotations.end()) return;
  const auto value = parse(it->second);
  if (value) return;
  const auto& why = value.error();
  out.invalid(path{"metadata"}.child("annotations").key(key), it->second,
              why.hint.empty() ? why.cause : why.cause + " (" + why.hint + ")");
}

void check_owners(const std::vector<owner_reference>& owners, const path& at, findings& out) {
  bool controlled = false;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    const auto& o = owners[i];
    if (o.api_version.empty())
      out.invalid(at.index(i).child("apiVersion"), "", "version must not be empty");
    if (o.kind.empty()) out.invalid(at.index(i).child("kind"), "", "must not be empty");
    if (o.name.empty()) out.invalid(at.index(i).child("name"), "", "must not be empty");
    if (o.uid.empty()) out.invalid(at.index(i).child("uid"), "", "must not be empty");
    if (!o.controller.value_or(false)) continue;
    if (controlled) out.invalid(at, o.name, "Only one reference can have Controller set to true");
    controlled = true;
  }
}

} // namespace

namespace {

/// Stricter than the API: uid, namespace and name become names of directories here, alone and with
/// '_' between them.
void check_directory_names(const object_meta& meta, const path& at, findings& out) {
  out.name(at.child("uid"), meta.uid, label_value(meta.uid));
  if (meta.uid.find('_') != std::string::npos)
    out.invalid(at.child("uid"), meta.uid, "must not contain '_': it names directories here");
  constexpr std::size_t most = 255; // NAME_MAX
  constexpr std::size_t derived_uid = 36;
  const auto around = meta.ns.size() + std::max(meta.uid.size(), derived_uid) + 2;
  if (meta.name.size() <= 253 && meta.name.size() + around > most)
    out.invalid(at.child("name"), meta.name,
                "must be no more than " + std::to_string(most - std::min(around, most)) +
                    " characters here: with namespace and uid it names a directory");
}

} // namespace

void check_metadata(const object_meta& meta, findings& out) {
  const path at{"metadata"};
  if (meta.name.empty())
    out.required(at.child("name"), "name or generateName is required");
  else
    out.name(at.child("name"), meta.name, dns_subdomain(meta.name));
  if (!meta.generate_name.empty()) {
    auto prefix = meta.generate_name;
    if (prefix.ends_with('-')) prefix.back() = 'a'; // something will follow
    out.name(at.child("generateName"), meta.generate_name, dns_subdomain(prefix));
  }
  out.name(at.child("namespace"), meta.ns, dns_label(meta.ns));
  check_directory_names(meta, at, out);
  out.not_negative(at.child("generation"), meta.generation);
  check_labels(meta.labels, at.child("labels"), out);
  check_annotations(meta.annotations, at.child("annotations"), out);
  check_ours(meta, backoff_annotation, &parse_backoff_name, out);
  check_ours(meta, give_up_annotation, &parse_give_up, out);
  check_ours(meta, restart_on_annotation, &parse_restart_on, out);
  check_ours(meta, strategy_annotation, &parse_strategy, out);
  check_ours(meta, ends_with_annotation, &parse_ends_with, out);
  check_owners(meta.owner_references, at.child("ownerReferences"), out);
  for (std::size_t i = 0; i < meta.finalizers.size(); ++i)
    out.name(at.child("finalizers").index(i), meta.finalizers[i],
             qualified_name(meta.finalizers[i]));
}

void check_label_selector(const label_selector& s, const path& at, findings& out) {
  check_labels(s.match_labels, at.child("matchLabels"), out);
  for (std::size_t i = 0; i < s.match_expressions.size(); ++i) {
    const auto& e = s.match_expressions[i];
    const auto here = at.child("matchExpressions").index(i);
    if (e.op == "In" || e.op == "NotIn") {
      if (e.values.empty())
        out.required(here.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (e.op == "Exists" || e.op == "DoesNotExist") {
      if (!e.values.empty())
        out.forbidden(here.child("values"),
                      "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else {
      out.invalid(here.child("operator"), e.op, "not a valid selector operator");
    }
    out.name(here.child("key"), e.key, qualified_name(e.key));
    for (std::size_t k = 0; k < e.values.size(); ++k)
      out.name(here.child("values").index(k), e.values[k], label_value(e.values[k]));
  }
}

} // namespace tank::config::rules

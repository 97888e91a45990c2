#include "config/expand.hpp"
#include "config/validate_common.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

namespace tank::config::rules {
namespace {

constexpr std::array<std::string_view, 3> metadata_fields = {"metadata.name", "metadata.namespace",
                                                             "metadata.uid"};
constexpr std::array<std::string_view, 6> env_fields = {"spec.nodeName", "spec.serviceAccountName",
                                                        "status.hostIP", "status.hostIPs",
                                                        "status.podIP",  "status.podIPs"};
constexpr std::array<std::string_view, 2> volume_fields = {"metadata.labels",
                                                           "metadata.annotations"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& all, std::string_view what) {
  return std::find(all.begin(), all.end(), what) != all.end();
}

/// `metadata.labels['key']`: the key; nothing when the path has no such form.
bool subscript(std::string_view field, std::string_view& owner, std::string_view& key) {
  const auto open = field.find("['");
  if (open == std::string_view::npos || !field.ends_with("']")) return false;
  owner = field.substr(0, open);
  key = field.substr(open + 2, field.size() - open - 4);
  return true;
}

void check_subscript(std::string_view owner, std::string_view key, const path& at, findings& out) {
  if (owner == "metadata.labels") {
    out.name(at, key, qualified_name(key));
  } else if (owner == "metadata.annotations") {
    std::string lower{key};
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    out.name(at, key, qualified_name(lower));
  } else {
    out.invalid(at, owner, "does not support subscript");
  }
}

void check_source_name(std::string_view name, const path& at, findings& out) {
  if (name.empty())
    out.required(at);
  else
    out.name(at, name, dns_subdomain(name));
}

void check_source_key(std::string_view key, const path& at, findings& out) {
  if (key.empty())
    out.required(at);
  else
    out.name(at, key, config_key(key));
}

void check_file_key(const file_key_selector& f, const pod_facts& pod, const path& at,
                    findings& out) {
  if (f.key.empty())
    out.required(at.child("key"));
  else
    out.name(at.child("key"), f.key, env_name(f.key));
  if (f.volume_name.empty())
    out.required(at.child("volumeName"));
  else if (!pod.volumes.contains(f.volume_name))
    out.not_found(at.child("volumeName"), f.volume_name);
  if (f.path.empty())
    out.required(at.child("path"));
  else
    out.name(at.child("path"), f.path, relative_path(f.path));
}

void check_value_from(const env_var& e, const pod_facts& pod, const path& at, findings& out) {
  const auto& from = *e.value_from;
  int sources = 0;
  if (from.field_ref) {
    ++sources;
    check_field_ref(*from.field_ref, false, at.child("fieldRef"), out);
  }
  if (from.resource_field_ref) {
    ++sources;
    check_resource_ref(*from.resource_field_ref, false, at.child("resourceFieldRef"), out);
  }
  if (from.config_map_key_ref) {
    ++sources;
    check_source_name(from.config_map_key_ref->name, at.child("configMapKeyRef.name"), out);
    check_source_key(from.config_map_key_ref->key, at.child("configMapKeyRef.key"), out);
  }
  if (from.secret_key_ref) {
    ++sources;
    check_source_name(from.secret_key_ref->name, at.child("secretKeyRef.name"), out);
    check_source_key(from.secret_key_ref->key, at.child("secretKeyRef.key"), out);
  }
  if (from.file_key_ref) {
    ++sources;
    check_file_key(*from.file_key_ref, pod, at.child("fileKeyRef"), out);
  }
  if (sources == 0)
    out.invalid(at, "",
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                "`secretKeyRef` or `fileKeyRef`");
  else if (!e.value.empty())
    out.invalid(at, "", "may not be specified when `value` is not empty");
  else if (sources > 1)
    out.invalid(at, "", "may not have more than one field specified at a time");
}

} // namespace

void check_field_ref(const object_field_selector& ref, bool in_volume, const path& at,
                     findings& out) {
  const auto here = at.child("fieldPath");
  if (ref.api_version.empty()) return out.required(at.child("apiVersion"));
  if (ref.field_path.empty()) return out.required(here);
  if (ref.api_version != "v1")
    return out.invalid(here, ref.field_path,
                       "error converting fieldPath: unknown version " + ref.api_version);
  std::string_view owner;
  std::string_view key;
  if (subscript(ref.field_path, owner, key)) return check_subscript(owner, key, here, out);
  if (contains(metadata_fields, ref.field_path) ||
      contains(in_volume ? volume_fields : std::array<std::string_view, 2>{}, ref.field_path) ||
      (!in_volume && contains(env_fields, ref.field_path)))
    return;
  if (in_volume)
    out.one_of(here, ref.field_path,
               {"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace",
                "metadata.uid"});
  else
    out.one_of(here, ref.field_path,
               {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
                "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP",
                "status.podIPs"});
}

void check_resource_ref(const resource_field_selector& ref, bool in_volume, const path& at,
                        findings& out) {
  if (in_volume && ref.container_name.empty()) out.required(at.child("containerName"));
  if (ref.resource.empty()) return out.required(at.child("resource"));
  const auto dot = ref.resource.find('.');
  const auto name = dot == std::string::npos ? std::string{} : ref.resource.substr(dot + 1);
  const bool huge = name.starts_with("hugepages-");
  if (!huge && !out.one_of(at.child("resource"), ref.resource,
                           {"limits.cpu", "limits.ephemeral-storage", "limits.memory",
                            "requests.cpu", "requests.ephemeral-storage", "requests.memory"}))
    return;
  if (ref.divisor.is_zero()) return;
  static constexpr std::string_view cpu[] = {"1m", "1"};
  static constexpr std::string_view bytes[] = {"1",   "1k",  "1M",  "1G",  "1T",  "1P", "1E",
                                               "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"};
  const auto text = ref.divisor.to_string();
  const auto is_text = [&](std::string_view divisor) { return divisor == text; };
  if (name == "cpu" ? std::ranges::none_of(cpu, is_text) : std::ranges::none_of(bytes, is_text))
    out.invalid(at.child("divisor"), text,
                name == "cpu" ? "only divisor's values 1m and 1 are supported with the cpu resource"
                              : "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, "
                                "1Ti, 1Pi, 1Ei are supported with the " +
                                    name + " resource");
}

namespace {

/// What the container is started with must not be more than a program can be given. The values that
/// come from elsewhere are not known here: they count when the container is started.
void check_run_text(const container& c, const path& at, findings& out) {
  std::map<std::string, std::size_t, std::less<>> sizes;
  const auto lookup = [&](std::string_view name) -> std::optional<std::size_t> {
    const auto it = sizes.find(name);
    if (it == sizes.end()) return std::nullopt;
    return it->second;
  };
  std::size_t all = 0;
  const auto fits = [&](std::size_t more) { return (all += more) <= max_run_text; };
  const auto complain = [&] {
    out.add(at, "Too long: command, args and env may not be more than " +
                    std::to_string(max_run_text) + " bytes once their variables are expanded");
  };
  for (const auto& e : c.env) {
    const auto size = e.value_from ? 0 : expanded_size(e.value, lookup);
    if (!fits(e.name.size() + size + 2)) return complain();
    sizes.insert_or_assign(e.name, size);
  }
  for (const auto* words : {&c.command, &c.args})
    for (const auto& word : *words)
      if (!fits(expanded_size(word, lookup) + 1)) return complain();
}

} // namespace

void check_env(const container& c, const pod_facts& pod, const path& at, findings& out) {
  check_run_text(c, at, out);
  for (std::size_t i = 0; i < c.env.size(); ++i) {
    const auto& e = c.env[i];
    const auto here = at.child("env").index(i);
    if (e.name.empty())
      out.required(here.child("name"));
    else
      out.name(here.child("name"), e.name, env_name(e.name));
    if (e.value_from) check_value_from(e, pod, here.child("valueFrom"), out);
  }
  for (std::size_t i = 0; i < c.env_from.size(); ++i) {
    const auto& e = c.env_from[i];
    const auto here = at.child("envFrom").index(i);
    if (!e.prefix.empty()) out.name(here.child("prefix"), e.prefix, env_name(e.prefix));
    if (e.config_map_ref)
      check_source_name(e.config_map_ref->name, here.child("configMapRef.name"), out);
    if (e.secret_ref) check_source_name(e.secret_ref->name, here.child("secretRef.name"), out);
    if (!e.config_map_ref && !e.secret_ref)
      out.invalid(here, "", "must specify one of: `configMapRef` or `secretRef`");
    if (e.config_map_ref && e.secret_ref)
      out.invalid(here, "", "may not have more than one field specified at a time");
  }
}

} // namespace tank::config::rules

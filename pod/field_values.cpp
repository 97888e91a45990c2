#include "pod/field_values.hpp"

#include <array>
#include <cstdio>
#include <map>
#include <optional>

namespace tank {

// --- fields --------------------------------------------------------------------------------------

/// metadata.labels['key'] -> key
static std::optional<std::string_view> map_key(std::string_view path, std::string_view map) {
  if (!path.starts_with(map)) return std::nullopt;
  path.remove_prefix(map.size());
  if (path.size() < 4 || !path.starts_with("['") || !path.ends_with("']")) return std::nullopt;
  return path.substr(2, path.size() - 4);
}

static std::string entry_of(const std::map<std::string, std::string>& map, std::string_view key) {
  const auto it = map.find(std::string{key});
  return it == map.end() ? std::string{} : it->second;
}

result<std::string> field_value(std::string_view path, const config::pod& pod,
                                const kernel::host_facts& host, std::string_view uid) {
  const auto& meta = pod.metadata;
  if (path == "metadata.name") return meta.name;
  if (path == "metadata.namespace") return meta.ns;
  if (path == "metadata.uid") return std::string{uid};
  if (path == "spec.nodeName") return host.hostname;
  if (path == "spec.serviceAccountName") return pod.spec.service_account_name;
  // Until pods have addresses of their own, the pod and its host are where they listen: loopback.
  if (path == "status.podIP" || path == "status.podIPs" || path == "status.hostIP" ||
      path == "status.hostIPs")
    return "127.0.0.1";
  if (const auto key = map_key(path, "metadata.labels")) return entry_of(meta.labels, *key);
  if (const auto key = map_key(path, "metadata.annotations"))
    return entry_of(meta.annotations, *key);
  return fail(errc::invalid, "resolve fieldRef", std::string{path}, "no such field of a pod");
}

/// As Go quotes a string: what reads these files expects its escapes.
static std::string go_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    constexpr std::string_view plain = "\a\b\f\n\r\t\v\"\\";
    constexpr std::string_view names = "abfnrtv\"\\";
    if (const auto at = plain.find(c); at != std::string_view::npos) {
      out.append("\\").push_back(names[at]);
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned char>(c));
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + "\"";
}

static std::string map_lines(const std::map<std::string, std::string>& map) {
  std::string out;
  for (const auto& [key, value] : map)
    out += (out.empty() ? "" : "\n") + key + "=" + go_quoted(value);
  return out;
}

result<std::string> field_file(std::string_view path, const config::pod& pod,
                               const kernel::host_facts& host, std::string_view uid) {
  if (path == "metadata.labels") return map_lines(pod.metadata.labels);
  if (path == "metadata.annotations") return map_lines(pod.metadata.annotations);
  return field_value(path, pod, host, uid);
}

// --- resources -----------------------------------------------------------------------------------

static const config::container* container_named(const config::pod& pod, const std::string& name) {
  for (const auto* list : {&pod.spec.containers, &pod.spec.init_containers})
    for (const auto& c : *list)
      if (c.name == name) return &c;
  return nullptr;
}

result<std::string> resource_value(const config::resource_field_selector& ref,
                                   const config::pod& pod, const std::string& own,
                                   const kernel::host_facts& host) {
  const auto& name = ref.container_name.empty() ? own : ref.container_name;
  const auto* container = container_named(pod, name);
  if (container == nullptr)
    return fail(errc::invalid, "resolve resourceFieldRef", ref.resource,
                "the pod has no container '" + name + "'");
  const auto dot = ref.resource.find('.');
  const bool limits = ref.resource.substr(0, dot) == "limits";
  const auto resource = dot == std::string::npos ? std::string{} : ref.resource.substr(dot + 1);
  const auto& amounts = limits ? container->resources.limits : container->resources.requests;
  if (const auto it = amounts.find(resource); it != amounts.end())
    return std::to_string(it->second.divided_by(ref.divisor));
  if (!limits) return std::string{"0"};
  config::quantity most;
  if (resource == "cpu") most = config::quantity{static_cast<std::int64_t>(host.cpus)};
  if (resource == "memory") most = config::quantity{static_cast<std::int64_t>(host.memory)};
  return std::to_string(most.divided_by(ref.divisor));
}

} // namespace tank

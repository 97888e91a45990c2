#include "config/support.hpp"

#include "base/capability.hpp"
#include "base/text.hpp"
#include "config/limits.hpp"
#include "config/restart_rules.hpp"
#include "config/schema.hpp"
#include "config/sysctl.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

namespace tank::config {

namespace {

using reflect::field;
using reflect::kind;
using reflect::type;

const support_rule* rule_of(std::string_view owner, std::string_view key) {
  static const auto index = [] {
    std::map<std::pair<std::string_view, std::string_view>, const support_rule*> out;
    for (const auto& rule : support_rules())
      out.emplace(std::pair{rule.owner, rule.key}, &rule);
    return out;
  }();
  const auto it = index.find({owner, key});
  return it == index.end() ? nullptr : it->second;
}

bool has_rules(const type& record) {
  return std::ranges::any_of(support_rules(),
                             [&](const auto& rule) { return rule.owner == record.name; });
}

/// The record that a field holds, directly or as elements; nullptr for scalars.
const type* record_within(const type& t) {
  switch (t.what) {
  case kind::record:
    return &t;
  case kind::optional:
  case kind::list:
  case kind::map:
    return record_within(t.element());
  default:
    return nullptr;
  }
}

/// Whether a value asks for anything. An absent optional does not; a present one does whatever its
/// value (`hostUsers: false`), but for a record that is empty throughout.
bool is_used(const type& t, const void* value) {
  switch (t.what) {
  case kind::string:
    return !static_cast<const std::string*>(value)->empty();
  case kind::boolean:
    return *static_cast<const bool*>(value);
  case kind::int32:
    return *static_cast<const std::int32_t*>(value) != 0;
  case kind::int64:
    return *static_cast<const std::int64_t*>(value) != 0;
  case kind::list:
  case kind::map:
    return t.size(value) != 0;
  case kind::optional: {
    const void* inner = t.get(value);
    return inner != nullptr && (t.element().what != kind::record || is_used(t.element(), inner));
  }
  case kind::record:
    return std::ranges::any_of(t.fields,
                               [&](const field& f) { return is_used(f.of(), f.in(value)); });
  default:
    return true;
  }
}

/// For the comparison with a rule's neutral text; empty for what is no scalar.
std::string text_of_scalar(const type& t, const void* value) {
  switch (t.what) {
  case kind::string:
    return *static_cast<const std::string*>(value);
  case kind::boolean:
    return *static_cast<const bool*>(value) ? "true" : "false";
  case kind::int32:
    return std::to_string(*static_cast<const std::int32_t*>(value));
  case kind::int64:
    return std::to_string(*static_cast<const std::int64_t*>(value));
  case kind::optional:
    return t.get(value) != nullptr ? text_of_scalar(t.element(), t.get(value)) : std::string{};
  default:
    return {};
  }
}

class findings {
 public:
  findings(const position_lookup& locate, std::vector<diagnostic>& out)
      : locate_(locate)
      , out_(out) {}

  /// While something above is reported already, only errors add to it.
  void cover(bool on) { covered_ = on; }
  [[nodiscard]] bool covered() const { return covered_; }

  void add(severity level, const std::string& path, std::string_view reason) {
    if (covered_ && level != severity::error) return;
    // Of each level: what stops the pod must not be lost behind what does not.
    auto& count = counts_.at(static_cast<std::size_t>(level));
    if (count == max_findings) return;
    std::string text{reason};
    if (++count == max_findings)
      text += std::string{text.empty() ? "" : " "} + "(and more: no further findings are listed)";
    out_.push_back(
        {level, locate_ ? locate_(path) : position{}, shortened(path, max_shown), std::move(text)});
  }

 private:
  const position_lookup& locate_;
  std::vector<diagnostic>& out_;
  bool covered_ = false;
  std::array<std::size_t, 3> counts_{};
};

// --- the walk over the tables --------------------------------------------------------------------

class walker {
 public:
  explicit walker(findings& found) : found_(found) {}

  void record(const type& t, const void* value, const std::string& path) {
    for (const field& f : t.fields)
      one_field(t, f, f.in(value), path + "." + std::string{f.key});
  }

 private:
  void one_field(const type& owner, const field& f, const void* value, const std::string& path) {
    const type& t = f.of();
    if (!is_used(t, value)) return;
    const auto* rule = rule_of(owner.name, f.key);
    if (rule != nullptr && !rule->neutral.empty() && text_of_scalar(t, value) == rule->neutral)
      return;
    const type* inner = record_within(t);
    if (rule == nullptr && inner != nullptr && has_rules(*inner)) return below(t, value, path);
    const auto reason = rule == nullptr ? std::string_view{} : rule->reason;
    switch (rule == nullptr ? support::not_yet : rule->is) {
    case support::actuated:
    case support::judged:
      return;
    case support::impossible:
      return found_.add(severity::error, path, reason);
    case support::cluster_only:
      return found_.add(severity::warning, path,
                        reason.empty() ? "only steers a cluster; it has no effect here" : reason);
    case support::not_yet:
      found_.add(severity::unsupported, path, reason);
    }
    const bool before = found_.covered();
    found_.cover(true);
    below(t, value, path);
    found_.cover(before);
  }

  void below(const type& t, const void* value, const std::string& path) {
    switch (t.what) {
    case kind::record:
      return record(t, value, path);
    case kind::optional:
      return below(t.element(), t.get(value), path);
    case kind::list:
      for (std::size_t i = 0; i < t.size(value); ++i)
        below(t.element(), t.at(value, i), path + "[" + std::to_string(i) + "]");
      return;
    case kind::map:
      t.each(value, [&](std::string_view key, const void* entry) {
        below(t.element(), entry, path + "[" + std::string{key} + "]");
      });
      return;
    default:
      return;
    }
  }

  findings& found_;
};

// --- what depends on values ----------------------------------------------------------------------

void judge_metadata(const object_meta& metadata, findings& found) {
  constexpr std::string_view app_armor = "container.apparmor.security.beta.kubernetes.io/";
  for (const auto& [key, value] : metadata.annotations) {
    const auto path = "metadata.annotations[" + key + "]";
    if (key == backoff_annotation || key == give_up_annotation || key == restart_on_annotation ||
        key == strategy_annotation || key == ends_with_annotation)
      continue;
    if (key.starts_with("tank/"))
      found.add(severity::unsupported, path, {});
    else if (key.starts_with(app_armor) && value != "unconfined")
      found.add(severity::unsupported, path, {});
    else if (key.starts_with("seccomp.security.alpha.kubernetes.io/") ||
             key.starts_with("container.seccomp.security.alpha.kubernetes.io/"))
      found.add(severity::warning, path,
                "has no effect since Kubernetes 1.27: use securityContext.seccompProfile");
  }
}

/// A resource outside of Kubernetes' own names comes from a device plugin.
bool is_extended(std::string_view resource) {
  return resource.find('/') != std::string_view::npos &&
         resource.find("kubernetes.io/") == std::string_view::npos;
}

/// Of a container cpu and memory are limited, of a whole pod nothing is yet.
void judge_resources(const resource_requirements& resources, const std::string& path,
                     findings& found, bool of_pod = false) {
  const auto judge = [&](const std::string& name, const std::string& where) {
    const auto field = path + where + "[" + name + "]";
    if (!of_pod && (name == "cpu" || name == "memory")) return;
    if (!of_pod && name == "ephemeral-storage" && where == ".resources.requests")
      found.add(severity::warning, field, "only steers a cluster; it has no effect here");
    else if (is_extended(name))
      found.add(severity::error, field, "only a device plugin of a cluster provides this resource");
    else
      found.add(severity::unsupported, field, {});
  };
  for (const auto& [name, amount] : resources.limits)
    judge(name, ".resources.limits");
  for (const auto& [name, amount] : resources.requests) {
    const auto limit = resources.limits.find(name);
    const bool same = limit != resources.limits.end() && limit->second == amount;
    if (!same) judge(name, ".resources.requests");
  }
}

void judge_ports(const pod_spec& spec, const container& c, const std::string& path,
                 findings& found) {
  if (spec.host_network) return; // every port is the host's already
  for (std::size_t i = 0; i < c.ports.size(); ++i) {
    const auto port = path + ".ports[" + std::to_string(i) + "]";
    if (c.ports[i].host_port != 0)
      found.add(severity::unsupported, port + ".hostPort", "without hostNetwork");
    else if (!c.ports[i].host_ip.empty())
      found.add(severity::unsupported, port + ".hostIP", "without hostNetwork");
  }
}

bool is_known_field(std::string_view path) {
  constexpr std::string_view known[] = {
      "metadata.name", "metadata.namespace", "metadata.uid",
      "status.podIP",  "spec.nodeName",      "spec.serviceAccountName",
      "status.podIPs", "status.hostIP",      "status.hostIPs"};
  return std::ranges::find(known, path) != std::end(known) ||
         path.starts_with("metadata.labels['") || path.starts_with("metadata.annotations['");
}

/// What of a container is not limited has what the host has; of scratch space nobody knows.
void judge_resource_ref(const resource_field_selector& ref, const std::string& path,
                        findings& found) {
  if (ref.resource.ends_with(".cpu") || ref.resource.ends_with(".memory")) return;
  found.add(severity::unsupported, path + ".resourceFieldRef.resource", ref.resource);
}

void judge_volume_files(const std::vector<downward_api_volume_file>& items, const std::string& path,
                        findings& found) {
  for (std::size_t i = 0; i < items.size(); ++i)
    if (items[i].resource_field_ref)
      judge_resource_ref(*items[i].resource_field_ref, path + ".items[" + std::to_string(i) + "]",
                         found);
}

void judge_volumes(const pod_spec& spec, findings& found) {
  for (std::size_t i = 0; i < spec.volumes.size(); ++i) {
    const auto& v = spec.volumes[i];
    const auto path = "spec.volumes[" + std::to_string(i) + "]";
    if (v.empty_dir && v.empty_dir->medium.starts_with("HugePages"))
      found.add(severity::unsupported, path + ".emptyDir.medium", "of huge pages");
    if (v.empty_dir && v.empty_dir->medium.empty() && v.empty_dir->size_limit)
      found.add(severity::unsupported, path + ".emptyDir.sizeLimit", "on disk");
    if (v.downward_api) judge_volume_files(v.downward_api->items, path + ".downwardAPI", found);
    if (!v.projected) continue;
    for (std::size_t k = 0; k < v.projected->sources.size(); ++k)
      if (const auto& source = v.projected->sources[k].downward_api)
        judge_volume_files(source->items,
                           path + ".projected.sources[" + std::to_string(k) + "].downwardAPI",
                           found);
  }
}

void judge_env(const container& c, const std::string& path, findings& found) {
  for (std::size_t i = 0; i < c.env.size(); ++i) {
    const auto& from = c.env[i].value_from;
    if (from && from->resource_field_ref)
      judge_resource_ref(*from->resource_field_ref,
                         path + ".env[" + std::to_string(i) + "].valueFrom", found);
    if (from && from->field_ref && !is_known_field(from->field_ref->field_path))
      found.add(severity::unsupported,
                path + ".env[" + std::to_string(i) + "].valueFrom.fieldRef.fieldPath", {});
  }
}

bool shows_documents(const pod_spec& spec, const std::string& volume) {
  return std::ranges::any_of(spec.volumes, [&](const auto& v) {
    return v.name == volume && (v.config_map || v.secret || v.downward_api || v.projected);
  });
}

void judge_mounts(const pod_spec& spec, const container& c, const std::string& path,
                  findings& found) {
  for (std::size_t i = 0; i < c.volume_mounts.size(); ++i) {
    const auto& m = c.volume_mounts[i];
    const auto at = path + ".volumeMounts[" + std::to_string(i) + "]";
    if (m.mount_propagation == "Bidirectional")
      found.add(severity::unsupported, at + ".mountPropagation", "Bidirectional");
    const bool part = !m.sub_path.empty() || !m.sub_path_expr.empty();
    if (part && shows_documents(spec, m.name))
      found.add(severity::warning, at + (m.sub_path.empty() ? ".subPathExpr" : ".subPath"),
                "what is mounted by it does not change with its document until the container "
                "starts again");
  }
}

/// kubelet leaves these names to the runtime, which then cannot start the container.
void judge_capabilities(const container& c, const std::string& path, findings& found) {
  if (!c.security_context || !c.security_context->capabilities) return;
  const auto judge = [&](const std::vector<std::string>& names, const std::string& list) {
    for (std::size_t i = 0; i < names.size(); ++i)
      if (!is_capability_or_all(names[i]))
        found.add(severity::error,
                  path + ".securityContext.capabilities." + list + "[" + std::to_string(i) + "]",
                  "there is no such capability");
  };
  judge(c.security_context->capabilities->add, "add");
  judge(c.security_context->capabilities->drop, "drop");
}

void judge_sysctls(const pod_spec& spec, findings& found) {
  if (!spec.security_context) return;
  const auto& all = spec.security_context->sysctls;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!is_safe_sysctl(all[i].name))
      found.add(severity::unsupported, "spec.securityContext.sysctls[" + std::to_string(i) + "]",
                "forbidden sysctl: not one of those that kubelet holds for safe");
}

/// As Kubernetes has it since 1.30: otherwise the host's root would have all of /proc.
void judge_proc_mount(const pod_spec& spec, const container& c, const std::string& path,
                      findings& found) {
  if (!c.security_context || c.security_context->proc_mount != "Unmasked") return;
  if (spec.host_users.value_or(true))
    found.add(severity::unsupported, path + ".securityContext.procMount",
              "Unmasked wants 'hostUsers: false'");
}

void judge_container(const pod_spec& spec, const container& c, const std::string& path,
                     findings& found) {
  judge_resources(c.resources, path, found);
  judge_ports(spec, c, path, found);
  judge_env(c, path, found);
  judge_mounts(spec, c, path, found);
  judge_capabilities(c, path, found);
  judge_proc_mount(spec, c, path, found);
}

/// What one shim holds.
constexpr std::size_t most_containers = 64;

void judge_containers(const pod_spec& spec, walker& walk, findings& found) {
  const type& container_type = reflect::type_of<container>();
  std::size_t count = 0;
  const auto judge = [&](const std::vector<container>& list, const std::string& name) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto path = name + "[" + std::to_string(i) + "]";
      if (count++ == most_containers)
        found.add(severity::unsupported, path,
                  "more than " + std::to_string(most_containers) + " containers");
      walk.record(container_type, &list[i], path);
      judge_container(spec, list[i], path, found);
    }
  };
  judge(spec.init_containers, "spec.initContainers");
  judge(spec.containers, "spec.containers");
}

} // namespace

void check_support(const pod& p, const position_lookup& locate, std::vector<diagnostic>& found) {
  const auto first = found.size();
  findings out{locate, found};
  walker walk{out};
  judge_metadata(p.metadata, out);
  walk.record(reflect::type_of<pod_spec>(), &p.spec, "spec");
  judge_containers(p.spec, walk, out);
  judge_sysctls(p.spec, out);
  judge_volumes(p.spec, out);
  if (p.spec.resources) judge_resources(*p.spec.resources, "spec", out, true);
  if (p.spec.dns_policy == "ClusterFirstWithHostNet")
    out.add(severity::warning, "spec.dnsPolicy",
            "there is no cluster DNS here: names resolve as on the host");
  std::stable_sort(found.begin() + static_cast<std::ptrdiff_t>(first), found.end(),
                   [](const diagnostic& a, const diagnostic& b) {
                     return std::pair{a.at.line, a.at.column} < std::pair{b.at.line, b.at.column};
                   });
}

} // namespace tank::config

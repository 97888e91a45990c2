#include "config/validate_common.hpp"

namespace tank::config::rules {
namespace {

struct seen_names {
  std::set<std::string> containers;
  std::set<std::string> host_ports; // "TCP/address/port"
};

bool is_sidecar(const container& c) {
  return c.restart_policy == "Always";
}

void check_port(const container_port& p, const pod_spec& pod, const path& at, findings& out) {
  if (!p.name.empty()) out.name(at.child("name"), p.name, port_name(p.name));
  if (p.port == 0)
    out.required(at.child("containerPort"));
  else
    for (const auto& problem : port_number(p.port))
      out.invalid(at.child("containerPort"), p.port, problem);
  if (p.host_port != 0)
    for (const auto& problem : port_number(p.host_port))
      out.invalid(at.child("hostPort"), p.host_port, problem);
  if (p.protocol.empty())
    out.required(at.child("protocol"));
  else
    out.one_of(at.child("protocol"), p.protocol, {"SCTP", "TCP", "UDP"});
  if (!p.host_ip.empty()) out.name(at.child("hostIP"), p.host_ip, ip_address(p.host_ip));
  if (pod.host_network && p.host_port != p.port)
    out.invalid(at.child("containerPort"), p.port,
                "must match `hostPort` when `hostNetwork` is true");
}

void check_ports(const container& c, const pod_spec& pod, bool init, seen_names& seen,
                 const path& at, findings& out) {
  std::set<std::string> names;
  std::set<std::string> own;
  for (std::size_t i = 0; i < c.ports.size(); ++i) {
    const auto& p = c.ports[i];
    const auto here = at.index(i);
    check_port(p, pod, here, out);
    if (!p.name.empty() && !names.insert(p.name).second) out.duplicate(here.child("name"), p.name);
    if (p.host_port == 0) continue;
    const auto key = p.protocol + "/" + p.host_ip + "/" + std::to_string(p.host_port);
    // Init containers run one after the other: only their own ports can collide.
    auto& taken = init && !is_sidecar(c) ? own : seen.host_ports;
    if (!taken.insert(key).second) out.duplicate(here.child("hostPort"), key);
  }
}

void check_probes(const container& c, const path& at, findings& out) {
  const auto must_be_one = [&](const probe& p, const path& here) {
    if (p.success_threshold != 1)
      out.invalid(here.child("successThreshold"), p.success_threshold, "must be 1");
  };
  if (c.liveness_probe) {
    check_probe(*c.liveness_probe, at.child("livenessProbe"), out);
    must_be_one(*c.liveness_probe, at.child("livenessProbe"));
  }
  if (c.startup_probe) {
    check_probe(*c.startup_probe, at.child("startupProbe"), out);
    must_be_one(*c.startup_probe, at.child("startupProbe"));
  }
  if (c.readiness_probe) {
    const auto here = at.child("readinessProbe");
    check_probe(*c.readiness_probe, here, out);
    if (c.readiness_probe->termination_grace_period_seconds)
      out.invalid(here.child("terminationGracePeriodSeconds"),
                  *c.readiness_probe->termination_grace_period_seconds,
                  "must not be set for readinessProbes");
  }
}

void check_exit_codes(const container_restart_rule& r, const path& at, findings& out) {
  if (!r.exit_codes) return out.required(at.child("exitCodes"), "must be specified");
  const auto here = at.child("exitCodes");
  out.one_of(here.child("operator"), r.exit_codes->op, {"In", "NotIn"});
  const auto& values = r.exit_codes->values;
  if (r.exit_codes->op == "In" && values.empty()) out.required(here.child("values"));
  if (values.size() > 255) out.too_many(here.child("values"), values.size(), 255);
  std::set<std::int32_t> seen;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!seen.insert(values[i]).second)
      out.duplicate(here.child("values").index(i), std::to_string(values[i]));
}

void check_restart(const container& c, const path& at, findings& out) {
  if (c.restart_policy)
    out.one_of(at.child("restartPolicy"), *c.restart_policy, {"Always", "Never", "OnFailure"});
  const auto rules_at = at.child("restartPolicyRules");
  if (c.restart_policy_rules.empty()) return;
  if (!c.restart_policy)
    out.required(at.child("restartPolicy"),
                 "must specify restartPolicy when restart rules are used");
  if (c.restart_policy_rules.size() > 20) out.too_many(rules_at, c.restart_policy_rules.size(), 20);
  for (std::size_t i = 0; i < c.restart_policy_rules.size(); ++i) {
    const auto here = rules_at.index(i);
    out.one_of(here.child("action"), c.restart_policy_rules[i].action,
               {"Restart", "RestartAllContainers"});
    check_exit_codes(c.restart_policy_rules[i], here, out);
  }
}

void check_resize(const container& c, const path& at, findings& out) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < c.resize_policy.size(); ++i) {
    const auto& r = c.resize_policy[i];
    const auto here = at.index(i);
    if (!seen.insert(r.resource_name).second) out.duplicate(here, r.resource_name);
    out.one_of(here.child("resourceName"), r.resource_name, {"cpu", "memory"});
    out.one_of(here.child("restartPolicy"), r.restart_policy, {"NotRequired", "RestartContainer"});
  }
}

bool padded(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\v\f";
  return blanks.find(text.front()) != std::string_view::npos ||
         blanks.find(text.back()) != std::string_view::npos;
}

void check_container(const container& c, const pod_facts& pod, bool init, seen_names& seen,
                     const path& at, findings& out) {
  if (c.name.empty())
    out.required(at.child("name"));
  else
    out.name(at.child("name"), c.name, dns_label(c.name));
  if (!c.name.empty() && !seen.containers.insert(c.name).second)
    out.duplicate(at.child("name"), c.name);
  if (c.image.empty())
    out.required(at.child("image"));
  else if (padded(c.image))
    out.invalid(at.child("image"), c.image, "must not have leading or trailing whitespace");
  out.one_of(at.child("imagePullPolicy"), c.image_pull_policy, {"Always", "IfNotPresent", "Never"});
  out.one_of(at.child("terminationMessagePolicy"), c.termination_message_policy,
             {"FallbackToLogsOnError", "File"});
  check_ports(c, pod.spec, init, seen, at.child("ports"), out);
  check_env(c, pod, at, out);
  check_mounts(c, pod, at, out);
  check_restart(c, at, out);
  check_resize(c, at.child("resizePolicy"), out);
  check_resources(c.resources, pod.spec, false, at.child("resources"), out);
  if (c.security_context)
    check_security_context(*c.security_context, at.child("securityContext"), out);
  if (init && !is_sidecar(c)) {
    constexpr std::string_view why =
        "may not be set for init containers without restartPolicy=Always";
    if (c.lifecycle) out.forbidden(at.child("lifecycle"), why);
    if (c.liveness_probe) out.forbidden(at.child("livenessProbe"), why);
    if (c.readiness_probe) out.forbidden(at.child("readinessProbe"), why);
    if (c.startup_probe) out.forbidden(at.child("startupProbe"), why);
    return;
  }
  if (c.lifecycle) check_lifecycle(*c.lifecycle, pod.spec, at.child("lifecycle"), out);
  check_probes(c, at, out);
}

} // namespace

void check_containers(const pod_facts& pod, findings& out) {
  const path spec{"spec"};
  seen_names seen;
  if (pod.spec.containers.empty()) out.required(spec.child("containers"));
  for (std::size_t i = 0; i < pod.spec.containers.size(); ++i)
    check_container(pod.spec.containers[i], pod, false, seen, spec.child("containers").index(i),
                    out);
  for (std::size_t i = 0; i < pod.spec.init_containers.size(); ++i)
    check_container(pod.spec.init_containers[i], pod, true, seen,
                    spec.child("initContainers").index(i), out);
  if (!pod.spec.ephemeral_containers.empty())
    out.forbidden(spec.child("ephemeralContainers"), "cannot be set on create");
}

} // namespace tank::config::rules

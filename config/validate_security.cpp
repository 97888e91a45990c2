#include "config/validate_common.hpp"

#include <algorithm>

namespace tank::config::rules {
namespace {

void check_id(const std::optional<std::int64_t>& id, const path& at, findings& out) {
  if (!id) return;
  for (const auto& problem : user_id(*id))
    out.invalid(at, *id, problem);
}

template <class Profile>
void check_profile(const Profile& p, bool file, const path& at, findings& out) {
  const auto local = at.child("localhostProfile");
  if (p.type.empty()) return out.required(at.child("type"));
  if (!out.one_of(at.child("type"), p.type, {"Localhost", "RuntimeDefault", "Unconfined"})) return;
  if (p.type != "Localhost") {
    if (p.localhost_profile)
      out.invalid(local, *p.localhost_profile, "can only be set when type is 'Localhost'");
  } else if (!p.localhost_profile || p.localhost_profile->empty()) {
    out.required(local, "must be set when type is Localhost");
  } else if (file) {
    for (const auto& problem : relative_path(*p.localhost_profile))
      out.invalid(local, *p.localhost_profile, problem);
  }
}

bool is_dotted(std::string_view text, char separator, bool slash_in_segment) {
  const auto edge = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  for (;;) {
    const auto end = text.find(separator);
    const auto part = text.substr(0, end);
    if (part.empty() || !edge(part.front()) || !edge(part.back()) ||
        !std::all_of(part.begin(), part.end(), [&](char c) {
          return edge(c) || c == '-' || c == '_' || (slash_in_segment && c == '.');
        }))
      return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

bool is_sysctl(std::string_view name) {
  return name.size() <= 253 && (is_dotted(name, '.', false) || is_dotted(name, '/', true));
}

void check_sysctls(const pod_spec& pod, const path& at, findings& out) {
  std::set<std::string> seen;
  const auto& all = pod.security_context->sysctls;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto here = at.index(i).child("name");
    auto name = all[i].name;
    if (name.empty()) {
      out.required(here);
      continue;
    }
    if (!is_sysctl(name)) {
      out.invalid(here, name,
                  "must have at most 253 characters and match regex "
                  "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
      continue;
    }
    std::replace(name.begin(), name.end(), '/', '.');
    if (!seen.insert(name).second) out.duplicate(here, all[i].name);
    const auto of_network = name.starts_with("net.");
    const auto of_ipc = name.starts_with("kernel.shm") || name.starts_with("kernel.msg") ||
                        name == "kernel.sem" || name.starts_with("fs.mqueue.");
    if (of_network && pod.host_network)
      out.invalid(here, all[i].name, "may not be specified when 'hostNetwork' is true");
    if (of_ipc && pod.host_ipc)
      out.invalid(here, all[i].name, "may not be specified when 'hostIPC' is true");
  }
}

bool adds_admin(const security_context& s) {
  if (!s.capabilities) return false;
  const auto& add = s.capabilities->add;
  return std::find(add.begin(), add.end(), "CAP_SYS_ADMIN") != add.end();
}

} // namespace

void check_security_context(const security_context& s, const path& at, findings& out) {
  check_id(s.run_as_user, at.child("runAsUser"), out);
  check_id(s.run_as_group, at.child("runAsGroup"), out);
  if (s.proc_mount) out.one_of(at.child("procMount"), *s.proc_mount, {"Default", "Unmasked"});
  const auto escalate = at.child("allowPrivilegeEscalation");
  if (s.allow_privilege_escalation == false) {
    if (s.privileged.value_or(false))
      out.invalid(escalate, "false",
                  "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
    if (adds_admin(s))
      out.invalid(escalate, "false",
                  "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` "
                  "CAP_SYS_ADMIN");
  }
  if (s.seccomp_profile) check_profile(*s.seccomp_profile, true, at.child("seccompProfile"), out);
  if (s.app_armor_profile)
    check_profile(*s.app_armor_profile, false, at.child("appArmorProfile"), out);
}

void check_pod_security(const pod_spec& pod, const path& at, findings& out) {
  if (!pod.security_context) return;
  const auto& s = *pod.security_context;
  check_id(s.run_as_user, at.child("runAsUser"), out);
  check_id(s.run_as_group, at.child("runAsGroup"), out);
  check_id(s.fs_group, at.child("fsGroup"), out);
  for (std::size_t i = 0; i < s.supplemental_groups.size(); ++i)
    check_id(s.supplemental_groups[i], at.child("supplementalGroups").index(i), out);
  if (s.supplemental_groups_policy)
    out.one_of(at.child("supplementalGroupsPolicy"), *s.supplemental_groups_policy,
               {"Merge", "Strict"});
  if (s.fs_group_change_policy)
    out.one_of(at.child("fsGroupChangePolicy"), *s.fs_group_change_policy,
               {"Always", "OnRootMismatch"});
  if (s.se_linux_change_policy)
    out.one_of(at.child("seLinuxChangePolicy"), *s.se_linux_change_policy,
               {"MountOption", "Recursive"});
  if (s.seccomp_profile) check_profile(*s.seccomp_profile, true, at.child("seccompProfile"), out);
  if (s.app_armor_profile)
    check_profile(*s.app_armor_profile, false, at.child("appArmorProfile"), out);
  check_sysctls(pod, at.child("sysctls"), out);
  if (pod.share_process_namespace.value_or(false) && pod.host_pid)
    out.invalid(path{"spec.shareProcessNamespace"}, "true",
                "ShareProcessNamespace and HostPID cannot both be enabled");
}

} // namespace tank::config::rules

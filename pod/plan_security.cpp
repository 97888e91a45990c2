#include "pod/plan_security.hpp"

#include "config/sysctl.hpp"

#include <algorithm>

#include <sys/resource.h>

namespace tank {
namespace {

/// The single names of a list; "ALL" is not one of them.
result<capability_mask> named(const std::vector<std::string>& list, const char* verb) {
  capability_mask out = 0;
  for (const auto& name : list) {
    if (is_all_capabilities(name)) continue;
    const auto number = capability_number(name);
    if (!number)
      return fail(errc::invalid, verb, name, "there is no such capability",
                  "names are those of capabilities(7), such as NET_ADMIN");
    out |= capability_bit(*number);
  }
  return out;
}

} // namespace

bool is_privileged(const config::container& container) {
  return container.security_context && container.security_context->privileged.value_or(false);
}

result<kernel::capability_sets> plan_capabilities(const config::container& container,
                                                  std::uint32_t uid, capability_mask available) {
  auto have = default_capabilities & available;
  const auto& context = container.security_context;
  if (context && context->capabilities) {
    const auto& wanted = *context->capabilities;
    if (std::any_of(wanted.add.begin(), wanted.add.end(), is_all_capabilities)) have = available;
    if (std::any_of(wanted.drop.begin(), wanted.drop.end(), is_all_capabilities)) have = 0;
    const auto add = TANK_TRY(named(wanted.add, "add capability"));
    const auto drop = TANK_TRY(named(wanted.drop, "drop capability"));
    if (const auto beyond = add & ~drop & ~available; beyond != 0 && !is_privileged(container))
      return fail(errc::denied, "add capability", capability_names(beyond),
                  "Tank itself does not have it on this host");
    have = (have | add) & ~drop;
  }
  if (is_privileged(container)) have = available;
  kernel::capability_sets out;
  out.bounding = have;
  out.permitted = out.effective = uid == 0 ? have : 0;
  return out;
}

seccomp_choice plan_seccomp(const config::pod& pod, const config::container& container) {
  if (is_privileged(container)) return {seccomp_kind::unconfined, {}};
  const config::seccomp_profile* said = nullptr;
  if (pod.spec.security_context && pod.spec.security_context->seccomp_profile)
    said = &*pod.spec.security_context->seccomp_profile;
  if (container.security_context && container.security_context->seccomp_profile)
    said = &*container.security_context->seccomp_profile;
  if (said == nullptr || said->type == "RuntimeDefault") return {};
  if (said->type == "Unconfined") return {seccomp_kind::unconfined, {}};
  return {seccomp_kind::localhost, said->localhost_profile.value_or("")};
}

result<std::vector<kernel::sysctl_step>> plan_sysctls(const config::pod& pod) {
  std::vector<kernel::sysctl_step> out;
  if (!pod.spec.security_context) return out;
  for (const auto& s : pod.spec.security_context->sysctls) {
    if (!config::is_safe_sysctl(s.name))
      return fail(errc::denied, "set the kernel parameter", s.name,
                  "forbidden sysctl: not one of those that kubelet holds for safe");
    out.push_back({config::sysctl_path(s.name), s.value});
  }
  return out;
}

std::vector<kernel::rlimit_spec> default_rlimits(const kernel::host_facts& host) {
  constexpr std::uint64_t soft = 1024;
  constexpr std::uint64_t hard = 524288;
  // The kernel counts these for a user, and a pod's root is the host's: with the usual limits a pod
  // could take what the host's own programs need.
  constexpr std::uint64_t signals = 4096;
  constexpr std::uint64_t queues = 400 * 1024; // bytes: half of what is usual
  constexpr std::uint64_t locked = 4u << 20;   // the same
  const auto most = std::min(hard, host.max_open_files);
  return {{RLIMIT_NOFILE, std::min(soft, most), most},
          {RLIMIT_CORE, 0, host.max_core},
          {RLIMIT_SIGPENDING, signals, signals},
          {RLIMIT_MSGQUEUE, queues, queues},
          {RLIMIT_MEMLOCK, locked, locked}};
}

} // namespace tank

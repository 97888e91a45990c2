/// The tables of resources and security: config/reflect.hpp.
#include "config/pod/resources.hpp"
#include "config/pod/security.hpp"
#include "config/schema.hpp"

namespace tank::config::reflect {

// clang-format off
template <>
const type& type_of<resource_claim>() {
  static const type t = detail::make_record("ResourceClaim", {
    always<&resource_claim::name>("name"),
    row<&resource_claim::request>("request"),
  });
  return t;
}

template <>
const type& type_of<resource_requirements>() {
  static const type t = detail::make_record("ResourceRequirements", {
    row<&resource_requirements::limits>("limits"),
    row<&resource_requirements::requests>("requests"),
    row<&resource_requirements::claims>("claims"),
  });
  return t;
}

template <>
const type& type_of<capabilities>() {
  static const type t = detail::make_record("Capabilities", {
    row<&capabilities::add>("add"),
    row<&capabilities::drop>("drop"),
  });
  return t;
}

template <>
const type& type_of<se_linux_options>() {
  static const type t = detail::make_record("SELinuxOptions", {
    row<&se_linux_options::user>("user"),
    row<&se_linux_options::role>("role"),
    row<&se_linux_options::type>("type"),
    row<&se_linux_options::level>("level"),
  });
  return t;
}

template <>
const type& type_of<windows_security_context_options>() {
  static const type t = detail::make_record("WindowsSecurityContextOptions", {
    row<&windows_security_context_options::gmsa_credential_spec_name>("gmsaCredentialSpecName"),
    row<&windows_security_context_options::gmsa_credential_spec>("gmsaCredentialSpec"),
    row<&windows_security_context_options::run_as_user_name>("runAsUserName"),
    row<&windows_security_context_options::host_process>("hostProcess"),
  });
  return t;
}

template <>
const type& type_of<seccomp_profile>() {
  static const type t = detail::make_record("SeccompProfile", {
    always<&seccomp_profile::type>("type"),
    row<&seccomp_profile::localhost_profile>("localhostProfile"),
  });
  return t;
}

template <>
const type& type_of<app_armor_profile>() {
  static const type t = detail::make_record("AppArmorProfile", {
    always<&app_armor_profile::type>("type"),
    row<&app_armor_profile::localhost_profile>("localhostProfile"),
  });
  return t;
}

template <>
const type& type_of<security_context>() {
  static const type t = detail::make_record("SecurityContext", {
    row<&security_context::capabilities>("capabilities"),
    row<&security_context::privileged>("privileged"),
    row<&security_context::se_linux_options>("seLinuxOptions"),
    row<&security_context::windows_options>("windowsOptions"),
    row<&security_context::run_as_user>("runAsUser"),
    row<&security_context::run_as_group>("runAsGroup"),
    row<&security_context::run_as_non_root>("runAsNonRoot"),
    row<&security_context::read_only_root_filesystem>("readOnlyRootFilesystem"),
    row<&security_context::allow_privilege_escalation>("allowPrivilegeEscalation"),
    row<&security_context::proc_mount>("procMount"),
    row<&security_context::seccomp_profile>("seccompProfile"),
    row<&security_context::app_armor_profile>("appArmorProfile"),
  });
  return t;
}

template <>
const type& type_of<sysctl>() {
  static const type t = detail::make_record("Sysctl", {
    always<&sysctl::name>("name"),
    always<&sysctl::value>("value"),
  });
  return t;
}

template <>
const type& type_of<pod_security_context>() {
  static const type t = detail::make_record("PodSecurityContext", {
    row<&pod_security_context::se_linux_options>("seLinuxOptions"),
    row<&pod_security_context::windows_options>("windowsOptions"),
    row<&pod_security_context::run_as_user>("runAsUser"),
    row<&pod_security_context::run_as_group>("runAsGroup"),
    row<&pod_security_context::run_as_non_root>("runAsNonRoot"),
    row<&pod_security_context::supplemental_groups>("supplementalGroups"),
    row<&pod_security_context::supplemental_groups_policy>("supplementalGroupsPolicy"),
    row<&pod_security_context::fs_group>("fsGroup"),
    row<&pod_security_context::sysctls>("sysctls"),
    row<&pod_security_context::fs_group_change_policy>("fsGroupChangePolicy"),
    row<&pod_security_context::seccomp_profile>("seccompProfile"),
    row<&pod_security_context::app_armor_profile>("appArmorProfile"),
    row<&pod_security_context::se_linux_change_policy>("seLinuxChangePolicy"),
  });
  return t;
}

// clang-format on

} // namespace tank::config::reflect

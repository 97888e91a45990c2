/// Seccomp profiles in the JSON format that Docker and containers/common share. Pure.
///
/// A profile is read, then resolved for one container: rules that are for another architecture, an
/// older or newer kernel, or another set of capabilities fall away. What is left is what
/// kernel/seccomp.hpp compiles. A file comes from the operator (a Localhost profile) and is judged
/// strictly where it matters: an unknown action, operator or architecture is an error, an unknown
/// key or system call is not (a profile may be newer than we are).
#pragma once

#include "base/capability.hpp"
#include "base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tank::kernel {

inline constexpr std::size_t max_seccomp_profile = 1u << 20; ///< bytes of JSON

/// One comparison of an argument, SCMP_CMP_* of libseccomp by name.
struct seccomp_argument {
  unsigned index = 0; ///< 0..5
  std::string op;     ///< NE LT LE EQ GE GT MASKED_EQ
  std::uint64_t value = 0;
  std::uint64_t value_two = 0; ///< of MASKED_EQ: what the masked argument must equal
  bool operator==(const seccomp_argument&) const = default;
};

struct seccomp_action {
  std::string name;    ///< ALLOW ERRNO KILL KILL_THREAD KILL_PROCESS TRAP LOG TRACE
  unsigned number = 1; ///< of ERRNO, TRACE: the errno; EPERM unless the profile says
  bool operator==(const seccomp_action&) const = default;
};

/// What happens to any of `names`, when all of `arguments` hold.
struct seccomp_rule {
  std::vector<std::string> names;
  seccomp_action action;
  std::vector<seccomp_argument> arguments;
  bool operator==(const seccomp_rule&) const = default;
};

struct resolved_profile {
  seccomp_action otherwise;
  std::vector<std::string> architectures; ///< "X86_64", ...; empty: the native one
  std::vector<seccomp_rule> rules;
  std::uint32_t flags = 0; ///< SECCOMP_FILTER_FLAG_*
  bool operator==(const resolved_profile&) const = default;
};

/// What a profile is resolved for.
struct seccomp_conditions {
  capability_mask capabilities = 0; ///< the container's bounding set
  std::string architecture;         ///< GOARCH name: amd64, arm64, ...
  unsigned kernel_major = 0;
  unsigned kernel_minor = 0;
};

/// `name` is for messages.
result<resolved_profile> resolve_seccomp_profile(std::string_view json, const std::string& name,
                                                 const seccomp_conditions& conditions);

/// The profile `RuntimeDefault`: kernel/seccomp_default.json.
std::string_view default_seccomp_profile() noexcept;

} // namespace tank::kernel

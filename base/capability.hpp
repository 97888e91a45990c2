/// Linux capabilities as one word, and their names. Pure.
///
/// Bit n is capability n of <linux/capability.h>.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tank {

using capability_mask = std::uint64_t;

/// How many have a name: up to CAP_CHECKPOINT_RESTORE (Linux 5.9), the newest there is.
inline constexpr unsigned named_capabilities = 41;

constexpr capability_mask capability_bit(unsigned number) noexcept {
  return capability_mask{1} << number;
}

/// "NET_ADMIN", "net_admin", "CAP_NET_ADMIN" -> 12. The prefix is optional and case does not
/// count, as container runtimes have it; nullopt when there is no such capability.
std::optional<unsigned> capability_number(std::string_view name);

/// The same, or "ALL" (case does not count).
bool is_capability_or_all(std::string_view name);
bool is_all_capabilities(std::string_view name);

/// "NET_ADMIN"; "39" style for a number without a name.
std::string capability_name(unsigned number);

/// "CHOWN, KILL": those of a mask, in the order of their numbers.
std::string capability_names(capability_mask mask);

/// What a container has that asks for nothing: the fourteen that Docker and containerd agree on.
inline constexpr capability_mask default_capabilities = capability_bit(0)     // CHOWN
                                                        | capability_bit(1)   // DAC_OVERRIDE
                                                        | capability_bit(3)   // FOWNER
                                                        | capability_bit(4)   // FSETID
                                                        | capability_bit(5)   // KILL
                                                        | capability_bit(6)   // SETGID
                                                        | capability_bit(7)   // SETUID
                                                        | capability_bit(8)   // SETPCAP
                                                        | capability_bit(10)  // NET_BIND_SERVICE
                                                        | capability_bit(13)  // NET_RAW
                                                        | capability_bit(18)  // SYS_CHROOT
                                                        | capability_bit(27)  // MKNOD
                                                        | capability_bit(29)  // AUDIT_WRITE
                                                        | capability_bit(31); // SETFCAP
inline constexpr capability_mask all_capabilities = capability_bit(named_capabilities) - 1;

} // namespace tank

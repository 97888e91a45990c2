#include "base/capability.hpp"

#include <array>

namespace tank {
namespace {

constexpr std::array<std::string_view, named_capabilities> names = {"CHOWN",
                                                                    "DAC_OVERRIDE",
                                                                    "DAC_READ_SEARCH",
                                                                    "FOWNER",
                                                                    "FSETID",
                                                                    "KILL",
                                                                    "SETGID",
                                                                    "SETUID",
                                                                    "SETPCAP",
                                                                    "LINUX_IMMUTABLE",
                                                                    "NET_BIND_SERVICE",
                                                                    "NET_BROADCAST",
                                                                    "NET_ADMIN",
                                                                    "NET_RAW",
                                                                    "IPC_LOCK",
                                                                    "IPC_OWNER",
                                                                    "SYS_MODULE",
                                                                    "SYS_RAWIO",
                                                                    "SYS_CHROOT",
                                                                    "SYS_PTRACE",
                                                                    "SYS_PACCT",
                                                                    "SYS_ADMIN",
                                                                    "SYS_BOOT",
                                                                    "SYS_NICE",
                                                                    "SYS_RESOURCE",
                                                                    "SYS_TIME",
                                                                    "SYS_TTY_CONFIG",
                                                                    "MKNOD",
                                                                    "LEASE",
                                                                    "AUDIT_WRITE",
                                                                    "AUDIT_CONTROL",
                                                                    "SETFCAP",
                                                                    "MAC_OVERRIDE",
                                                                    "MAC_ADMIN",
                                                                    "SYSLOG",
                                                                    "WAKE_ALARM",
                                                                    "BLOCK_SUSPEND",
                                                                    "AUDIT_READ",
                                                                    "PERFMON",
                                                                    "BPF",
                                                                    "CHECKPOINT_RESTORE"};

bool same_but_case(std::string_view text, std::string_view upper) {
  if (text.size() != upper.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c) != upper[i]) return false;
  }
  return true;
}

} // namespace

std::optional<unsigned> capability_number(std::string_view name) {
  constexpr std::string_view prefix = "CAP_";
  if (name.size() > prefix.size() && same_but_case(name.substr(0, prefix.size()), prefix))
    name.remove_prefix(prefix.size());
  for (unsigned n = 0; n < named_capabilities; ++n)
    if (same_but_case(name, names[n])) return n;
  return std::nullopt;
}

bool is_all_capabilities(std::string_view name) {
  return same_but_case(name, "ALL");
}

bool is_capability_or_all(std::string_view name) {
  return is_all_capabilities(name) || capability_number(name).has_value();
}

std::string capability_name(unsigned number) {
  return number < named_capabilities ? std::string{names[number]} : std::to_string(number);
}

std::string capability_names(capability_mask mask) {
  std::string out;
  for (unsigned n = 0; n < 64; ++n)
    if ((mask & capability_bit(n)) != 0)
      out.append(out.empty() ? "" : ", ").append(capability_name(n));
  return out;
}

} // namespace tank

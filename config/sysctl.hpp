/// Which kernel parameters a pod may set. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tank::config {

/// The file below /proc/sys of a parameter, dots or slashes between its words: where a slash comes
/// first, dots belong to the words (sysctl(8)). "net.ipv4.tcp_syncookies" ->
/// "net/ipv4/tcp_syncookies".
std::string sysctl_path(std::string_view name);

/// Whether it is one of those that kubelet calls safe: of a namespace of the pod's own, and unable
/// to disturb its neighbours. All others are forbidden, as they are in a cluster that does not
/// allow them by --allowed-unsafe-sysctls.
bool is_safe_sysctl(std::string_view name);

} // namespace tank::config

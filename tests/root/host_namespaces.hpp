/// Keeps a root suite and the host apart, so that what a suite sees on "its host" is its own.
#pragma once

#include <string>

namespace tank::testing {

/// Gives this process a mount namespace and a network namespace of its own, before it has a second
/// thread. Of the mounts all are there as before; they are shared as systemd's are, with nobody
/// else, so that a mount of a pod that gets out is seen here and nowhere else. Of the links there
/// are `lo`, which is up, and `uplink0`, where the kernel can make one: a host has other links than
/// a pod. /sys shows this network. Returns "", or what failed and why.
std::string enter_own_namespaces();

/// Makes a link of a kind that needs no hardware. False: this kernel has none.
bool make_link(const std::string& name);

} // namespace tank::testing

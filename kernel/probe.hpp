/// What `probe_host` does with text. Pure.
#pragma once

#include "kernel/host_facts.hpp"

#include <string_view>

namespace tank::kernel {

/// Fills the resolver's fields from a resolv.conf, as resolv.conf(5) reads it: the last `search` or
/// `domain` line wins, unknown lines are ignored.
void read_resolv_conf(std::string_view text, host_facts& facts);

/// What /proc/self/status says is both permitted and not barred: what can be handed to a child.
capability_mask held_capabilities(std::string_view status);

/// Bytes of memory, of /proc/meminfo; 0 when it does not say.
std::uint64_t memory_total(std::string_view meminfo);

/// OCI's GOARCH name for uname's machine; the machine itself when it is not known.
std::string go_architecture(std::string_view machine);

} // namespace tank::kernel

/// The protocol of earlier Tanks' shims, as values of today. Pure.
#pragma once

#include "kernel/frames.hpp"

namespace tank::kernel::frames {

/// As `read` and `write` of version 1. A container of such a shim is attempt 0. Whether memory ran
/// out is not said, and false.
std::optional<heard> read_v1(std::span<const char> packet);
result<std::string> write_v1(const ask& wanted);

} // namespace tank::kernel::frames

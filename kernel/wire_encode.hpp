/// The daemon's side of kernel/wire.hpp: plans into buffers, and back for tests and diagnostics.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "kernel/launch_plan.hpp"

#include <string>
#include <string_view>

namespace tank::kernel::wire {

/// The flat form of `plan`. errc::invalid when a string holds a NUL, argv is empty or the container
/// has no name; errc::limit when it is larger than `max_plan_bytes` or has too many steps.
result<std::string> encode_plan(const launch_plan& plan);

/// The plan a buffer stands for; errc::corrupt when `parse_plan` refuses it.
result<launch_plan> decode_plan(std::string_view buffer);

/// A memfd with `bytes`, sealed against every change.
result<unique_fd> make_sealed_memfd(const char* name, std::string_view bytes);

} // namespace tank::kernel::wire

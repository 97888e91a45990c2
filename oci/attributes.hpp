/// The extended attributes that a layer keeps. Private to this room.
#pragma once

#include "base/error.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tank::oci {

inline constexpr std::size_t max_attribute = 64 * 1024; ///< bytes: the kernel's limit of one value

/// `user.*` and `security.capability`: those of overlay would redirect the layer.
bool is_kept_attribute(std::string_view key);

/// Those of a file, sorted.
result<std::vector<std::pair<std::string, std::string>>> kept_attributes(int fd);

} // namespace tank::oci

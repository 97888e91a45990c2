/// Removes trees that strangers filled: an image's layer, what a workload left in its writable
/// layer.
#pragma once

#include "base/error.hpp"

#include <filesystem>
#include <string>

namespace tank {

/// Removes `path` and everything below it. Follows no symlink and crosses no mount (errc::conflict
/// names the mount point). Minds no depth: few descriptors, bounded stack and memory. Nor what the
/// content may hold against it: modes that keep its owner out, the immutable and append-only flags,
/// names that this function itself might use. Missing is success. Blocking.
result<void> remove_tree(const std::filesystem::path& path);

/// The same of `name`, one component of the directory `parent`.
result<void> remove_tree(int parent, const std::string& name);

} // namespace tank

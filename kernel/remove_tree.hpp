/// Removing what a workload may have written: nothing about the tree is trusted.
#pragma once

#include "base/error.hpp"

#include <filesystem>

namespace tank::kernel {

/// rm -rf by file descriptors: no symlink is followed, no mount point entered (errc::conflict names
/// it), and any depth takes a bounded number of descriptors. A missing tree is success. Blocking.
result<void> remove_tree(const std::filesystem::path& path);

} // namespace tank::kernel

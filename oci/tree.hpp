/// Trees whose content somebody else chose: opened in-root, removed without a path.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <string>

#include <sys/types.h>

namespace tank::oci {

/// Opens `path` as if `root` were the root directory: symbolic links, `..` and absolute link
/// targets are followed, but only inside (openat2 RESOLVE_IN_ROOT); magic links are refused.
/// `path` is relative to `root`; "" and "." are `root` itself. CLOEXEC is added to `flags`. The
/// error carries errno in `sys` (SECURITY 7, 13).
result<unique_fd> open_in_root(int root, const std::string& path, int flags, mode_t mode = 0);

/// Removes `name` (one component of the directory `parent`) and everything below, following no
/// link, however deep it is: few descriptors, bounded stack. Not finding it is no error.
result<void> remove_tree(int parent, const std::string& name);

} // namespace tank::oci

/// Opening below a tree whose content somebody else chose.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <memory>
#include <string>

#include <dirent.h>
#include <sys/types.h>

namespace tank::oci {

struct closes_dir {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};
/// The names in a directory.
using dir_stream = std::unique_ptr<DIR, closes_dir>;

/// Opens `path` as if `root` were the root directory: symbolic links, `..` and absolute link
/// targets are followed, but only inside (openat2 RESOLVE_IN_ROOT); magic links are refused.
/// `path` is relative to `root`; "" and "." are `root` itself. CLOEXEC is added to `flags`. The
/// error carries errno in `sys` (SECURITY.md classes 7, 13).
result<unique_fd> open_in_root(int root, const std::string& path, int flags, mode_t mode = 0);

} // namespace tank::oci

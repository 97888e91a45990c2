/// Paths of the container, resolved below its root by descriptor: nothing here can return, make or
/// follow anything outside of `root`, whatever symlinks the image holds and however they change
/// meanwhile.
#pragma once

#include "kernel/shim/syscalls.hpp"

#include <sys/types.h>

namespace tank::kernel::shim {

/// What a missing last component becomes.
enum class make_kind : std::uint8_t { nothing, directory, file };

struct make_options {
  make_kind kind = make_kind::nothing;
  mode_t mode = 0755; ///< of the last component; missing parents get 0755
  bool* made = nullptr;
};

/// An O_PATH descriptor of `path` below `root`, symlinks followed inside the root (dangling ones
/// too: what they point at is made). -1 with errno: ENOENT, ELOOP, ENOTDIR, ENAMETOOLONG, ...
/// Paths under /proc, /sys and /dev (lexically) must be free of symlinks: ELOOP. An image that has
/// one of them as a symlink could otherwise have proc mounted, and later trusted, elsewhere.
int open_target(int root, const char* path, const make_options& make) noexcept;

/// The same for a path within a volume, `root`. No name means anything there: links are followed
/// everywhere. With `make` each missing component becomes a directory with the mode and the owner
/// of the root. EBUSY when something else was put in its place before it had them.
int open_in_volume(int root, const char* path, bool make) noexcept;

/// Like `open_target` for the directory `path` is in; `*last` then points at the name in it.
/// EINVAL when there is no such name ("/", "a/..").
int open_parent(int root, const char* path, const char** last) noexcept;

} // namespace tank::kernel::shim

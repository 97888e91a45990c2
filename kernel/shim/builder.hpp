/// The kinds of steps, one function each; run_steps (steps.cpp) calls them in the plan's order.
#pragma once

#include "kernel/shim/sources.hpp"
#include "kernel/shim/steps.hpp"
#include "kernel/shim/syscalls.hpp"

namespace tank::kernel::shim {

/// What the steps of one container share. `root` is the mount that becomes "/"; -1 until the
/// overlay step made it.
struct builder {
  unique_fd root;
  unique_fd empty_dir; ///< a read-only tmpfs, attached over the first masked directory
  bool pivoted = false;
  const char* late_directory = nullptr; ///< to be made before the root turns read-only; or null
  step_failure* out = nullptr;
  /// Of a user namespace: what overlay and bind steps take, instead of opening it. Closed as used.
  const sources* opened = nullptr;
  unsigned used = 0; ///< of `opened`

  /// The next one, to be closed by the caller.
  int take_source() noexcept { return used < opened->count() ? opened->fd(used++) : -1; }
};

// Each returns 0, or -1 with b.out filled but for the index.

// root.cpp
int make_root(builder& b, const wire::overlay_view& s) noexcept;
int pivot(builder& b, const wire::pivot_view& s) noexcept;

/// What a bind shows. The path was found without links on it, and may be somebody's to change who
/// would like it to lead elsewhere: no link is followed (SECURITY.md class 3).
inline int open_source(const char* path) noexcept {
  return open_in(AT_FDCWD, path, O_PATH, RESOLVE_NO_SYMLINKS);
}

// mounts.cpp
int mount_filesystem(builder& b, const wire::filesystem_view& s) noexcept;
int bind_source(builder& b, const wire::bind_view& s) noexcept;
int mount_volume(builder& b, const wire::volume_view& s) noexcept;
int protect(builder& b, const wire::read_only_view& s) noexcept;
int mask(builder& b, const wire::mask_view& s) noexcept;

// nodes.cpp
int make_device(builder& b, const wire::device_view& s) noexcept;
int make_symlink(builder& b, const wire::symlink_view& s) noexcept;
int make_directory(builder& b, const wire::directory_view& s) noexcept;

// sysctl.cpp
int set_sysctl(builder& b, const wire::sysctl_view& s) noexcept;

/// Fails with EPERM when `target`, a mount's place, is the root itself or lies in procfs: an image
/// whose symlinks lead a volume there would replace what later steps and the kernel's own files
/// are trusted for.
int check_mountable(builder& b, int target, const char* verb, const char* path) noexcept;

/// overlayfs takes 500; what an image may have is decided elsewhere, and lower.
inline constexpr std::uint32_t max_layers = 500;

/// The directories of an overlay, or mounts of them.
struct layers {
  int lower[max_layers];
  std::uint32_t count = 0;
  unique_fd upper;
  unique_fd work;

  layers() noexcept = default;
  layers(const layers&) = delete;
  layers& operator=(const layers&) = delete;
  ~layers() {
    for (std::uint32_t i = 0; i < count; ++i)
      ::close(lower[i]);
  }
};
int open_layers(const wire::overlay_view& s, layers& l, step_failure* out) noexcept;

/// A detached overlay mount; -1 with EINVAL where overlayfs takes no descriptors.
int new_overlay(const layers& l) noexcept;

/// fsopen .. fsmount of a filesystem without a device. `data` is "key=value,flag,...".
/// A detached mount, or -1 with errno.
int new_filesystem(const char* type, const char* data, std::uint64_t attributes) noexcept;

/// The overlay as one option string for mount(2), for kernels whose overlayfs takes no
/// descriptors (before 6.13): the layers are named /proc/self/fd/N, so their number, not the
/// length of their paths, is what one page limits (about 200). Mounts on "/" and returns the
/// root's descriptor.
int mount_overlay_by_string(const int* lower, std::uint32_t count, int upper, int work) noexcept;

} // namespace tank::kernel::shim

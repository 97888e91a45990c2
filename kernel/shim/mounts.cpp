#include "kernel/shim/builder.hpp"
#include "kernel/shim/paths.hpp"

#include <cerrno>
#include <cstring>
#include <linux/magic.h>

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

namespace tank::kernel::shim {
namespace {

bool apply_options(int fs, const char* data) noexcept {
  char option[256];
  while (*data != '\0') {
    const std::size_t n = std::strcspn(data, ",");
    if (n >= sizeof option) {
      errno = E2BIG;
      return false;
    }
    std::memcpy(option, data, n);
    option[n] = '\0';
    data += n + (data[n] == ',' ? 1 : 0);
    if (n == 0) continue;
    char* value = std::strchr(option, '=');
    if (value != nullptr) *value++ = '\0';
    const int rc = value == nullptr ? ::fsconfig(fs, FSCONFIG_SET_FLAG, option, nullptr, 0)
                                    : ::fsconfig(fs, FSCONFIG_SET_STRING, option, value, 0);
    if (rc != 0) return false;
  }
  return true;
}

/// Opens what a mask or read_only step names: 1 found, 0 there is none (to be skipped), -1 failed.
int open_existing(builder& b, const char* path, const char* verb, unique_fd& it) noexcept {
  it.reset(open_target(b.root.get(), path, {}));
  if (it) return 1;
  if (errno == ENOENT || errno == ENOTDIR) return 0;
  return b.out->set(errno, verb, path);
}

/// The container's own null device, and nothing that merely has its name: an image may bring
/// anything under it, and what is bound over a masked file is trusted to be empty (CVE-2025-31133).
int open_null(builder& b) noexcept {
  unique_fd it{open_target(b.root.get(), "/dev/null", {})};
  struct stat st {};
  if (!it || ::fstat(it.get(), &st) != 0) return -1;
  if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)) {
    errno = ENODEV;
    return -1;
  }
  return it.release();
}

int mask_file(builder& b, int target, const char* path) noexcept {
  const unique_fd null{open_null(b)};
  if (!null) return b.out->set(errno, "mask with /dev/null", path);
  const unique_fd mount{clone_mount(null.get(), "", false)};
  constexpr std::uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  if (!mount || change_mount(mount.get(), attributes, MS_PRIVATE, false) != 0 ||
      attach_mount(mount.get(), target) != 0) {
    return b.out->set(errno, "mask", path);
  }
  return 0;
}

/// All masked directories show one empty tmpfs: made at the first, cloned for the others.
int mask_directory(builder& b, int target, const char* path) noexcept {
  constexpr std::uint64_t attributes =
      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  if (!b.empty_dir) {
    unique_fd made{new_filesystem("tmpfs", "size=0,nr_inodes=1,mode=555", attributes)};
    if (!made || attach_mount(made.get(), target) != 0) {
      return b.out->set(errno, "mask", path);
    }
    b.empty_dir.reset(made.release());
    return 0;
  }
  const unique_fd mount{clone_mount(b.empty_dir.get(), "", false)};
  if (!mount || attach_mount(mount.get(), target) != 0) {
    return b.out->set(errno, "mask", path);
  }
  return 0;
}

} // namespace

int new_filesystem(const char* type, const char* data, std::uint64_t attributes) noexcept {
  const unique_fd fs{::fsopen(type, FSOPEN_CLOEXEC)};
  if (!fs) return -1;
  ::fsconfig(fs.get(), FSCONFIG_SET_STRING, "source", type, 0); // what mountinfo shows, no more
  if (!apply_options(fs.get(), data)) return -1;
  if (::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return -1;
  return ::fsmount(fs.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes));
}

int check_mountable(builder& b, int target, const char* verb, const char* path) noexcept {
  struct stat root {};
  struct stat it {};
  struct statfs fs {};
  if (::fstat(b.root.get(), &root) != 0 || ::fstat(target, &it) != 0 ||
      ::fstatfs(target, &fs) != 0) {
    return b.out->set(errno, verb, path);
  }
  const bool is_root = root.st_dev == it.st_dev && root.st_ino == it.st_ino;
  if (is_root || fs.f_type == PROC_SUPER_MAGIC) return b.out->set(EPERM, verb, path);
  return 0;
}

int mount_filesystem(builder& b, const wire::filesystem_view& s) noexcept {
  char verb[64] = "mount ";
  if (!append(verb, sizeof verb - 4, s.type.c_str())) {
    return b.out->set(ENODEV, "mount a filesystem of unknown type on", s.target.c_str());
  }
  append(verb, sizeof verb, " on");
  const unique_fd target{
      open_target(b.root.get(), s.target.c_str(), {.kind = make_kind::directory})};
  if (!target) return b.out->set(errno, verb, s.target.c_str());
  if (check_mountable(b, target.get(), verb, s.target.c_str()) != 0) return -1;
  const unique_fd mount{new_filesystem(s.type.c_str(), s.data.c_str(), mount_attributes(s.flags))};
  if (!mount || attach_mount(mount.get(), target.get()) != 0) {
    return b.out->set(errno, verb, s.target.c_str());
  }
  return 0;
}

/// Where a mount of what `source` says goes: found in the container or made there, a directory or
/// a file. -1 with b.out.
static int open_place(builder& b, const struct stat& source, const char* verb,
                      const char* path) noexcept {
  const bool directory = S_ISDIR(source.st_mode);
  unique_fd place{open_target(b.root.get(), path,
                              {.kind = directory ? make_kind::directory : make_kind::file,
                               .mode = directory ? mode_t{0755} : mode_t{0644}})};
  if (!place) return b.out->set(errno, verb, path);
  if (check_mountable(b, place.get(), verb, path) != 0) return -1;
  return place.release();
}

int bind_source(builder& b, const wire::bind_view& s) noexcept {
  const unique_fd source{b.opened != nullptr ? b.take_source() : open_source(s.source.c_str())};
  struct stat st {};
  if (!source || ::fstat(source.get(), &st) != 0) {
    return b.out->set(errno, "open the source of a mount", s.source.c_str());
  }
  constexpr const char* verb = "bind on";
  const unique_fd target{open_place(b, st, verb, s.target.c_str())};
  if (!target) return -1;
  if (b.opened != nullptr) { // all else was done by who opened it
    if (attach_mount(source.get(), target.get()) == 0) return 0;
    return b.out->set(errno, verb, s.target.c_str());
  }
  const unique_fd mount{clone_mount(source.get(), "", s.recursive && S_ISDIR(st.st_mode))};
  const std::uint64_t attributes =
      mount_attributes(s.flags) | (s.read_only ? std::uint64_t{MOUNT_ATTR_RDONLY} : 0);
  // Read-only means all of it: a writable mount below a read-only volume would be a hole.
  if (!mount || change_mount(mount.get(), attributes, MS_PRIVATE, s.recursive) != 0 ||
      attach_mount(mount.get(), target.get()) != 0) {
    return b.out->set(errno, verb, s.target.c_str());
  }
  return 0;
}

int mount_volume(builder& b, const wire::volume_view& s) noexcept {
  const unique_fd mount{b.opened != nullptr ? b.take_source() : open_volume(s, -1, b.out)};
  if (!mount) return b.opened != nullptr ? b.out->set(EBADF, "take", s.target.c_str()) : -1;
  struct stat st {};
  if (::fstat(mount.get(), &st) != 0) return b.out->set(errno, "look at", s.target.c_str());
  constexpr const char* verb = "mount the volume on";
  const unique_fd target{open_place(b, st, verb, s.target.c_str())};
  if (!target) return -1;
  if (attach_mount(mount.get(), target.get()) != 0)
    return b.out->set(errno, verb, s.target.c_str());
  return 0;
}

int protect(builder& b, const wire::read_only_view& s) noexcept {
  constexpr const char* verb = "make read-only";
  unique_fd target;
  if (const int found = open_existing(b, s.target.c_str(), verb, target); found <= 0) return found;
  const unique_fd mount{clone_mount(target.get(), "", true)};
  if (!mount || change_mount(mount.get(), MOUNT_ATTR_RDONLY, MS_PRIVATE, true) != 0 ||
      attach_mount(mount.get(), target.get()) != 0) {
    return b.out->set(errno, verb, s.target.c_str());
  }
  return 0;
}

int mask(builder& b, const wire::mask_view& s) noexcept {
  unique_fd target;
  if (const int found = open_existing(b, s.target.c_str(), "mask", target); found <= 0) {
    return found;
  }
  struct stat st {};
  if (::fstat(target.get(), &st) != 0) return b.out->set(errno, "mask", s.target.c_str());
  return S_ISDIR(st.st_mode) ? mask_directory(b, target.get(), s.target.c_str())
                             : mask_file(b, target.get(), s.target.c_str());
}

} // namespace tank::kernel::shim

#include "kernel/shim/builder.hpp"
#include "kernel/shim/paths.hpp"

#include <cerrno>
#include <climits>
#include <cstring>

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

namespace tank::kernel::shim {
namespace {

/// Where mknod is refused (a user namespace): the host's node of that name, when it really is that
/// device. Read-only, so that its mode and owner on the host stay out of reach; that does not keep
/// a device from being written.
int bind_device(int parent, const char* name, const wire::device_view& s) noexcept {
  constexpr const char* devices = "/dev/";
  const unique_fd host{open_in(AT_FDCWD, devices, O_PATH | O_DIRECTORY, 0)};
  if (!host) return -1;
  const bool below = std::strncmp(s.target.c_str(), devices, std::strlen(devices)) == 0;
  const unique_fd node{open_in(host.get(), below ? s.target.c_str() + std::strlen(devices) : name,
                               O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)};
  struct stat st {};
  if (!node || ::fstat(node.get(), &st) != 0) return -1;
  const bool kind = s.block ? S_ISBLK(st.st_mode) : S_ISCHR(st.st_mode);
  if (!kind || st.st_rdev != makedev(s.major, s.minor)) {
    errno = ENODEV;
    return -1;
  }
  const unique_fd place{
      ::openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0600)};
  const unique_fd mount{clone_mount(node.get(), "", false)};
  if (!place || !mount ||
      change_mount(mount.get(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                   MS_PRIVATE, false) != 0) {
    return -1;
  }
  return attach_mount(mount.get(), place.get());
}

/// 0, or -1 with errno. Without a device controller the kernel lets a root workload make any node
/// it likes, and CAP_MKNOD is among the default capabilities; so nothing it can write to has
/// devices, and each of ours becomes a mount of its own that does.
int allow_node(int parent, const char* name) noexcept {
  struct statfs fs {};
  if (::fstatfs(parent, &fs) != 0) return -1;
  if ((fs.f_flags & ST_NODEV) == 0) return 0;
  const unique_fd node{::openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  if (!node) return -1;
  const unique_fd mount{clone_mount(node.get(), "", false)};
  if (!mount || allow_devices(mount.get()) != 0) return -1;
  return attach_mount(mount.get(), node.get());
}

/// 0, or -1 with errno.
int make_node(int parent, const char* name, const wire::device_view& s) noexcept {
  const mode_t kind = s.block ? S_IFBLK : S_IFCHR;
  if (::mknodat(parent, name, kind | (s.mode & 07777), makedev(s.major, s.minor)) != 0) return -1;
  if ((s.uid != 0 || s.gid != 0) &&
      ::fchownat(parent, name, s.uid, s.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return -1;
  }
  return allow_node(parent, name);
}

} // namespace

int make_device(builder& b, const wire::device_view& s) noexcept {
  constexpr const char* verb = "make the device";
  const char* name = nullptr;
  const unique_fd parent{open_parent(b.root.get(), s.target.c_str(), &name)};
  if (!parent) return b.out->set(errno, verb, s.target.c_str());
  if (make_node(parent.get(), name, s) == 0) return 0;
  if (errno == EPERM && !b.pivoted && bind_device(parent.get(), name, s) == 0) return 0;
  return b.out->set(errno, verb, s.target.c_str());
}

int make_symlink(builder& b, const wire::symlink_view& s) noexcept {
  constexpr const char* verb = "make the symbolic link";
  const char* name = nullptr;
  const unique_fd parent{open_parent(b.root.get(), s.link.c_str(), &name)};
  if (!parent) return b.out->set(errno, verb, s.link.c_str());
  if (::symlinkat(s.target.c_str(), parent.get(), name) == 0) return 0;
  const int error = errno;
  char now[PATH_MAX];
  const ssize_t n = ::readlinkat(parent.get(), name, now, sizeof now);
  if (error == EEXIST && n >= 0 &&
      s.target.view() == std::string_view(now, static_cast<std::size_t>(n))) {
    return 0; // the image has it already
  }
  return b.out->set(error, verb, s.link.c_str());
}

int make_directory(builder& b, const wire::directory_view& s) noexcept {
  constexpr const char* verb = "make the directory";
  bool made = false;
  const unique_fd it{open_target(
      b.root.get(), s.target.c_str(),
      {.kind = make_kind::directory, .mode = static_cast<mode_t>(s.mode & 07777), .made = &made})};
  if (!it) return b.out->set(errno, verb, s.target.c_str());
  struct stat st {};
  if (::fstat(it.get(), &st) != 0) return b.out->set(errno, verb, s.target.c_str());
  if (!S_ISDIR(st.st_mode)) return b.out->set(ENOTDIR, verb, s.target.c_str());
  if (made && (s.uid != 0 || s.gid != 0) &&
      ::fchownat(it.get(), "", s.uid, s.gid, AT_EMPTY_PATH) != 0) {
    return b.out->set(errno, verb, s.target.c_str());
  }
  return 0;
}

} // namespace tank::kernel::shim

#include "base/remove_tree.hpp"
#include "base/unique_fd.hpp"
#include "kernel/host_path.hpp"
#include "kernel/volumes.hpp"

#include <array>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

namespace tank::kernel {

namespace fs = std::filesystem;

namespace {

constexpr int open_flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// A tmpfs is mounted on the directory, which is in `parent`.
result<bool> is_memory(int parent, int dir, const fs::path& path) {
  struct stat above {};
  struct stat here {};
  struct statfs kind {};
  if (::fstat(parent, &above) != 0 || ::fstat(dir, &here) != 0 || ::fstatfs(dir, &kind) != 0)
    return fail_errno(errno, "look at", path);
  return above.st_dev != here.st_dev && kind.f_type == TMPFS_MAGIC;
}

bool set_text(int fs, const char* key, const std::string& value) {
  return ::fsconfig(fs, FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0;
}

std::string octal(mode_t mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%o", mode & 07777U);
  return text.data();
}

/// A tmpfs that is mounted nowhere yet; none with errno.
unique_fd new_memory(const memory_mount& what, bool noswap) {
  const unique_fd fs{::fsopen("tmpfs", FSOPEN_CLOEXEC)};
  if (!fs || !set_text(fs.get(), "source", "tank") || !set_text(fs.get(), "mode", octal(what.mode)))
    return {};
  if (what.size != 0 && !set_text(fs.get(), "size", std::to_string(what.size))) return {};
  if (!set_text(fs.get(), "uid", std::to_string(what.uid)) ||
      !set_text(fs.get(), "gid", std::to_string(what.gid)))
    return {};
  if (noswap && ::fsconfig(fs.get(), FSCONFIG_SET_FLAG, "noswap", nullptr, 0) != 0) return {};
  if (::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return {};
  return unique_fd{::fsmount(fs.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)};
}

} // namespace

result<void> mount_memory(const fs::path& dir, const memory_mount& what) {
  const auto at = TANK_TRY(open_host_place(dir, 0700));
  const int parent = at.directory.get();
  if (::mkdirat(parent, at.name.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno(errno, "create directory", dir);
  const unique_fd target{::openat(parent, at.name.c_str(), open_flags)};
  if (!target) return fail_errno(errno, "open", dir);
  if (TANK_TRY(is_memory(parent, target.get(), dir))) return {};
  auto mount = new_memory(what, true);
  if (!mount) mount = new_memory(what, false); // before 6.4, and in a user namespace
  if (!mount || ::move_mount(mount.get(), "", target.get(), "",
                             MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return fail_errno(errno, "mount tmpfs on", dir);
  return {};
}

result<void> unmount_memory(const fs::path& dir) {
  auto at = open_host_place(dir);
  if (!at) return at.error().code == errc::not_found ? result<void>{} : failure{at.error()};
  // By the name in a directory that is open: what is unmounted is what is mounted there, and all
  // below goes with it.
  const auto path = "/proc/self/fd/" + std::to_string(at->directory.get()) + "/" + at->name;
  while (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  if (errno != EINVAL && errno != ENOENT) return fail_errno(errno, "unmount", dir);
  return tank::remove_tree(at->directory.get(), at->name);
}

} // namespace tank::kernel

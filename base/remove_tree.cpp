#include "base/remove_tree.hpp"

#include "base/unique_fd.hpp"

#include <cerrno>
#include <cstdio> // renameat2
#include <memory>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace tank {

namespace {

/// What lies deeper is moved up before it is removed: it costs neither stack nor descriptors.
constexpr unsigned max_depth = 32;
/// Names read before they are removed: reading on behind a removal is what filesystems do
/// differently, and a directory may hold millions.
constexpr std::size_t batch = 4096;
constexpr const char* step = "remove";

struct closes_dir {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};
using dir_stream = std::unique_ptr<DIR, closes_dir>;

/// A subdirectory that is on the same mount (bind mounts of the same filesystem included) and no
/// symlink. -1 with errno.
int open_inside(int parent, const char* name) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
  const auto open = [&] {
    return static_cast<int>(::syscall(SYS_openat2, parent, name, &how, sizeof how));
  };
  const int fd = open();
  if (fd >= 0 || errno != EACCES) return fd;
  ::fchmodat(parent, name, 0700, 0); // only without root: an image may keep its owner out
  return open();
}

/// Takes the flags away that keep even root from removing it; a privileged workload may set them.
void make_mutable(int fd) {
  constexpr int keeping = FS_IMMUTABLE_FL | FS_APPEND_FL;
  int flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0 || (flags & keeping) == 0) return;
  flags &= ~keeping;
  ::ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

void make_mutable_at(int parent, const char* name) {
  struct stat st {};
  if (::fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) return; // opening others may do something
  const unique_fd fd{
      ::openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  if (fd) make_mutable(fd.get());
}

/// 0 when `name` is gone, EISDIR when it is a directory (which then may be emptied and removed),
/// or why not.
int unlink_one(int dir, const char* name) {
  const auto unlink = [&] { return ::unlinkat(dir, name, 0) == 0 || errno == ENOENT ? 0 : errno; };
  int error = unlink();
  if (error == EACCES && ::fchmod(dir, 0700) == 0) error = unlink();
  if (error != EPERM) return error;
  make_mutable(dir);
  make_mutable_at(dir, name);
  return unlink();
}

class remover {
 public:
  remover(int root, std::string shown) : root_(root), path_(std::move(shown)) {}

  result<void> run() {
    do {
      moved_ = false;
      TANK_TRY(empty(::fcntl(root_, F_DUPFD_CLOEXEC, 0), 0));
    } while (moved_);
    return {};
  }

 private:
  /// Up to `batch` names of the directory, from its start.
  result<std::vector<std::string>> names(DIR* dir) {
    std::vector<std::string> out;
    ::rewinddir(dir);
    for (errno = 0; const dirent* e = ::readdir(dir); errno = 0) {
      const std::string_view name{e->d_name};
      if (name == "." || name == "..") continue;
      out.emplace_back(name);
      if (out.size() == batch) return out;
    }
    if (errno != 0) return fail_errno(errno, "read the directory", path_);
    return out;
  }

  /// Empties the directory `fd` (taken over).
  result<void> empty(int fd, unsigned depth) {
    const dir_stream dir{fd < 0 ? nullptr : ::fdopendir(fd)};
    if (dir == nullptr) return fail_errno(errno, "read the directory", path_);
    for (;;) {
      const auto found = TANK_TRY(names(dir.get()));
      for (const auto& name : found) {
        const auto size = path_.size();
        path_.append("/").append(name);
        TANK_TRY(remove(::dirfd(dir.get()), name.c_str(), depth));
        path_.resize(size);
      }
      if (found.size() < batch) return {};
    }
  }

  result<void> remove(int parent, const char* name, unsigned depth) {
    const int error = unlink_one(parent, name);
    if (error == 0) return {};
    if (error != EISDIR) return fail_errno(error, step, path_);
    if (depth >= max_depth) return move_up(parent, name);
    const int fd = open_inside(parent, name);
    if (fd < 0 && errno == EXDEV)
      return fail(errc::conflict, step, path_, "it is a mount point", "unmount it first");
    if (fd < 0) return fail_errno(errno, "open", path_);
    TANK_TRY(empty(fd, depth + 1));
    if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
      return fail_errno(errno, step, path_);
    return {};
  }

  /// To the root, where it is met again. The content may hold that very name already.
  result<void> move_up(int parent, const char* name) {
    for (;;) {
      const auto fresh = ".tank-removing-" + std::to_string(moves_++);
      if (::renameat2(parent, name, root_, fresh.c_str(), RENAME_NOREPLACE) == 0) break;
      if (errno != EEXIST) return fail_errno(errno, step, path_);
    }
    moved_ = true;
    return {};
  }

  int root_;
  std::string path_; ///< of what is at hand; only for messages
  bool moved_ = false;
  std::uint64_t moves_ = 0;
};

result<void> remove_below(int parent, const std::string& name, const std::string& shown) {
  const int error = unlink_one(parent, name.c_str());
  if (error == 0) return {};
  if (error != EISDIR) return fail_errno(error, step, shown);
  const unique_fd root{open_inside(parent, name.c_str())};
  if (!root && errno == EXDEV)
    return fail(errc::conflict, step, shown, "it is a mount point", "unmount it first");
  if (!root) return fail_errno(errno, "open", shown);
  TANK_TRY(remover{root.get(), shown}.run());
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return fail_errno(errno, step, shown);
  return {};
}

} // namespace

result<void> remove_tree(int parent, const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    return fail(errc::invalid, step, name, "it names no entry of a directory");
  return remove_below(parent, name, name);
}

result<void> remove_tree(const std::filesystem::path& path) {
  const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
  const auto name = path.filename();
  if (name.empty() || name == "." || name == "..")
    return fail(errc::invalid, step, path, "the path names no entry of a directory");
  const unique_fd above{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!above) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, "open", parent);
  }
  return remove_below(above.get(), name, path);
}

} // namespace tank

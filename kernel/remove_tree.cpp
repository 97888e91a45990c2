#include "kernel/remove_tree.hpp"

#include "base/unique_fd.hpp"

#include <cerrno>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

namespace tank::kernel {

namespace {

constexpr int max_depth = 48;
constexpr const char* step = "remove";

struct closes_dir {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};
using dir_stream = std::unique_ptr<DIR, closes_dir>;

/// A subdirectory that is on the same mount (bind mounts of the same filesystem included) and no
/// symlink.
int open_inside(int parent, const char* name) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
  return static_cast<int>(::syscall(SYS_openat2, parent, name, &how, sizeof how));
}

class remover {
 public:
  explicit remover(int root, std::filesystem::path name) : root_(root), name_(std::move(name)) {}

  result<void> run() {
    do {
      moved_ = false;
      TANK_TRY(empty(::fcntl(root_, F_DUPFD_CLOEXEC, 0), name_, 0));
    } while (moved_);
    return {};
  }

 private:
  /// Empties the directory `fd` (taken over). `path` is only for messages.
  result<void> empty(int fd, const std::filesystem::path& path, int depth) {
    const dir_stream dir{fd < 0 ? nullptr : ::fdopendir(fd)};
    if (dir == nullptr) return fail_errno(errno, "read the directory", path);
    ::rewinddir(dir.get()); // the root's descriptor may be read again
    while (const dirent* e = ::readdir(dir.get())) {
      const std::string name = e->d_name;
      if (name == "." || name == "..") continue;
      TANK_TRY(remove(::dirfd(dir.get()), name, path / name, depth));
    }
    return {};
  }

  result<void> remove(int parent, const std::string& name, const std::filesystem::path& path,
                      int depth) {
    if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR) return fail_errno(errno, step, path);
    if (depth >= max_depth) { // up to the root, where it is met again: depth costs no descriptors
      const auto fresh = ".tank-removing-" + std::to_string(moves_++);
      if (::renameat(parent, name.c_str(), root_, fresh.c_str()) != 0)
        return fail_errno(errno, step, path);
      moved_ = true;
      return {};
    }
    const int fd = open_inside(parent, name.c_str());
    if (fd < 0 && errno == EXDEV)
      return fail(errc::conflict, step, path, "it is a mount point", "unmount it first");
    if (fd < 0) return fail_errno(errno, "open", path);
    TANK_TRY(empty(fd, path, depth + 1));
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
      return fail_errno(errno, step, path);
    return {};
  }

  int root_;
  std::filesystem::path name_;
  bool moved_ = false;
  unsigned moves_ = 0;
};

} // namespace

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
  if (::unlinkat(above.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR) return fail_errno(errno, step, path);
  const unique_fd root{open_inside(above.get(), name.c_str())};
  if (!root && errno == EXDEV)
    return fail(errc::conflict, step, path, "it is a mount point", "unmount it first");
  if (!root) return fail_errno(errno, "open", path);
  TANK_TRY(remover{root.get(), path}.run());
  if (::unlinkat(above.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return fail_errno(errno, step, path);
  return {};
}

} // namespace tank::kernel

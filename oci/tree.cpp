#include "oci/tree.hpp"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace tank::oci {

namespace {

/// Deeper directories are moved up before they are removed: recursion and open files stay bounded.
constexpr unsigned max_recursion = 32;

struct dir_closer {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};
using dir_ptr = std::unique_ptr<DIR, dir_closer>;

class remover {
 public:
  explicit remover(int top) : top_(top) {}

  /// Empties `dir`; what lies too deep ends up directly below `top_`.
  result<void> empty(int dir, unsigned depth) {
    for (const auto& name : TANK_TRY(names(dir)))
      TANK_TRY(remove_one(dir, name, depth));
    return {};
  }
  [[nodiscard]] bool moved() noexcept { return std::exchange(moved_, false); }

 private:
  static result<std::vector<std::string>> names(int dir) {
    unique_fd copy{::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!copy) return fail_errno(errno, "open", "directory to remove");
    const dir_ptr stream{::fdopendir(copy.get())};
    if (!stream) return fail_errno(errno, "read", "directory to remove");
    (void)copy.release(); // the stream owns it now
    std::vector<std::string> out;
    for (errno = 0; const dirent* e = ::readdir(stream.get()); errno = 0) {
      const std::string_view name{e->d_name};
      if (name != "." && name != "..") out.emplace_back(name);
    }
    if (errno != 0) return fail_errno(errno, "read", "directory to remove");
    return out;
  }

  result<void> remove_one(int dir, const std::string& name, unsigned depth) {
    if (::unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return {};
    // Only without root: an image may hold directories that their owner cannot write to.
    if (errno == EACCES && ::fchmod(dir, 0700) == 0 &&
        (::unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT))
      return {};
    if (errno != EISDIR && errno != EPERM) return fail_errno(errno, "remove", name);
    if (depth >= max_recursion) {
      const auto up = ".deep-" + std::to_string(serial_++);
      if (::renameat(dir, name.c_str(), top_, up.c_str()) != 0)
        return fail_errno(errno, "move", name);
      moved_ = true;
      return {};
    }
    TANK_TRY(remove_directory(dir, name, depth));
    return {};
  }

  result<void> remove_directory(int dir, const std::string& name, unsigned depth) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    unique_fd child{::openat(dir, name.c_str(), flags)};
    if (!child && errno == EACCES) {
      // Only without root: an image may hold directories that their owner cannot read.
      ::fchmodat(dir, name.c_str(), 0700, 0);
      child.reset(::openat(dir, name.c_str(), flags));
    }
    if (!child) return fail_errno(errno, "open", name);
    TANK_TRY(empty(child.get(), depth + 1));
    if (::unlinkat(dir, name.c_str(), AT_REMOVEDIR) == 0) return {};
    if (errno != EACCES) return fail_errno(errno, "remove", name);
    ::fchmod(dir, 0700);
    if (::unlinkat(dir, name.c_str(), AT_REMOVEDIR) == 0) return {};
    return fail_errno(errno, "remove", name);
  }

  int top_;
  unsigned serial_ = 0;
  bool moved_ = false;
};

} // namespace

result<unique_fd> open_in_root(int root, const std::string& path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags) | O_CLOEXEC;
  how.mode = mode;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const char* text = path.empty() ? "." : path.c_str();
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, root, text, &how, sizeof how);
    if (fd >= 0) return unique_fd{static_cast<int>(fd)};
    // The kernel gives up on "..", when something was renamed meanwhile anywhere on the host.
    if ((errno == EAGAIN || errno == EINTR) && attempt < 128) continue;
    return fail_errno(errno, "open", path);
  }
}

result<void> remove_tree(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM && errno != EACCES)
    return fail_errno(errno, "remove", name);
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  unique_fd top{::openat(parent, name.c_str(), flags)};
  if (!top && errno == EACCES) {
    ::fchmodat(parent, name.c_str(), 0700, 0);
    top.reset(::openat(parent, name.c_str(), flags));
  }
  if (!top) return fail_errno(errno, "open", name);
  ::fchmod(top.get(), 0700);
  remover r{top.get()};
  do {
    TANK_TRY(r.empty(top.get(), 0));
  } while (r.moved());
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0) return fail_errno(errno, "remove", name);
  return {};
}

} // namespace tank::oci

#include "kernel/shim/paths.hpp"

#include <cerrno>
#include <climits>
#include <cstring>
#include <initializer_list>

#include <dirent.h>
#include <sys/stat.h>

namespace tank::kernel::shim {
namespace {

constexpr std::uint64_t in_root = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
constexpr std::uint64_t in_root_no_links = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
constexpr int max_links = 40;
constexpr std::size_t path_room = PATH_MAX;

const char* skip_slashes(const char* p) noexcept {
  while (*p == '/')
    ++p;
  return p;
}

/// /proc, /sys or /dev, or below one of them.
bool is_kernel_path(const char* path) noexcept {
  const char* p = skip_slashes(path);
  for (const char* name : {"proc", "sys", "dev"}) {
    const std::size_t n = std::strlen(name);
    if (std::strncmp(p, name, n) == 0 && (p[n] == '/' || p[n] == '\0')) return true;
  }
  return false;
}

bool is_empty(int dir) noexcept {
  alignas(dirent64) char room[1024];
  for (;;) {
    const ssize_t n = ::getdents64(dir, room, sizeof room);
    if (n <= 0) return n == 0;
    for (ssize_t at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const dirent64*>(room + at);
      const char* name = entry->d_name;
      if (std::strcmp(name, ".") != 0 && std::strcmp(name, "..") != 0) return false;
      at += entry->d_reclen;
    }
  }
}

bool is_alike(const struct stat& a, const struct stat& b) noexcept {
  return a.st_uid == b.st_uid && a.st_gid == b.st_gid && ((a.st_mode ^ b.st_mode) & 07777) == 0;
}

/// Makes a directory with the mode and the owner of `like`, unless there is something already.
/// Before it is opened, somebody may put another directory in its place. That one is left as it is,
/// unless it is just like one that we have made: empty, ours, and closed to all others.
bool make_alike(int parent, const char* name, const struct stat& like) noexcept {
  if (::mkdirat(parent, name, 0700) != 0) return errno == EEXIST;
  const unique_fd it{::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  struct stat st {};
  if (!it || ::fstat(it.get(), &st) != 0) return false;
  if (is_alike(st, like)) return true; // also where a filesystem knows no modes
  if (st.st_uid != ::geteuid() || (st.st_mode & 077) != 0 || !is_empty(it.get())) {
    errno = EBUSY;
    return false;
  }
  // Owner before mode: chown takes the set-ID bits away.
  return ::fchown(it.get(), like.st_uid, like.st_gid) == 0 &&
         ::fchmod(it.get(), like.st_mode & 07777) == 0;
}

/// Walks a path that may be missing in part. `done_` is what was resolved so far: it has neither
/// symlinks nor dots, so that opening it again with RESOLVE_NO_SYMLINKS either gives the same place
/// or fails, when somebody exchanged a component meanwhile.
class walker {
 public:
  /// With `like` all that is made is a directory with its mode and owner.
  walker(int root, bool follow, const struct stat* like = nullptr) noexcept
      : root_(root)
      , follow_(follow)
      , like_(like) {}

  int walk(const char* path, const make_options& make) noexcept {
    if (!append(rest_, sizeof rest_, path)) {
      errno = ENAMETOOLONG;
      return -1;
    }
    for (;;) {
      char name[NAME_MAX + 1];
      if (!next_name(name)) return -1;
      if (name[0] == '\0') break;
      if (!step(name, make)) return -1;
    }
    return open_in(root_, done_[0] == '\0' ? "." : done_, O_PATH, in_root_no_links);
  }

 private:
  static bool refuse(int error) noexcept {
    errno = error;
    return false;
  }

  /// Cuts the next component off `rest_`; empty at the end. "." and ".." are dealt with here.
  bool next_name(char (&name)[NAME_MAX + 1]) noexcept {
    for (;;) {
      const char* p = skip_slashes(rest_);
      const std::size_t n = std::strcspn(p, "/");
      if (n > NAME_MAX) return refuse(ENAMETOOLONG);
      std::memcpy(name, p, n);
      name[n] = '\0';
      std::memmove(rest_, p + n, std::strlen(p + n) + 1);
      if (std::strcmp(name, "..") == 0) {
        char* cut = std::strrchr(done_, '/');
        *(cut == nullptr ? done_ : cut) = '\0'; // at the root, ".." stays there
      } else if (std::strcmp(name, ".") != 0) {
        return true;
      }
    }
  }

  [[nodiscard]] bool is_last() const noexcept { return *skip_slashes(rest_) == '\0'; }

  bool step(const char* name, const make_options& make) noexcept {
    unique_fd parent{
        open_in(root_, done_[0] == '\0' ? "." : done_, O_PATH | O_DIRECTORY, in_root_no_links)};
    if (!parent) return false;
    // A second attempt: somebody may have made it between the look and the making.
    for (int attempt = 0; attempt < 2; ++attempt) {
      const unique_fd it{::openat(parent.get(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC)};
      if (it) return enter_entry(it.get(), name);
      if (errno != ENOENT || make.kind == make_kind::nothing) return false;
      if (!create(parent.get(), name, make)) return false;
    }
    return refuse(ENOENT);
  }

  bool create(int parent, const char* name, const make_options& make) noexcept {
    if (like_ != nullptr) return make_alike(parent, name, *like_);
    const bool last = is_last();
    int rc = 0;
    if (last && make.kind == make_kind::file) {
      rc = ::openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, make.mode);
      if (rc >= 0) ::close(rc);
    } else {
      rc = ::mkdirat(parent, name, last ? make.mode : 0755);
    }
    if (rc >= 0 && last && make.made != nullptr) *make.made = true;
    return rc >= 0 || errno == EEXIST;
  }

  bool enter_entry(int it, const char* name) noexcept {
    struct stat st {};
    if (::fstat(it, &st) != 0) return false;
    if (S_ISLNK(st.st_mode)) return splice_link(it);
    if ((done_[0] != '\0' && !append(done_, sizeof done_, "/")) ||
        !append(done_, sizeof done_, name)) {
      return refuse(ENAMETOOLONG);
    }
    return true;
  }

  /// Puts what the link says in front of the rest.
  bool splice_link(int link) noexcept {
    if (!follow_ || ++links_ > max_links) return refuse(ELOOP);
    char text[path_room];
    const ssize_t n = ::readlinkat(link, "", text, sizeof text - 1);
    if (n <= 0) return refuse(n == 0 ? ELOOP : errno); // magic links of proc read as empty
    text[n] = '\0';
    if (text[0] == '/') done_[0] = '\0';
    if (!append(text, sizeof text, "/") || !append(text, sizeof text, rest_)) {
      return refuse(ENAMETOOLONG);
    }
    std::memcpy(rest_, text, std::strlen(text) + 1);
    return true;
  }

  int root_;
  bool follow_;
  const struct stat* like_;
  int links_ = 0;
  char done_[path_room] = {};
  char rest_[path_room] = {};
};

} // namespace

int open_target(int root, const char* path, const make_options& make) noexcept {
  const bool follow = !is_kernel_path(path);
  const int fd = open_in(root, path, O_PATH, follow ? in_root : in_root_no_links);
  if (fd >= 0 || errno != ENOENT || make.kind == make_kind::nothing) return fd;
  return walker{root, follow}.walk(path, make);
}

int open_in_volume(int root, const char* path, bool make) noexcept {
  const int fd = open_in(root, path, O_PATH, in_root);
  if (fd >= 0 || errno != ENOENT || !make) return fd;
  struct stat like {};
  if (::fstat(root, &like) != 0) return -1;
  return walker{root, true, &like}.walk(path, {.kind = make_kind::directory});
}

int open_parent(int root, const char* path, const char** last) noexcept {
  char parent[path_room] = {};
  const char* slash = std::strrchr(path, '/');
  *last = slash == nullptr ? path : slash + 1;
  if (**last == '\0' || std::strcmp(*last, ".") == 0 || std::strcmp(*last, "..") == 0) {
    errno = EINVAL;
    return -1;
  }
  const std::size_t n = static_cast<std::size_t>(*last - path);
  if (n >= sizeof parent) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(parent, path, n);
  if (n == 0) parent[0] = '/';
  return open_target(root, parent, {.kind = make_kind::directory});
}

} // namespace tank::kernel::shim

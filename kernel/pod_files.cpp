#include "kernel/pod_files.hpp"

#include "base/file.hpp"
#include "base/remove_tree.hpp"
#include "kernel/host_path.hpp"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tank::kernel {

namespace fs = std::filesystem;

/// What is under construction: dotted names are nobody's, since volumes and files of ours have
/// none.
static std::string unfinished(const std::string& name) {
  return "." + name + ".new";
}

static result<unique_fd> open_made(int parent, const std::string& name, const fs::path& path) {
  unique_fd fd{::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd) return fail_errno(errno, "open", path);
  return fd;
}

/// A name that nothing has, or that has something of no worth.
static result<void> clear_name(const host_place& at, const std::string& name) {
  return remove_tree(at.directory.get(), name);
}

// --- upper ---------------------------------------------------------------------------------------

result<void> make_upper(const fs::path& dir, std::uint32_t owner) {
  const auto at = TANK_TRY(open_host_place(dir));
  if (::mkdirat(at.directory.get(), at.name.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno(errno, "make the writable layer", dir);
  const auto fd = TANK_TRY(open_made(at.directory.get(), at.name, dir));
  // "upper" becomes the container's "/", open to each of its users whatever our umask.
  if (::mkdirat(fd.get(), "upper", 0755) != 0 || ::fchmodat(fd.get(), "upper", 0755, 0) != 0)
    return fail_errno(errno, "make", dir / "upper");
  if (owner != 0 && ::fchownat(fd.get(), "upper", owner, owner, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, "chown", dir / "upper");
  if (::mkdirat(fd.get(), "work", 0700) != 0) return fail_errno(errno, "make", dir / "work");
  return {};
}

// --- directories and files -----------------------------------------------------------------------

result<void> make_directory(const fs::path& path, mode_t mode) {
  TANK_TRY(open_host_directory(path, mode));
  return {};
}

/// Whether something is there under the name. It must be a directory.
static result<bool> is_there(const host_place& at, const fs::path& path) {
  struct stat st {};
  if (::fstatat(at.directory.get(), at.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? result<bool>{false} : fail_errno(errno, "look at", path);
  if (!S_ISDIR(st.st_mode)) return fail_errno(ENOTDIR, "use", path);
  return true;
}

result<void> make_empty_dir(const fs::path& path, mode_t mode, std::uint32_t uid,
                            std::uint32_t gid) {
  const auto at = TANK_TRY(open_host_place(path, 0700));
  if (TANK_TRY(is_there(at, path))) return {};
  const int parent = at.directory.get();
  const auto name = unfinished(at.name);
  TANK_TRY(clear_name(at, name));
  if (::mkdirat(parent, name.c_str(), 0700) != 0)
    return fail_errno(errno, "create directory", path);
  const auto fd = TANK_TRY(open_made(parent, name, path));
  // Owner before mode: chown takes the set-ID bits away.
  if ((uid != 0 || gid != 0) && ::fchown(fd.get(), uid, gid) != 0)
    return fail_errno(errno, "chown", path);
  if (::fchmod(fd.get(), mode) != 0) return fail_errno(errno, "chmod", path);
  if (::renameat2(parent, name.c_str(), parent, at.name.c_str(), RENAME_NOREPLACE) == 0) return {};
  // A filesystem without this flag, of which nobody else makes emptyDirs.
  if (errno == EINVAL && ::renameat(parent, name.c_str(), parent, at.name.c_str()) == 0) return {};
  return fail_errno(errno, "create directory", path);
}

result<void> write_pod_file(const fs::path& dir, const std::string& name, std::string_view text,
                            std::uint32_t uid, std::uint32_t gid) {
  const auto path = dir / name;
  const auto at = TANK_TRY(open_host_place(path));
  const int parent = at.directory.get();
  const auto fresh = unfinished(at.name);
  TANK_TRY(clear_name(at, fresh));
  const unique_fd fd{
      ::openat(parent, fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
  if (!fd) return fail_errno(errno, "create file", path);
  TANK_TRY(write_all(fd.get(), text, path));
  if ((uid != 0 || gid != 0) && ::fchown(fd.get(), uid, gid) != 0)
    return fail_errno(errno, "chown", path);
  if (::fchmod(fd.get(), 0644) != 0) return fail_errno(errno, "chmod", path);
  if (::renameat(parent, fresh.c_str(), parent, at.name.c_str()) == 0) return {};
  return fail_errno(errno, "create file", path);
}

// --- the host's ----------------------------------------------------------------------------------

static mode_t format_of(host_path_type type) {
  switch (type) {
  case host_path_type::directory:
    return S_IFDIR;
  case host_path_type::file:
    return S_IFREG;
  case host_path_type::socket:
    return S_IFSOCK;
  case host_path_type::character_device:
    return S_IFCHR;
  case host_path_type::block_device:
    return S_IFBLK;
  case host_path_type::anything:
    break;
  }
  return 0;
}

static std::string name_of(mode_t format) {
  switch (format) {
  case S_IFDIR:
    return "a directory";
  case S_IFREG:
    return "a file";
  case S_IFSOCK:
    return "a socket";
  case S_IFCHR:
    return "a character device";
  case S_IFBLK:
    return "a block device";
  default:
    return "something else";
  }
}

static result<void> create_host_path(const fs::path& path, host_path_type type,
                                     const untrusted_directory& untrusted) {
  const bool is_file = type == host_path_type::file;
  const auto at =
      TANK_TRY(open_host_place(path, is_file ? std::nullopt : std::optional{0755}, untrusted));
  const int parent = at.directory.get();
  const auto* name = at.name.c_str();
  if (!is_file) {
    if (::mkdirat(parent, name, 0755) != 0)
      return errno == EEXIST ? result<void>{} : fail_errno(errno, "make directory", path);
    const auto made = TANK_TRY(open_made(parent, at.name, path));
    if (::fchmod(made.get(), 0755) != 0) return fail_errno(errno, "chmod", path);
    return {};
  }
  // Not followed and not truncated: whatever appears there in between is judged by the check.
  const unique_fd fd{
      ::openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
  if (!fd && errno != EEXIST) return fail_errno(errno, "create file", path);
  if (fd && ::fchmod(fd.get(), 0644) != 0) return fail_errno(errno, "chmod", path);
  return {};
}

result<fs::path> resolve_host_path(const fs::path& path, host_path_type type, bool create,
                                   const untrusted_directory& untrusted) {
  auto found = open_host_path(path, untrusted);
  if (!found && found.error().code == errc::not_found && create) {
    TANK_TRY(create_host_path(path, type, untrusted));
    found = open_host_path(path, untrusted);
  }
  const auto file = TANK_TRY(std::move(found));
  struct stat st {};
  if (::fstat(file.fd.get(), &st) != 0) return fail_errno(errno, "use", path);
  const auto wanted = format_of(type);
  const mode_t is = st.st_mode & S_IFMT;
  if (wanted != 0 && is != wanted)
    return fail(errc::invalid, "use", path, "it is " + name_of(is) + ", not " + name_of(wanted));
  return file.path;
}

} // namespace tank::kernel

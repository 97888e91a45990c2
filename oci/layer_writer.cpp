#include "oci/layer_writer.hpp"

#include "base/remove_tree.hpp"
#include "oci/layer_look.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace tank::oci {

namespace {

failure refused(int sys, const char* what) {
  return fail_errno(sys, what, "entry");
}

std::size_t components(const std::string& path) {
  return path.empty() ? 0 : 1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

} // namespace

layer_writer::layer_writer(int root, const unpack_options& options, unpack_budget& budget)
    : root_(root)
    , options_(options)
    , budget_(budget)
    , uid_(::geteuid())
    , gid_(::getegid()) {
  // What a new file really gets is asked once, by making one, instead of set on each.
  constexpr const char* probe = ".tank-probe";
  const unique_fd fd{
      ::openat(root, probe, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0777)};
  struct stat st {};
  if (!fd) return;
  if (::fstat(fd.get(), &st) == 0) {
    unset_ = 0777 & ~st.st_mode;
    uid_ = st.st_uid;
    gid_ = st.st_gid;
  }
  ::unlinkat(root, probe, 0);
}

result<void> layer_writer::mark_opaque(int directory) {
  const char* key = options_.rootless ? "user.overlay.opaque" : "trusted.overlay.opaque";
  if (::fsetxattr(directory, key, "y", 1, 0) != 0) return refused(errno, "mark opaque");
  return {};
}

/// One missing component on the way to an entry. A whiteout there is replaced: what this archive
/// puts below it is new, and what the lower layers have there stays hidden.
result<void> layer_writer::make_component(int parent, const std::string& name) {
  struct stat st {};
  bool opaque = false;
  if (::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISLNK(st.st_mode))
      return fail(errc::invalid, "enter", name, "a link to nothing in this archive");
    if (!is_whiteout(st)) {
      auto wrong = fail(errc::invalid, "enter", name, "it is not a directory");
      wrong.value().sys = ENOTDIR;
      return wrong;
    }
    if (::unlinkat(parent, name.c_str(), 0) != 0) return refused(errno, "replace");
    opaque = true;
  }
  if (::mkdirat(parent, name.c_str(), 0700) != 0) return refused(errno, "make directory for");
  const unique_fd fd{::openat(parent, name.c_str(), layer_dir_flags)};
  if (!fd || ::fchmod(fd.get(), 0755) != 0) return refused(errno, "make directory for");
  return opaque ? mark_opaque(fd.get()) : remember_place(fd.get(), implied_);
}

result<void> layer_writer::enter(const std::string& directory) {
  if (parent_ && directory == parent_path_) return {};
  auto whole = open_in_root(root_, directory, O_PATH | O_DIRECTORY);
  if (!whole) {
    if (whole.error().sys != ENOENT && whole.error().sys != ENOTDIR)
      return tl::make_unexpected(std::move(whole).error());
    // Each prefix is opened from the root: a link among them may lead anywhere inside.
    auto at = TANK_TRY(open_in_root(root_, "", O_PATH | O_DIRECTORY));
    for (std::size_t end = 0; end < directory.size();) {
      const auto begin = end == 0 ? 0 : end + 1;
      end = std::min(directory.find('/', begin), directory.size());
      const auto prefix = directory.substr(0, end);
      auto next = open_in_root(root_, prefix, O_PATH | O_DIRECTORY);
      if (!next) {
        if (next.error().sys != ENOENT && next.error().sys != ENOTDIR)
          return tl::make_unexpected(std::move(next).error());
        TANK_TRY(make_component(at.get(), directory.substr(begin, end - begin)));
        next = open_in_root(root_, prefix, O_PATH | O_DIRECTORY);
      }
      at = TANK_TRY(std::move(next));
    }
    whole = std::move(at);
  }
  parent_ = *std::move(whole);
  parent_path_ = directory;
  return {};
}

result<void> layer_writer::enter_parent_of(const std::string& path) {
  if (path.empty()) return fail(errc::invalid, "make", "entry", "the root can only be a directory");
  const auto slash = path.rfind('/');
  name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  return enter(slash == std::string::npos ? std::string{} : path.substr(0, slash));
}

result<bool> layer_writer::clear(const std::string& name) {
  struct stat st {};
  if (::fstatat(parent_.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? result<bool>{false} : refused(errno, "replace");
  const unique_fd parent{std::exchange(parent_, {})};
  TANK_TRY(remove_tree(parent.get(), name));
  // What was removed may have been on the way to the remembered parent, through some link.
  return enter(parent_path_).map([&] { return is_whiteout(st); });
}

bool layer_writer::is_ours(const entry_facts& entry) const {
  return options_.rootless || (entry.uid == uid_ && entry.gid == gid_);
}

result<void> layer_writer::set_attributes(int fd, const entry_facts& entry) {
  for (const auto& [key, value] : entry.attributes) {
    if (::fsetxattr(fd, key.c_str(), value.data(), value.size(), 0) == 0) continue;
    if (options_.rootless && errno == EPERM) continue;
    return fail_errno(errno, "set attribute", for_message(key));
  }
  return {};
}

result<void> layer_writer::apply_to_file(int fd, const entry_facts& entry) {
  if (!options_.layer) return {};
  // chown first: it clears the setuid bits and the capability attribute.
  const bool ours = is_ours(entry);
  if (!ours && ::fchown(fd, entry.uid, entry.gid) != 0) return refused(errno, "chown");
  const bool plain = (entry.permissions & (07000 | unset_)) == 0;
  if (!plain && ::fchmod(fd, entry.permissions) != 0) return refused(errno, "chmod");
  return set_attributes(fd, entry);
}

result<void> layer_writer::apply_to_directory(int fd, const entry_facts& entry) {
  if (!options_.rootless && ::fchown(fd, entry.uid, entry.gid) != 0) return refused(errno, "chown");
  if (::fchmod(fd, entry.permissions) != 0) return refused(errno, "chmod");
  TANK_TRY(set_attributes(fd, entry));
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (::futimens(fd, times) != 0) return refused(errno, "set time of");
  return {};
}

result<void> layer_writer::regular(const entry_facts& entry, const filler& fill) {
  TANK_TRY(enter_parent_of(entry.path));
  constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const mode_t mode = options_.layer ? entry.permissions & 0777 : 0600;
  unique_fd fd{::openat(parent_.get(), name_.c_str(), flags, mode)};
  if (!fd && errno == EEXIST) {
    TANK_TRY(clear(name_));
    fd.reset(::openat(parent_.get(), name_.c_str(), flags, mode));
  }
  if (!fd) return refused(errno, "create");
  TANK_TRY(fill(fd.get()));
  TANK_TRY(apply_to_file(fd.get(), entry));
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (::futimens(fd.get(), times) != 0) return refused(errno, "set time of");
  return {};
}

result<void> layer_writer::remember(const entry_facts& entry, ino_t inode) {
  auto size = entry.path.size() + sizeof(directory_facts);
  for (const auto& [key, value] : entry.attributes)
    size += key.size() + value.size() + sizeof(std::pair<std::string, std::string>);
  TANK_TRY(budget_.remember(size, options_.limits));
  directories_[inode] = {entry, components(entry.path)};
  return {};
}

/// By the way it has really: a link of this archive may have led there.
result<void> layer_writer::remember_place(int directory, places& in) {
  const auto way = [](int fd) -> result<std::string> {
    const auto link = "/proc/self/fd/" + std::to_string(fd);
    std::array<char, PATH_MAX> target{};
    const auto n = ::readlink(link.c_str(), target.data(), target.size());
    if (n < 0) return refused(errno, "find the way to");
    return std::string{target.data(), static_cast<std::size_t>(n)};
  };
  struct stat st {};
  if (::fstat(directory, &st) != 0) return refused(errno, "stat");
  if (in.contains(st.st_ino)) return {};
  const auto root = TANK_TRY(way(root_));
  auto path = TANK_TRY(way(directory));
  if (path == root) return {};
  if (!path.starts_with(root + "/")) return {}; // moved by somebody else
  path.erase(0, root.size() + 1);
  TANK_TRY(budget_.remember(path.size() + sizeof(directory_facts), options_.limits));
  in[st.st_ino] = std::move(path);
  return {};
}

std::vector<std::string> layer_writer::still_there(const places& all) const {
  std::vector<std::string> out;
  for (const auto& [inode, path] : all) {
    const auto fd = open_in_root(root_, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    struct stat st {};
    // Later entries may have replaced it, or the way to it.
    if (fd && ::fstat(fd->get(), &st) == 0 && st.st_ino == inode) out.push_back(path);
  }
  std::sort(out.begin(), out.end());
  return out;
}

result<void> layer_writer::directory(const entry_facts& entry) {
  struct stat st {};
  if (entry.path.empty()) {
    if (::fstat(root_, &st) != 0) return refused(errno, "stat");
    named_root_ = true;
    return remember(entry, st.st_ino);
  }
  TANK_TRY(enter_parent_of(entry.path));
  bool opaque = false;
  if (::mkdirat(parent_.get(), name_.c_str(), 0700) != 0) {
    if (errno != EEXIST) return refused(errno, "make directory for");
    if (::fstatat(parent_.get(), name_.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      return refused(errno, "stat");
    if (!S_ISDIR(st.st_mode)) {
      opaque = TANK_TRY(clear(name_));
      if (::mkdirat(parent_.get(), name_.c_str(), 0700) != 0)
        return refused(errno, "make directory for");
    }
  }
  const unique_fd fd{::openat(parent_.get(), name_.c_str(), layer_dir_flags)};
  if (!fd) return refused(errno, "open directory of");
  if (opaque) TANK_TRY(mark_opaque(fd.get()));
  if (::fstat(fd.get(), &st) != 0) return refused(errno, "stat");
  implied_.erase(st.st_ino);
  return remember(entry, st.st_ino);
}

result<void> layer_writer::symlink(const entry_facts& entry, const std::string& target) {
  TANK_TRY(enter_parent_of(entry.path));
  const auto make = [&] { return ::symlinkat(target.c_str(), parent_.get(), name_.c_str()); };
  int made = make();
  if (made != 0 && errno == EEXIST) {
    TANK_TRY(clear(name_));
    made = make();
  }
  if (made != 0) return refused(errno, "make link");
  if (!options_.layer) return {};
  if (!options_.rootless &&
      ::fchownat(parent_.get(), name_.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0)
    return refused(errno, "chown");
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (::utimensat(parent_.get(), name_.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return refused(errno, "set time of");
  return {};
}

result<void> layer_writer::hardlink(const entry_facts& entry, const std::string& target) {
  const auto slash = target.rfind('/');
  const auto from = slash == std::string::npos ? target : target.substr(slash + 1);
  const auto from_directory = TANK_TRY(
      open_in_root(root_, slash == std::string::npos ? std::string{} : target.substr(0, slash),
                   O_PATH | O_DIRECTORY));
  struct stat source {};
  // The link's target is what lies at that name, be it a symbolic link: it is never followed, and
  // its owner and mode stay as its own entry set them.
  if (from.empty() ||
      ::fstatat(from_directory.get(), from.c_str(), &source, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(from.empty() ? EISDIR : errno, "link to", for_message(target));
  if (!S_ISREG(source.st_mode) && !S_ISLNK(source.st_mode) && !S_ISFIFO(source.st_mode))
    return fail(errc::invalid, "link to", for_message(target), "not a file");
  TANK_TRY(enter_parent_of(entry.path));
  const auto link = [&] {
    return ::linkat(from_directory.get(), from.c_str(), parent_.get(), name_.c_str(), 0);
  };
  int made = link();
  if (made != 0 && errno == EEXIST) {
    struct stat there {};
    if (::fstatat(parent_.get(), name_.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        there.st_ino == source.st_ino)
      return {}; // itself, or linked before: clearing the name could lose the only one
    TANK_TRY(clear(name_));
    made = link();
  }
  if (made != 0) return fail_errno(errno, "link to", for_message(target));
  return {};
}

result<unique_fd> layer_writer::open(const std::string& path) const {
  return open_in_root(root_, path, O_PATH | O_NOFOLLOW);
}

result<void> layer_writer::fifo(const entry_facts& entry) {
  TANK_TRY(enter_parent_of(entry.path));
  const auto make = [&] { return ::mkfifoat(parent_.get(), name_.c_str(), 0600); };
  int made = make();
  if (made != 0 && errno == EEXIST) {
    TANK_TRY(clear(name_));
    made = make();
  }
  if (made != 0) return refused(errno, "make fifo");
  if (!options_.layer) return {};
  if (!options_.rootless &&
      ::fchownat(parent_.get(), name_.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0)
    return refused(errno, "chown");
  // fchmodat follows links; this name is the fifo made above, in a directory nobody else has.
  if (::fchmodat(parent_.get(), name_.c_str(), entry.permissions, 0) != 0)
    return refused(errno, "chmod");
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (::utimensat(parent_.get(), name_.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return refused(errno, "set time of");
  return {};
}

result<void> layer_writer::whiteout(const std::string& path) {
  if (auto entered = enter_parent_of(path); !entered) {
    // What was a directory below is a file of this layer now, which hides it all: umoci lists the
    // lost entries nevertheless.
    if (entered.error().sys == ENOTDIR && entered.error().code == errc::invalid) return {};
    return entered;
  }
  struct stat st {};
  if (::fstatat(parent_.get(), name_.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISDIR(st.st_mode)) return {};
    const unique_fd fd{::openat(parent_.get(), name_.c_str(), layer_dir_flags)};
    if (!fd) return refused(errno, "open directory of");
    return mark_opaque(fd.get());
  }
  // The kernel lets everybody make this one device: it is the whiteout itself.
  if (::mknodat(parent_.get(), name_.c_str(), S_IFCHR, makedev(0, 0)) != 0)
    return refused(errno, "make whiteout");
  return remember_place(parent_.get(), marked_);
}

result<void> layer_writer::opaque(const std::string& directory) {
  TANK_TRY(enter(directory));
  const unique_fd fd{::openat(parent_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) return refused(errno, "open directory of");
  return mark_opaque(fd.get());
}

result<layer_writer::findings> layer_writer::finish() {
  parent_.reset();
  if (!options_.layer) return findings{};
  findings out{still_there(implied_), still_there(marked_)};
  if (!named_root_) out.implied.insert(out.implied.begin(), std::string{});
  std::vector<std::pair<ino_t, directory_facts>> all{std::make_move_iterator(directories_.begin()),
                                                     std::make_move_iterator(directories_.end())};
  directories_.clear();
  // Deepest first: without root, a parent's final mode may close the way to its children.
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.second.order > b.second.order; });
  for (const auto& [inode, facts] : all) {
    const auto& path = facts.entry.path;
    const auto fd = open_in_root(root_, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat st {};
    // Later entries may have replaced it or the way to it; then there is nothing to set.
    if (!fd || ::fstat(fd->get(), &st) != 0 || st.st_ino != inode) continue;
    if (auto done = apply_to_directory(fd->get(), facts.entry); !done)
      return wrap(std::move(done).error(), "finish", for_message(path));
  }
  return out;
}

} // namespace tank::oci

#include "base/directory_watch.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tank {

namespace fs = std::filesystem;

static constexpr std::uint32_t self_mask = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
static constexpr std::uint32_t dir_mask = self_mask | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM |
                                          IN_DELETE | IN_CREATE | IN_MODIFY | IN_ATTRIB;
static constexpr std::uint32_t ancestor_mask = self_mask | IN_CREATE | IN_MOVED_TO;

change_kind judge_change(std::uint32_t mask) noexcept {
  if ((mask & IN_Q_OVERFLOW) != 0) return change_kind::lost;
  if ((mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0)
    return change_kind::moved;
  if ((mask & IN_MODIFY) != 0) return change_kind::open;
  if ((mask & IN_CREATE) != 0) return change_kind::partial;
  return change_kind::complete;
}

result<directory_watch> directory_watch::create() {
  unique_fd fd{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  if (!fd)
    return fail_errno(errno, "watch", "files",
                      errno == EMFILE ? "raise fs.inotify.max_user_instances" : "");
  return directory_watch{std::move(fd)};
}

result<void> directory_watch::attach(const std::vector<fs::path>& sources) {
  for (const auto& [wd, what] : dirs_)
    ::inotify_rm_watch(fd_.get(), wd); // gone already: nothing to do
  dirs_.clear();
  for (const auto& source : sources) {
    struct stat st {};
    const bool is_file = ::stat(source.c_str(), &st) == 0 && !S_ISDIR(st.st_mode);
    TANK_TRY(is_file ? watch(source.parent_path(), source.filename()) : watch(source, ""));
  }
  return {};
}

result<bool> directory_watch::try_watch(const fs::path& dir, std::uint32_t mask, watched what) {
  const int wd = ::inotify_add_watch(fd_.get(), dir.c_str(), mask | IN_MASK_ADD);
  if (wd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return fail_errno(errno, "watch", dir,
                      errno == ENOSPC ? "raise fs.inotify.max_user_watches" : "");
  }
  auto& entry = dirs_[wd]; // one directory may be watched for several reasons
  entry.dir = dir;
  entry.is_ancestor = entry.is_ancestor || what.is_ancestor;
  entry.all = entry.all || what.all;
  entry.names.merge(what.names);
  return true;
}

result<void> directory_watch::watch(const fs::path& dir, const std::string& name) {
  const watched wanted{.dir = dir,
                       .all = name.empty(),
                       .names =
                           name.empty() ? std::set<std::string>{} : std::set<std::string>{name}};
  // A directory may appear between the failed watch on it and the watch on its parent: so once the
  // parent is watched, look again.
  constexpr int attempts = 16;
  for (int i = 0; i < attempts; ++i) {
    if (TANK_TRY(try_watch(dir, dir_mask, wanted))) return {};
    auto child = dir;
    auto parent = dir.parent_path();
    while (parent != child &&
           !TANK_TRY(try_watch(
               parent, ancestor_mask,
               {.dir = parent, .is_ancestor = true, .names = {child.filename().string()}}))) {
      child = parent;
      parent = parent.parent_path();
    }
    struct stat st {};
    if (::lstat(child.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return {};
  }
  return {};
}

void directory_watch::take_event(int wd, std::uint32_t mask, const std::string& name,
                                 std::vector<file_change>& out) const {
  const auto kind = judge_change(mask);
  if (kind == change_kind::lost) {
    out.push_back({kind, {}});
    return;
  }
  const auto it = dirs_.find(wd);
  if (it == dirs_.end()) return; // of a watch that attach() has taken away
  const auto& entry = it->second;
  if (kind == change_kind::moved) {
    out.push_back({kind, {}});
    return;
  }
  const bool named = entry.names.contains(name);
  if (entry.is_ancestor && named) out.push_back({change_kind::moved, {}});
  if (name.empty() || (!entry.all && (!named || entry.is_ancestor))) return;
  out.push_back({kind, (entry.dir / name).string()});
}

result<std::vector<file_change>> directory_watch::read() {
  std::vector<file_change> out;
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  for (;;) {
    const auto n = ::read(fd_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return out;
    if (n < 0) return fail_errno(errno, "read", "file events");
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(n);) {
      inotify_event head;
      std::memcpy(&head, buffer.data() + at, sizeof head);
      const char* name = buffer.data() + at + sizeof head;
      take_event(head.wd, head.mask, head.len > 0 ? std::string{name} : std::string{}, out);
      at += sizeof head + head.len;
    }
  }
}

} // namespace tank

#include "base/file.hpp"
#include "base/remove_tree.hpp"
#include "base/unique_fd.hpp"
#include "kernel/host_path.hpp"
#include "kernel/volumes.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <memory>
#include <set>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The layout, of which every step leaves a whole version in view:
//
//     ..3/etc/app.conf          the files of one version
//     ..data     -> ..3         the version that is shown; replaced by rename(2)
//     etc        -> ..data/etc  one link for each first part of a path

namespace tank::kernel {

namespace fs = std::filesystem;

namespace {

constexpr const char* current_link = "..data";
constexpr const char* next_link = "..data_tmp";

struct closes_dir {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};

using listing = std::unique_ptr<DIR, closes_dir>;

/// With a place of its own in the directory.
listing open_listing(int dir) {
  const int fd = ::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* all = fd < 0 ? nullptr : ::fdopendir(fd);
  if (all == nullptr && fd >= 0) ::close(fd);
  return listing{all};
}

std::string_view first_part(std::string_view path) {
  return path.substr(0, path.find('/'));
}

class projector {
 public:
  projector(const fs::path& path, const projection& what) : path_(path), what_(what) {}

  result<void> run() {
    TANK_TRY(open());
    const auto shown = TANK_TRY(read_link(current_link));
    auto version = shown;
    if (shown.empty() || !shows(shown)) {
      version = TANK_TRY(write_version());
      TANK_TRY(show(version));
    }
    return tidy(version); // also what a process that ended in between has left
  }

 private:
  [[nodiscard]] failure failed(const char* step, const std::string& name) const {
    return fail_errno(errno, step, path_ / name);
  }

  result<void> open() {
    auto at = TANK_TRY(open_host_place(path_, 0700));
    const bool made = ::mkdirat(at.directory.get(), at.name.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return failed("create directory", {});
    dir_.reset(::openat(at.directory.get(), at.name.c_str(),
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!dir_) return failed("open", {});
    return own_directory(dir_.get(), {});
  }

  result<void> own_directory(int fd, const std::string& name) const {
    struct stat st {};
    if (::fstat(fd, &st) != 0) return failed("look at", name);
    if ((st.st_uid != what_.uid || st.st_gid != what_.gid) &&
        ::fchown(fd, what_.uid, what_.gid) != 0)
      return failed("chown", name);
    if (::fchmod(fd, what_.directory_mode) != 0) return failed("chmod", name);
    return {};
  }

  /// Empty when there is none.
  [[nodiscard]] result<std::string> read_link(const char* name) const {
    std::array<char, NAME_MAX + 1> text{};
    const auto n = ::readlinkat(dir_.get(), name, text.data(), text.size() - 1);
    if (n >= 0) return std::string{text.data(), static_cast<std::size_t>(n)};
    if (errno == ENOENT) return std::string{};
    return failed("read the link", name);
  }

  // --- is it there already -----------------------------------------------------------------------

  /// The version holds exactly these files. Anything odd says no: then it is written anew.
  [[nodiscard]] bool shows(const std::string& version) const {
    const unique_fd root{
        ::openat(dir_.get(), version.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!root) return false;
    std::size_t there = 0;
    if (!count_files(root.get(), there) || there != what_.files.size()) return false;
    return std::all_of(what_.files.begin(), what_.files.end(),
                       [&](const auto& file) { return holds(root.get(), file); });
  }

  static bool count_files(int dir, std::size_t& count) {
    const auto all = open_listing(dir);
    if (!all) return false;
    while (const auto* entry = ::readdir(all.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (entry->d_type != DT_DIR) {
        ++count;
        continue;
      }
      const unique_fd below{
          ::openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
      if (!below || !count_files(below.get(), count)) return false;
    }
    return true;
  }

  static unique_fd open_below(int root, const char* path) {
    open_how how{};
    how.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    return unique_fd{static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how))};
  }

  static bool holds(int root, const projected_file& file) {
    const auto fd = open_below(root, file.path.c_str());
    struct stat st {};
    if (!fd || ::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode)) return false;
    if ((st.st_mode & 07777) != file.mode || st.st_uid != file.uid || st.st_gid != file.gid ||
        static_cast<std::size_t>(st.st_size) != file.content.size())
      return false;
    const auto text = read_all(fd.get(), file.content.size(), file.path);
    return text && *text == file.content;
  }

  // --- a new version -----------------------------------------------------------------------------

  result<std::string> write_version() const {
    const auto name = TANK_TRY(free_version());
    if (::mkdirat(dir_.get(), name.c_str(), 0700) != 0) return failed("create directory", name);
    const unique_fd root{
        ::openat(dir_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!root) return failed("open", name);
    for (const auto& file : what_.files)
      TANK_TRY(write_file(root.get(), file));
    TANK_TRY(own_directory(root.get(), name));
    return name;
  }

  /// Above all numbers that are there: a reader may have remembered one.
  [[nodiscard]] result<std::string> free_version() const {
    std::uint64_t last = 0;
    for (const auto& name : TANK_TRY(names())) {
      std::uint64_t n = 0;
      if (name.starts_with("..")) std::from_chars(name.data() + 2, name.data() + name.size(), n);
      last = std::max(last, n);
    }
    return ".." + std::to_string(last + 1);
  }

  result<void> write_file(int root, const projected_file& file) const {
    unique_fd parent{::fcntl(root, F_DUPFD_CLOEXEC, 0)};
    std::string_view rest = file.path;
    for (auto slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
      const std::string part{rest.substr(0, slash)};
      rest.remove_prefix(slash + 1);
      if (part.empty()) continue;
      if (::mkdirat(parent.get(), part.c_str(), 0700) != 0 && errno != EEXIST)
        return failed("create directory", file.path);
      parent.reset(
          ::openat(parent.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!parent) return failed("open", file.path);
      TANK_TRY(own_directory(parent.get(), file.path));
    }
    const unique_fd fd{::openat(parent.get(), std::string{rest}.c_str(),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!fd) return failed("create file", file.path);
    TANK_TRY(write_all(fd.get(), file.content, path_ / file.path));
    if ((file.uid != 0 || file.gid != 0) && ::fchown(fd.get(), file.uid, file.gid) != 0)
      return failed("chown", file.path);
    if (::fchmod(fd.get(), file.mode) != 0) return failed("chmod", file.path);
    return {};
  }

  result<void> show(const std::string& version) const {
    if (::unlinkat(dir_.get(), next_link, 0) != 0 && errno != ENOENT)
      return failed("remove", next_link);
    if (::symlinkat(version.c_str(), dir_.get(), next_link) != 0) return failed("link", next_link);
    if (::renameat(dir_.get(), next_link, dir_.get(), current_link) != 0)
      return failed("link", current_link);
    return {};
  }

  // --- links, and what is old --------------------------------------------------------------------

  [[nodiscard]] result<std::vector<std::string>> names() const {
    const auto all = open_listing(dir_.get());
    if (!all) return failed("list", {});
    std::vector<std::string> out;
    while (const auto* entry = ::readdir(all.get()))
      if (std::string name = entry->d_name; name != "." && name != "..")
        out.push_back(std::move(name));
    return out;
  }

  result<void> tidy(const std::string& version) const {
    std::set<std::string> wanted;
    for (const auto& file : what_.files)
      wanted.emplace(first_part(file.path));
    for (const auto& name : wanted) {
      const auto target = std::string{current_link} + "/" + name;
      if (TANK_TRY(read_link(name.c_str())) == target) continue;
      if (::symlinkat(target.c_str(), dir_.get(), name.c_str()) != 0) return failed("link", name);
    }
    for (const auto& name : TANK_TRY(names())) {
      if (wanted.contains(name) || name == current_link || name == version) continue;
      TANK_TRY(tank::remove_tree(dir_.get(), name));
    }
    return {};
  }

  const fs::path& path_;
  const projection& what_;
  unique_fd dir_;
};

} // namespace

result<void> project(const fs::path& dir, const projection& what) {
  return projector{dir, what}.run();
}

} // namespace tank::kernel

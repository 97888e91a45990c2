#include "kernel/host_path.hpp"

#include "base/trusted_path.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <deque>

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tank::kernel {

namespace fs = std::filesystem;

namespace {

constexpr int max_links = 40;

/// What is left of a path, component by component.
class walk {
 public:
  walk(const fs::path& path, std::optional<mode_t> make, const untrusted_directory& untrusted,
       bool any_file = false)
      : path_(path)
      , make_(make)
      , untrusted_(untrusted)
      , any_file_(any_file) {
    push(path);
  }

  result<host_file> run() {
    if (auto whole = open_without_links()) return host_file{std::move(whole), plain()};
    TANK_TRY(go_to_root());
    while (!rest_.empty()) {
      const auto name = std::move(rest_.front());
      rest_.pop_front();
      TANK_TRY(enter(name));
    }
    return host_file{std::move(at_), std::move(where_)};
  }

 private:
  [[nodiscard]] failure failed(int sys) const { return fail_errno(sys, "open", path_); }

  /// Mostly it is there, and no link is on the way: one call.
  [[nodiscard]] unique_fd open_without_links() const {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC | (any_file_ ? 0U : static_cast<unsigned>(O_DIRECTORY));
    how.resolve = RESOLVE_NO_SYMLINKS;
    return unique_fd{
        static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path_.c_str(), &how, sizeof how))};
  }

  /// The path that has no links on it.
  [[nodiscard]] fs::path plain() const {
    const auto path = path_.lexically_normal();
    return path.has_filename() || path == path.root_path() ? path : path.parent_path();
  }

  /// In front of the rest.
  void push(const fs::path& path) {
    auto place = rest_.begin();
    for (const auto& part : path) {
      if (part.empty() || part == "." || part == "/") continue;
      place = std::next(rest_.insert(place, part));
    }
  }

  result<void> go_to_root() {
    at_.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    where_ = "/";
    return at_ ? result<void>{} : failed(errno);
  }

  result<void> enter(const std::string& name) {
    constexpr int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    unique_fd next{::openat(at_.get(), name.c_str(), flags)};
    if (!next && errno == ENOENT && make_) {
      TANK_TRY(make_directory(name));
      next.reset(::openat(at_.get(), name.c_str(), flags));
    }
    if (!next) return failed(errno);
    struct stat st {};
    if (::fstat(next.get(), &st) != 0) return failed(errno);
    if (S_ISLNK(st.st_mode)) return follow(next, st.st_uid, name);
    if (!S_ISDIR(st.st_mode) && !(any_file_ && rest_.empty())) return failed(ENOTDIR);
    at_ = std::move(next);
    where_ = name == ".." ? where_.parent_path() : where_ / name;
    return {};
  }

  /// Whose the links of the directory are: empty when they are the host's.
  [[nodiscard]] std::string foreign_links() const {
    struct stat st {};
    struct statfs fs {};
    if (::fstat(at_.get(), &st) != 0 || ::fstatfs(at_.get(), &fs) != 0)
      return "nobody knows whose it is";
    if (fs.f_type == PROC_SUPER_MAGIC) return "it is procfs";
    return foreign_hands(st, writers::and_group);
  }

  /// Whether pods write to the directory, or to one above it.
  [[nodiscard]] bool is_of_pods() const {
    if (!untrusted_) return false;
    unique_fd at{::openat(at_.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    struct stat st {};
    struct stat above {};
    while (at && ::fstat(at.get(), &st) == 0) {
      if (untrusted_(st)) return true;
      at.reset(::openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
      if (!at || ::fstat(at.get(), &above) != 0) break;
      if (above.st_dev == st.st_dev && above.st_ino == st.st_ino) return false; // the root
    }
    return true;
  }

  result<void> follow(const unique_fd& link, uid_t owner, const std::string& name) {
    const auto refuse = [&](const std::string& why) {
      return fail(errc::denied, "open", path_,
                  "the symbolic link '" + (where_ / name).string() + "' is not followed: " + why,
                  "name where it leads instead");
    };
    if (owner != 0 && owner != ::geteuid())
      return refuse("it belongs to user " + std::to_string(owner));
    if (const auto why = foreign_links(); !why.empty()) return refuse("of its directory, " + why);
    if (is_of_pods()) return refuse("pods write to its directory");
    if (++links_ > max_links) return failed(ELOOP);
    std::array<char, PATH_MAX> text;
    const auto size = ::readlinkat(link.get(), "", text.data(), text.size());
    if (size < 0) return failed(errno);
    const fs::path target{std::string{text.data(), static_cast<std::size_t>(size)}};
    push(target);
    return target.is_absolute() ? go_to_root() : result<void>{};
  }

  result<void> make_directory(const std::string& name) {
    // Somebody else may make it just now.
    if (::mkdirat(at_.get(), name.c_str(), *make_) != 0)
      return errno == EEXIST ? result<void>{} : fail_errno(errno, "make directory", path_);
    const unique_fd made{
        ::openat(at_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!made || ::fchmod(made.get(), *make_) != 0) return fail_errno(errno, "chmod", path_);
    return {};
  }

  const fs::path& path_;
  const std::optional<mode_t> make_;
  const untrusted_directory& untrusted_;
  const bool any_file_; ///< at the end
  std::deque<std::string> rest_;
  unique_fd at_;
  fs::path where_; ///< of at_
  int links_ = 0;
};

result<void> check_form(const fs::path& path) {
  bool plain = path.is_absolute();
  for (const auto& part : path)
    plain = plain && part != "..";
  if (plain) return {};
  return fail(errc::invalid, "open", path, "it is no absolute path without '..'");
}

} // namespace

result<unique_fd> open_host_directory(const fs::path& path, std::optional<mode_t> make) {
  TANK_TRY(check_form(path));
  const untrusted_directory none;
  auto found = TANK_TRY(walk(path, make, none).run());
  return std::move(found.fd);
}

result<host_file> open_host_path(const fs::path& path, const untrusted_directory& untrusted) {
  TANK_TRY(check_form(path));
  return walk{path, std::nullopt, untrusted, true}.run();
}

result<host_place> open_host_place(const fs::path& path, std::optional<mode_t> make,
                                   const untrusted_directory& untrusted) {
  TANK_TRY(check_form(path));
  const auto name = path.filename();
  if (name.empty() || name == "." || name == "/")
    return fail(errc::invalid, "open", path, "it ends in no name");
  const auto parent = path.parent_path();
  auto directory = TANK_TRY(walk(parent, make, untrusted).run());
  return host_place{std::move(directory.fd), name};
}

} // namespace tank::kernel

#include "kernel/host_path.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <deque>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tank::kernel {

namespace fs = std::filesystem;

namespace {

constexpr int max_links = 40;

/// What is left of a path, component by component.
class walk {
 public:
  walk(const fs::path& path, std::optional<mode_t> make) : path_(path), make_(make) { push(path); }

  result<unique_fd> run() {
    if (auto whole = open_without_links()) return whole;
    TANK_TRY(go_to_root());
    while (!rest_.empty()) {
      const auto name = std::move(rest_.front());
      rest_.pop_front();
      TANK_TRY(enter(name));
    }
    return std::move(at_);
  }

 private:
  [[nodiscard]] failure failed(int sys) const { return fail_errno(sys, "open", path_); }

  /// Mostly it is there, and no link is on the way: one call.
  [[nodiscard]] unique_fd open_without_links() const {
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS;
    return unique_fd{
        static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path_.c_str(), &how, sizeof how))};
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
    if (S_ISLNK(st.st_mode)) return follow(next, st.st_uid);
    if (!S_ISDIR(st.st_mode)) return failed(ENOTDIR);
    at_ = std::move(next);
    return {};
  }

  result<void> follow(const unique_fd& link, uid_t owner) {
    if (owner != 0 && owner != ::geteuid())
      return fail(errc::denied, "open", path_, "another user's symbolic link is on the way");
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
  std::deque<std::string> rest_;
  unique_fd at_;
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
  return walk{path, make}.run();
}

result<host_place> open_host_place(const fs::path& path, std::optional<mode_t> make) {
  TANK_TRY(check_form(path));
  const auto name = path.filename();
  if (name.empty() || name == "." || name == "/")
    return fail(errc::invalid, "open", path, "it ends in no name");
  const auto parent = path.parent_path();
  return host_place {
    TANK_TRY(walk(parent, make).run())
    , name
  };
}

} // namespace tank::kernel

#include "base/trusted_path.hpp"

#include "base/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace tank {

namespace fs = std::filesystem;

namespace {

constexpr int max_links = 40; ///< as the kernel

bool is_ours(uid_t id) {
  return id == 0 || id == ::geteuid();
}

/// Walks by descriptor: what is judged is what the next step starts from.
class walk {
 public:
  walk(const fs::path& path, writers allowed) : path_(path), allowed_(allowed) {}

  result<void> run() {
    std::error_code failed;
    const auto whole = fs::absolute(path_, failed);
    if (failed) return fail_errno(failed.value(), "use", path_);
    push(whole);
    TANK_TRY(go_to_root());
    while (!rest_.empty()) {
      const auto name = std::move(rest_.front());
      rest_.pop_front();
      TANK_TRY(judge(at_.get(), where_, writers::and_group, true));
      TANK_TRY(enter(name));
    }
    return judge(at_.get(), where_, allowed_, false);
  }

 private:
  void push(const fs::path& path) {
    auto place = rest_.begin();
    for (const auto& part : path)
      if (!part.empty() && part != "." && part != "/") place = std::next(rest_.insert(place, part));
  }

  result<void> go_to_root() {
    at_.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    where_ = "/";
    return at_ ? result<void>{} : fail_errno(errno, "use", path_);
  }

  result<void> enter(const std::string& name) {
    unique_fd next{::openat(at_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    struct stat st {};
    if (!next || ::fstat(next.get(), &st) != 0) return fail_errno(errno, "use", path_);
    if (S_ISLNK(st.st_mode)) return follow(next, st, where_ / name);
    if (!S_ISDIR(st.st_mode)) return fail_errno(ENOTDIR, "use", path_);
    at_ = std::move(next);
    where_ = name == ".." ? where_.parent_path() : where_ / name;
    return {};
  }

  result<void> follow(const unique_fd& link, const struct stat& st, const fs::path& where) {
    if (!is_ours(st.st_uid))
      return refuse(where, "it is a link of user " + std::to_string(st.st_uid));
    if (++links_ > max_links) return fail_errno(ELOOP, "use", path_);
    std::array<char, PATH_MAX> text;
    const auto size = ::readlinkat(link.get(), "", text.data(), text.size());
    if (size < 0) return fail_errno(errno, "use", path_);
    const fs::path target{std::string{text.data(), static_cast<std::size_t>(size)}};
    push(target);
    return target.is_absolute() ? go_to_root() : result<void>{};
  }

  result<void> judge(int fd, const fs::path& where, writers allowed, bool sticky_will_do) const {
    struct stat st {};
    if (::fstat(fd, &st) != 0) return fail_errno(errno, "use", path_);
    if (sticky_will_do && is_ours(st.st_uid) && (st.st_mode & S_ISVTX) != 0) return {};
    const auto why = foreign_hands(st, allowed);
    return why.empty() ? result<void>{} : refuse(where, why);
  }

  [[nodiscard]] failure refuse(const fs::path& where, const std::string& why) const {
    return fail(errc::denied, "use", path_,
                where.lexically_normal() == path_.lexically_normal()
                    ? why
                    : why + ": '" + where.string() + "'",
                "nobody but root may be able to change it: mend its owner and mode, or choose "
                "another");
  }

  const fs::path& path_;
  const writers allowed_;
  std::deque<std::string> rest_;
  unique_fd at_;
  fs::path where_; ///< of at_
  int links_ = 0;
};

} // namespace

std::string foreign_hands(const struct stat& st, writers allowed) {
  if (!is_ours(st.st_uid)) return "it belongs to user " + std::to_string(st.st_uid);
  if ((st.st_mode & S_IWOTH) != 0) return "everybody may write to it";
  const bool own_group = st.st_gid == 0 || st.st_gid == ::getegid();
  if (allowed == writers::owner && (st.st_mode & S_IWGRP) != 0 && !own_group)
    return "group " + std::to_string(st.st_gid) + " may write to it";
  return {};
}

result<void> check_trusted_directory(const fs::path& path, writers allowed) {
  return walk{path, allowed}.run();
}

} // namespace tank

#include "oci/survey.hpp"

#include "oci/tree.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <vector>

namespace tank::oci {

namespace {

/// FNV-1a: against accidents, not against an adversary, who could write the record too.
class mixer {
 public:
  void add(std::string_view text) noexcept {
    for (const unsigned char c : text)
      hash_ = (hash_ ^ c) * 0x100000001b3;
    add(text.size());
  }
  void add(std::uint64_t value) noexcept {
    for (int i = 0; i < 8; ++i, value >>= 8)
      hash_ = (hash_ ^ (value & 0xff)) * 0x100000001b3;
  }
  /// Mixed once more, so that a sum of many keeps every bit of each.
  [[nodiscard]] std::uint64_t value() const noexcept {
    auto h = hash_;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53;
    return h ^ (h >> 33);
  }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

class walker {
 public:
  explicit walker(int root) : root_(root) {}

  result<tree_survey> run() {
    struct stat st {};
    if (::fstat(root_, &st) != 0) return fail_errno(errno, "stat", "layer");
    mix_facts("", st);
    todo_.emplace_back();
    while (!todo_.empty()) {
      const auto path = std::move(todo_.back());
      todo_.pop_back();
      TANK_TRY(directory(path));
    }
    std::array<char, 17> text{};
    std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(sum_));
    out_.fingerprint = text.data();
    return out_;
  }

 private:
  result<void> directory(const std::string& path) {
    auto fd = TANK_TRY(open_in_root(root_, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    char mark = 0;
    for (const char* key : {"trusted.overlay.opaque", "user.overlay.opaque"})
      if (::fgetxattr(fd.get(), key, &mark, 1) == 1 && mark == 'y') {
        mixer m;
        m.add(path);
        m.add("opaque");
        sum_ += m.value();
      }
    const dir_stream dir{::fdopendir(fd.get())};
    if (!dir) return fail_errno(errno, "read", path);
    (void)fd.release(); // the stream has it now
    for (errno = 0; const dirent* e = ::readdir(dir.get()); errno = 0) {
      const std::string_view name{e->d_name};
      if (name == "." || name == "..") continue;
      struct stat st {};
      if (::fstatat(::dirfd(dir.get()), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(errno, "stat", e->d_name);
      auto below = path.empty() ? std::string{name} : path + "/" + std::string{name};
      ++out_.entries;
      if (S_ISREG(st.st_mode)) out_.bytes += static_cast<std::uint64_t>(st.st_size);
      mix_facts(below, st);
      if (S_ISLNK(st.st_mode)) TANK_TRY(mix_target(::dirfd(dir.get()), e->d_name));
      if (S_ISDIR(st.st_mode)) todo_.push_back(std::move(below));
    }
    if (errno != 0) return fail_errno(errno, "read", path);
    return {};
  }

  void mix_facts(std::string_view path, const struct stat& st) noexcept {
    mixer m;
    m.add(path);
    m.add(st.st_mode);
    m.add((std::uint64_t{st.st_uid} << 32) | st.st_gid);
    m.add(static_cast<std::uint64_t>(st.st_mtim.tv_sec));
    m.add(static_cast<std::uint64_t>(st.st_mtim.tv_nsec));
    if (!S_ISDIR(st.st_mode)) { // of a directory they are the filesystem's own affair
      m.add(static_cast<std::uint64_t>(st.st_size));
      m.add(st.st_nlink);
    }
    sum_ += m.value();
  }

  result<void> mix_target(int parent, const char* name) {
    std::array<char, PATH_MAX> target{};
    const auto n = ::readlinkat(parent, name, target.data(), target.size());
    if (n < 0) return fail_errno(errno, "read link", name);
    mixer m;
    m.add({target.data(), static_cast<std::size_t>(n)});
    m.add(name);
    sum_ += m.value();
    return {};
  }

  int root_;
  tree_survey out_;
  std::uint64_t sum_ = 0;
  std::vector<std::string> todo_;
};

} // namespace

result<tree_survey> survey_tree(int root) {
  return walker{root}.run();
}

} // namespace tank::oci

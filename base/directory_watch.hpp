/// inotify on a few directories, also on ones that do not exist yet.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace tank {

/// What one event means for a reader of the files.
enum class change_kind : std::uint8_t {
  complete, ///< written and closed, moved in or out, removed: look at once
  partial,  ///< just created: wait until it is quiet
  open,     ///< being written by a program that has it open: `complete` comes when it closes it
  moved,    ///< the directories themselves changed: attach() anew, then look
  lost,     ///< the kernel dropped events: look at everything
};

struct file_change {
  change_kind kind = change_kind::complete;
  std::string path; ///< empty for moved and lost
  bool operator==(const file_change&) const = default;
};

/// Meaning of an inotify mask.
change_kind judge_change(std::uint32_t mask) noexcept;

/// Move-only; not thread-safe. Nothing here blocks.
class directory_watch {
 public:
  static result<directory_watch> create();

  /// Readable when `read` has something.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  /// Watches these directories and files from now on, and no others. Of what does not exist, the
  /// nearest ancestor is watched until it appears (a `moved` change then asks to attach anew).
  result<void> attach(const std::vector<std::filesystem::path>& sources);

  /// All that has happened since; empty when nothing has.
  result<std::vector<file_change>> read();

 private:
  struct watched {
    std::filesystem::path dir;
    bool is_ancestor = false;
    bool all = false;            ///< every name counts
    std::set<std::string> names; ///< else these
  };

  explicit directory_watch(unique_fd fd) : fd_(std::move(fd)) {}
  result<void> watch(const std::filesystem::path& dir, const std::string& name);
  result<bool> try_watch(const std::filesystem::path& dir, std::uint32_t mask, watched what);
  void take_event(int wd, std::uint32_t mask, const std::string& name,
                  std::vector<file_change>& out) const;

  unique_fd fd_;
  std::map<int, watched> dirs_; ///< by watch descriptor
};

} // namespace tank

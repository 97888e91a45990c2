/// Writes the entries of one archive below a directory, by descriptor. Private to unpack.
#pragma once

#include "oci/tree.hpp"
#include "oci/unpack.hpp"

#include <ctime>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <sys/types.h>

namespace tank::oci {

/// What an entry says about itself. `path` is clean (clean_entry_name).
struct entry_facts {
  std::string path;
  mode_t permissions = 0; ///< 07777
  uid_t uid = 0;
  gid_t gid = 0;
  timespec mtime{};
  std::uint64_t size = 0;
  std::vector<std::pair<std::string, std::string>> attributes; ///< already filtered
};

class layer_writer {
 public:
  /// All are borrowed.
  layer_writer(int root, const unpack_options& options, unpack_budget& budget);

  using filler = std::function<result<void>(int fd)>;
  result<void> regular(const entry_facts& entry, const filler& fill);
  result<void> directory(const entry_facts& entry);
  result<void> symlink(const entry_facts& entry, const std::string& target);
  /// `target` is a clean path of this archive. errc::not_found, with nothing done, when it is not
  /// here; also fails when it is a directory.
  result<void> hardlink(const entry_facts& entry, const std::string& target);
  /// What lies at that name, O_PATH; no link is followed at the end.
  [[nodiscard]] result<unique_fd> open(const std::string& path) const;
  result<void> fifo(const entry_facts& entry);
  /// Hides `path` of the layers below. An entry of this archive of that name stays (image-spec:
  /// whiteouts apply to lower layers only), and if it is a directory hides those below as a whole.
  result<void> whiteout(const std::string& path);
  result<void> opaque(const std::string& directory);
  /// Times and modes of directories, which writing into them would have changed. Call once, last.
  struct findings {
    /// Directories that had to be made and were never named; those that replace a removed one are
    /// new, and not among them.
    std::vector<std::string> implied;
    std::vector<std::string> marked; ///< directories that hold whiteouts
  };
  /// Sorted.
  result<findings> finish();

 private:
  struct directory_facts {
    entry_facts entry;
    std::size_t order = 0; ///< components: children before parents
  };

  result<void> enter_parent_of(const std::string& path);
  result<void> enter(const std::string& directory);
  result<void> make_component(int parent, const std::string& name);
  result<bool> clear(const std::string& name); ///< true when a whiteout lay there
  result<void> mark_opaque(int directory);
  result<void> apply_to_file(int fd, const entry_facts& entry);
  result<void> apply_to_directory(int fd, const entry_facts& entry);
  result<void> set_attributes(int fd, const entry_facts& entry);
  [[nodiscard]] bool is_ours(const entry_facts& entry) const;
  result<void> remember(const entry_facts& entry, ino_t inode);
  using places = std::unordered_map<ino_t, std::string>;
  result<void> remember_place(int directory, places& in);
  [[nodiscard]] std::vector<std::string> still_there(const places& all) const;

  int root_;
  const unpack_options& options_;
  unpack_budget& budget_;
  uid_t uid_; ///< what new files get without a chown
  gid_t gid_;
  mode_t unset_ = 0777; ///< permissions that creating a file may not give (umask, default ACL)
  unique_fd parent_;    ///< O_PATH of `parent_path_`: most entries share it with the one before
  std::string parent_path_;
  std::string name_; ///< last component of the entry at hand
  std::unordered_map<ino_t, directory_facts> directories_;
  places implied_;
  places marked_;
  bool named_root_ = false;
};

} // namespace tank::oci

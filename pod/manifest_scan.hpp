/// One look at the files of a watch directory: lists, reads and judges what has changed. Blocking:
/// runs in a worker.
#pragma once

#include "base/error.hpp"
#include "pod/manifest_set.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tank {

/// What a file looked like when it was last read; equal marks mean an unchanged file.
struct file_mark {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  bool settled = true; ///< false: changed so recently that another write might not show
  bool operator==(const file_mark&) const = default;
};
using file_marks = std::map<std::string, file_mark>;

struct scan_request {
  /// Directories (their *.yaml, *.yml, *.json are read) and files (read whatever their name).
  /// Absolute. What does not exist holds no pods.
  std::vector<std::filesystem::path> sources;
  std::shared_ptr<const file_marks> known; ///< marks of the last scan
  /// Files that others than root and we own, or may write, are refused: whose manifest it is, that
  /// one is root here.
  bool owned = false;
  /// Known files that may be gone. Any other that is missing stays as it was: whoever saves a file
  /// may move the old one away before the new one is there.
  std::set<std::string> gone;
  std::set<std::string> writing; ///< paths being written just now: left as they were
  std::function<parsed_file(const std::string& file, std::string_view text)> judge;
};

struct scan_result {
  std::vector<scanned_file> files;
  std::set<std::string> missing; ///< of `files`: those that stay as they were, but are not there
  std::shared_ptr<const file_marks> marks;
  std::optional<error> why; ///< the listing failed: nothing is known, nothing may be concluded
};

scan_result scan_manifests(const scan_request& request);

} // namespace tank

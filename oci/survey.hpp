/// What a layer's directory looks like, to tell later whether it still does.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <string>

namespace tank::oci {

struct tree_survey {
  std::uint64_t entries = 0; ///< without the root
  std::uint64_t bytes = 0;   ///< of regular files, each hard link counted
  /// 16 hex digits over every entry's path, type, mode, owner, size, link count, modification
  /// time, link target and overlay's opaque mark. Finds what was lost, added or changed; not
  /// contents changed in secret (bit rot below unchanged metadata), nor attributes of files.
  std::string fingerprint;
  bool operator==(const tree_survey&) const = default;
};

/// Walks the tree below the directory `root` (borrowed), following nothing. Blocking; reads
/// metadata only.
result<tree_survey> survey_tree(int root);

} // namespace tank::oci

/// What the manifest watcher is asked and answers.
#pragma once

#include "actors/caf_compat.hpp"
#include "pod/model.hpp"

#include <vector>

namespace tank {

/// -> file_list: what became of each file, in order of names.
struct get_files {
  bool operator==(const get_files&) const = default;
};
struct file_list {
  std::vector<file_status> files;
};
/// Reads everything anew -> file_list, after the scan.
struct rescan_files {
  bool operator==(const rescan_files&) const = default;
};

TANK_INSPECT(file_status, file, pods, documents, errors, warnings, last_good_kept)

} // namespace tank

#define TANK_MANIFEST_MESSAGES(M, O, b)                                                            \
  M(b, get_files)                                                                                  \
  O(b, file_list)                                                                                  \
  M(b, rescan_files)
TANK_ROLE_MESSAGES(tank_manifests, ::tank::compat::roles::manifests, TANK_MANIFEST_MESSAGES);

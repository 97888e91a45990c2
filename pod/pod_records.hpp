/// The records of all pods on disk: <run_dir>/records/<uid>.json, one file for each pod.
///
/// The reconciler keeps what it has decided, the runtimes add how far their runs have come; each
/// before they act on it. A file is replaced by rename: whoever reads it sees the old or the new
/// one. Nothing is synced to a disk: records need to outlive the daemon, not the kernel.
#pragma once

#include "base/paths.hpp"
#include "pod/pod_record.hpp"

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace tank {

/// Thread-safe. A call costs a few syscalls on a tmpfs when something has changed, nothing else
/// does; a failed one says what is not kept, and changes nothing that is there. Notes about a run
/// that is not the pod's present one are ignored.
class pod_records {
 public:
  /// `boot` is the running kernel's (boot_id); `known` is what was restored from these files.
  pod_records(directories dirs, std::string boot, const std::vector<pod_record>& known = {});

  /// The reconciler's part; `run.number` says which run it is about, the rest of `run` is the
  /// runtime's.
  result<void> keep(pod_record record);
  result<void> forget(const std::string& key);

  /// The runtime's part: how far the run `run.number` has come, kept before the runtime acts on it.
  result<void> keep_run(const std::string& key, const run_record& run);

  /// How far this run has come; a fresh one when nothing is known of it.
  [[nodiscard]] run_record run(const std::string& key, std::uint64_t number) const;

 private:
  result<void> write(const pod_record& record) const;
  result<void> remove(const std::string& uid) const;

  const directories dirs_;
  const std::string boot_;
  mutable std::mutex mutex_; ///< guards what follows, and the files
  struct entry {
    pod_record record;
    bool written = false; ///< the file says the same
  };
  std::map<std::string, entry> entries_; ///< by key
};

/// What is found in a run directory, and in the storage that goes with it.
struct leftovers {
  std::vector<pod_record> records;
  std::set<std::string> record_files; ///< names of all files there, readable or not
  std::set<std::string> runs;         ///< uids with a run directory
  std::set<std::string> storages;     ///< names below the pods' storage
  std::set<std::string> volumes;      ///< uids with volumes in memory
  std::set<std::string> cgroups;      ///< names of this instance's cgroups, in any hierarchy
  std::vector<error> troubles;        ///< files that could not be read, and why
};
/// The names of the pods' cgroups that an instance with these directories has. Blocking.
std::set<std::string> pod_cgroups_in(const directories& dirs);
/// Blocking.
leftovers find_leftovers(const directories& dirs, std::string_view boot);

/// What a new daemon does with that. What is no longer desired, or other now, is among `restore`:
/// the reconciler's first pass stops or replaces it.
struct adoption_plan {
  std::vector<pod_record> restore;        ///< by key; tracked as if nothing had happened
  std::vector<std::string> end_runs;      ///< uids: the shim ended, when there is one; removed
  std::vector<std::string> drop_cgroups;  ///< nobody's: removed, with what runs in them
  std::vector<std::string> drop_storages; ///< nobody's: removed
  std::vector<std::string> drop_volumes;  ///< in memory, nobody's: unmounted
  std::vector<std::string> drop_records;  ///< files nobody can use: removed
};
/// Pure. A run directory belongs to a record whose run is under way, storage to any record; two
/// records of one pod are a change of content that was caught in the middle: the later run counts.
adoption_plan plan_adoption(const leftovers& found);

/// The kernel's name for this boot.
result<std::string> boot_id();

} // namespace tank

/// Which pod's user namespace has which of the host's ids: 65536 for each, never the same for two.
///
/// <state_dir>/ids.json says who has what, over restarts of the daemon and for all instances that
/// share the state directory. It is replaced under the lock of <state_dir>/ids.lock, and before a
/// range is used. A pod keeps its range as long as it exists: its emptyDirs hold files of these
/// ids.
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"
#include "kernel/launch_plan.hpp"

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tank {

inline constexpr std::uint32_t ids_of_a_pod = 65536;

/// What ranges are taken from. The default is the largest part of the 31-bit ids that no
/// distribution's tool hands out: above the users, subordinate ids and containers of login.defs and
/// systemd, below the latter's foreign ids.
struct id_pool {
  std::uint32_t first = 0x7000'0000;
  std::uint32_t count = 4094; ///< of ranges
  bool operator==(const id_pool&) const = default;
};

/// A range that is taken, and by which pod of which instance.
struct id_lease {
  std::uint32_t first = 0;
  std::filesystem::path run_dir; ///< the instance
  std::string uid;               ///< the pod
  std::filesystem::path storage; ///< where its files of these ids are
  bool operator==(const id_lease&) const = default;
};

/// The lowest range of the pool that overlaps none of `taken`; errc::limit when there is none.
/// Pure.
result<std::uint32_t> choose_ids(const std::vector<id_lease>& taken, const id_pool& pool);

std::string encode_leases(const std::vector<id_lease>& leases);
/// errc::corrupt, also when two of them overlap: then nobody knows who is right.
result<std::vector<id_lease>> decode_leases(std::string_view text);

/// The pool of user `name` of /etc/subuid and /etc/subgid, which must agree; nullopt when neither
/// knows it. Pure.
result<std::optional<id_pool>> subordinate_ids(std::string_view subuid, std::string_view subgid,
                                               std::string_view name);

/// What the operator has set aside for user `tank`, or the default. Not that of user `containers`:
/// podman hands those out, and knows nothing of us. Blocking.
result<id_pool> host_id_pool();

/// The ranges of one instance's pods. Thread-safe. Blocking: a call reads and writes the file.
class id_ranges {
 public:
  id_ranges(directories dirs, id_pool pool) : dirs_{std::move(dirs)}, pool_{pool} {}

  /// The pod's range, as it had it before or a new one. When none is left, those of pods that are
  /// gone with their instances are taken back.
  result<kernel::user_range> acquire(const std::string& uid);
  /// The pod and everything of it is gone. One that has none is success.
  result<void> release(const std::string& uid);
  /// Of this instance's pods only these are left.
  result<void> keep_only(const std::set<std::string>& uids);

 private:
  template <class Change>
  result<void> change(Change apply);

  const directories dirs_;
  const id_pool pool_;
  std::mutex mutex_; ///< the file's lock is one between processes
};

} // namespace tank

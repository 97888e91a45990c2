/// Managed volumes: what persistentVolumeClaims of pods get. One directory of the host for each
/// claim of a namespace, made when the first pod uses it, kept until somebody removes it.
///
/// A pod that uses volumes says so in a file of its own directory (`claims_in_use`), and is believed
/// as long as that directory is there. Who writes one, and who removes a volume, hold the lock of
/// the volumes meanwhile. Everything here blocks.
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"
#include "kernel/pod_files.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tank {

/// "namespace/claim", as the CLI has it too.
struct volume_name {
  std::string ns;
  std::string claim;
  auto operator<=>(const volume_name&) const = default;
};
std::string to_string(const volume_name& name);

/// What a pod wants to mount of it.
struct managed_volume {
  volume_name name;
  std::uint32_t mode = 0777; ///< of a new one
  std::uint32_t gid = 0;     ///< the same; files hold the ids of pods without a user namespace
  bool operator==(const managed_volume&) const = default;
};

/// Makes those that are missing, and notes that the pod `uid` uses them.
result<void> use_volumes(const directories& dirs, const std::string& uid,
                         const std::vector<managed_volume>& wanted, kernel::pod_files& files);

struct volume_row {
  volume_name name;
  std::filesystem::path directory; ///< what pods see
  std::int64_t created_ns = 0;     ///< CLOCK_REALTIME; 0: the filesystem does not say
  std::vector<std::string> users;  ///< pods: their uids
  bool operator==(const volume_row&) const = default;
};
/// In order of names.
result<std::vector<volume_row>> list_volumes(const directories& dirs);

/// errc::not_found, errc::conflict for one in use.
result<void> remove_volume(const directories& dirs, const volume_name& name);

} // namespace tank

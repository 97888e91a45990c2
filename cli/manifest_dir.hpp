/// `tank apply` and `tank delete`: changes of the watch directory, the one source of desired state.
///
/// The rules:
///   * A pod that is applied gets a file of its own: `<name>.yaml`, or `<namespace>.<name>.yaml`
///     outside of the namespace default; ConfigMaps, Secrets and claims the same with "configmap.",
///     "secret." or "pvc." before it. The text of a manifest with one object is kept as given;
///     several of one manifest are split, each written in normalised form. Only we can read the
///     file of a Secret.
///   * A file that holds the pod already is the one that is replaced, whatever its name; unless it
///     holds further pods: then it is somebody's own file and stays untouched, with an error.
///   * Content decides: equal content leaves the file alone ("unchanged").
///   * Only files whose objects are all to be deleted are deleted.
///
/// Files are replaced atomically. Blocking; no daemon is asked.
#pragma once

#include "base/error.hpp"
#include "config/manifest.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank::cli {

/// One file of the watch directory, as far as it can be read.
struct held_file {
  std::filesystem::path path;
  std::vector<std::string> keys;   ///< "namespace/name" of pods, "secret/namespace/name" of others
  std::vector<std::string> hashes; ///< of their content, in the order of `keys`
};

/// A key as messages have it: "pod/web", "pod/ns/web", "secret/db".
std::string spoken(const std::string& key);

/// The keys of all objects of a manifest.
std::vector<std::string> keys_of(const config::manifest& parsed);

/// Every *.yaml, *.yml, *.json that is no dotfile, in order of names. A missing directory is empty.
result<std::vector<std::filesystem::path>> manifest_files(const std::filesystem::path& dir);

/// What those hold. A file that cannot be parsed
/// has no keys.
result<std::vector<held_file>> list_manifests(const std::filesystem::path& dir);

enum class applied : std::uint8_t { created, updated, unchanged };
struct apply_outcome {
  std::string key;
  applied what = applied::created;
  std::filesystem::path file;
};

/// `parsed` is `text`, valid. All or nothing as far as it can be known before the first write.
result<std::vector<apply_outcome>> apply_manifest(const std::filesystem::path& dir,
                                                  std::string_view text,
                                                  const config::manifest& parsed);

/// A file of the watch directory that is wrong now, and by whose last good version a pod runs.
using kept_by = std::function<std::optional<held_file>(const std::string& key)>;

struct delete_outcome {
  std::string key;
  /// It stays: errc::not_found, errc::conflict (its file holds others), or what kept its file from
  /// going.
  std::optional<error> why;
  std::filesystem::path broken; ///< the file that was removed, when it could not be read
};
/// Removes the files that hold `keys`, those of each key for itself: the others go whatever becomes
/// of one. `kept` is asked about keys that no file holds.
result<std::vector<delete_outcome>> delete_manifests(const std::filesystem::path& dir,
                                                     const std::vector<std::string>& keys,
                                                     const kept_by& kept);

} // namespace tank::cli

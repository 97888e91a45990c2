/// From files as a scan found them to the desired state. Pure: no files, no CAF, no clock.
///
/// The rules:
///  * A file counts as a whole: while its newest version has an error (syntax, a field that is
///    wrong or not supported yet), the last good version of that file stays in force, and the
///    file's status says so. So a half-written or malformed edit never stops a pod.
///  * A file that is gone takes its pods with it. Identity is content: a touch, a rename or an
///    identical rewrite changes nothing. One that is missing only now gives way to any other file
///    that has its pods.
///  * A pod name (or metadata.uid) in two files is an error on both, each naming the other. The one
///    that is already desired stays; when neither is, the first file in order of names wins. The
///    same holds for ConfigMaps, Secrets and claims.
///  * What is final in a document (the data of an immutable one, the type of a Secret) cannot be
///    edited: a file that tries keeps its last good version, and says so.
#pragma once

#include "pod/documents.hpp"
#include "pod/model.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank {

/// One Pod of a file, judged.
struct parsed_pod {
  std::string key; ///< namespace/name
  desired_pod desired;
};

/// One version of a file.
struct parsed_file {
  std::vector<parsed_pod> pods; ///< empty when there are errors, as are the documents
  std::vector<parsed_document> documents{};
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

/// Largest manifest that is read, in bytes (as kubelet).
inline constexpr std::size_t max_manifest_bytes = 10u << 20;

/// Parses and judges the text of `file`. CPU-bound: run it in a worker.
parsed_file judge_manifest(const std::string& file, std::string_view text);

/// A file that could not be read.
parsed_file unreadable_manifest(const std::string& file, const error& why);

/// True for the names that are read from a watch directory: *.yaml, *.yml, *.json, no dotfiles.
bool is_manifest_name(std::string_view name);

/// How an explicit removal is told from a file that an editor moves away for a moment: the file is
/// renamed to this hidden name in its directory, then deleted.
std::string removal_mark(std::string_view file_name);

/// The name of the file whose removal `name` marks; nothing when it marks none.
std::optional<std::string> removed_by(std::string_view name);

/// A uid made from a hash of a pod (hex), in the shape of a UUID (version 8: derived).
std::string derive_uid(std::string_view hash);

/// True when `uid` may name directories: [A-Za-z0-9.-], 1 to 64 of them, not starting with '.'.
bool is_safe_uid(std::string_view uid);

struct scanned_file {
  std::string path;
  std::shared_ptr<const parsed_file> parsed; ///< null: as it was in the last scan
  bool missing = false;                      ///< it is not there, and may come back
};

class manifest_set {
 public:
  struct change {
    bool desired = false; ///< another set of pods or documents, or another content of one
    bool files = false;   ///< another status of a file
  };

  /// Takes a complete listing, in any order.
  change apply(std::vector<scanned_file> files);

  [[nodiscard]] desired_state desired() const { return {desired_, documents_}; }
  [[nodiscard]] const std::vector<file_status>& files() const noexcept { return status_; }

 private:
  struct entry {
    std::shared_ptr<const parsed_file> newest;
    std::shared_ptr<const parsed_file> good; ///< null: never was
    std::vector<std::string> refused;        ///< of the newest: what it may not change
    bool missing = false;
  };
  using pods_by_key = std::map<std::string, desired_pod>;

  [[nodiscard]] std::vector<file_status> base_status() const;
  [[nodiscard]] std::vector<std::string> final_edits(const std::string& path,
                                                     const parsed_file& newest) const;
  void settle(pods_by_key& pods, std::vector<file_status>& status) const;
  void settle(documents& all, std::vector<file_status>& status) const;

  std::map<std::string, entry> entries_;
  std::shared_ptr<const pods_by_key> desired_ = std::make_shared<const pods_by_key>();
  std::shared_ptr<const documents> documents_ = std::make_shared<const documents>();
  std::vector<file_status> status_;
};

} // namespace tank

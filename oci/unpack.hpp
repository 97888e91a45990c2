/// From a tar stream to a directory that overlayfs can take as a lower layer.
///
/// The archive is hostile: every name is resolved by the kernel inside the target (openat2
/// RESOLVE_IN_ROOT), last components are never followed, nothing is created through a path that was
/// checked before (SECURITY.md class 7). Decisions:
///  * names with `..`, names that are too long or too deep, `.wh.`, `.wh..`, `.wh...` are refused;
///    a leading "/" is dropped; parents that are links are followed, but only inside the target;
///    a parent that is a link to nothing in this archive is refused;
///  * a hard link to what is not in this archive is an error, but see `borrows`;
///  * within one archive the later entry wins;
///  * device nodes are not made: old base images carry a /dev full of them, so refusing would cost
///    those images, and a container gets its own /dev. Hard links to them go the same way;
///  * of extended attributes only `user.*` (without `user.overlay.*`) and `security.capability`
///    are taken: the `overlay` ones would redirect the layer;
///  * parents without an entry of their own are made 0755, owned by us, and reported: where a layer
///    below has them, they are to look as there (layer_stack.hpp);
///  * directories get owner, mode, attributes and times at the end. Until then they are ours, 0700,
///    without set-group-id, so that files need no chown or chmod to be root's and 0644: most are.
#pragma once

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/limits.hpp"
#include "oci/stream.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tank::oci {

/// What several archives may cost together, unpacked by several threads.
class unpack_budget {
 public:
  /// errc::limit, of that step and object, when it is too much.
  result<void> add(std::uint64_t entries, std::uint64_t bytes, const unpack_limits& limits,
                   std::string_view step, std::string_view object);
  /// Memory for names and modes that is kept while unpacking; errc::limit when it is too much.
  result<void> remember(std::uint64_t bytes, const unpack_limits& limits);

  expansion_budget expansion; ///< of their compressed streams

 private:
  std::atomic<std::uint64_t> entries_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> metadata_{0};
};

/// A hard link whose target the archive does not hold.
struct borrowed_link {
  std::string path;
  std::string target; ///< clean
  bool operator==(const borrowed_link&) const = default;
};

struct unpack_options {
  unpack_limits limits;
  /// As an ordinary user: files stay ours, overlay marks are `user.overlay.*` (mount userxattr).
  bool rootless = false;
  /// False: a plain archive. Whiteout names mean nothing, owners and attributes are not applied.
  bool layer = true;
  /// Names that mean others, see layer_stack::moves_for; may be null.
  const std::map<std::string, std::string>* moves = nullptr;
  /// Hard links to what the archive does not hold are left out and reported, instead of being an
  /// error: some builders link to files of the layers below (kaniko).
  bool borrows = false;
  /// Instead: gives the file of the layers below that such a link means, O_PATH; what it gives is
  /// copied, for a file that is shared with another layer would change that one.
  std::function<result<unique_fd>(const std::string& target)> lender{};
  /// Shared with the image's other layers; null: this archive alone.
  unpack_budget* budget = nullptr;
};

struct unpack_report {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0; ///< of file contents
  std::uint64_t whiteouts = 0;
  std::uint64_t skipped_devices = 0;
  std::vector<std::string> implied;    ///< directories without an entry of their own, sorted
  std::vector<std::string> marked;     ///< directories that hold whiteouts, sorted
  std::vector<borrowed_link> borrowed; ///< left out, in the order of the archive
  bool operator==(const unpack_report&) const = default;
};

/// Unpacks the uncompressed `tar` into the directory `root` (an empty one that nobody else touches,
/// borrowed). Reads up to the archive's end mark; what follows is left in `tar`. An error names the
/// entry; the directory is then half filled and for the caller to remove. Blocking.
result<unpack_report> unpack_tar(byte_source& tar, int root, const unpack_options& options);

/// Text of an image or a registry for a message: printable, and no more than 200 bytes of it.
inline std::string for_message(std::string_view text) {
  return printable(shortened(text, 200));
}

/// The relative path an archive name stands for ("" is the root itself); see the rules above.
result<std::string> clean_entry_name(std::string_view name, const unpack_limits& limits);

} // namespace tank::oci

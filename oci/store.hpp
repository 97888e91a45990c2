/// The content store on disk: blobs by digest, layers by diff_id, references by name.
///
///     <root>/blobs/sha256/<hex>           verified bytes
///     <root>/layers/sha256-<hex>/         one unpacked layer, by diff_id: overlay's lower
///                                         directory; or what an image needs besides where a
///                                         layer leans on those below it (layer_stack.hpp)
///     <root>/records/sha256-<hex>.json    what that directory was when it was made
///     <root>/refs/<sha256 of name>.json   what a name points to, with all that a launch needs;
///                                         its mtime is when the image was last asked for
///     <root>/tmp/<random>/                work in progress; swept by who gets the lock alone
///     <root>/empty/                       what an image without layers shows
///     <root>/boot                         the boot in which the store was last looked through
///     <root>/lock                         flock: shared to add, exclusive to remove and sweep
///     <root>/layer-locks                  one byte per layer, OFD write lock: who unpacks it
///
/// Several processes may use one store (daemon and CLI). Readers lock nothing. Who adds holds
/// `lock` shared for the whole session, and the byte of a layer (its offset: the first 60 bits of
/// the diff_id) while making it. Who removes holds `lock` alone, and unlinks a layer's record
/// before its directory. Locks end with the process.
///
/// A finished layer is renamed into place, then its record, then (at the commit, after one syncfs)
/// the name: a kill at any instant leaves each of them old or new. A record that no name vouches
/// for counts only in the boot that wrote it, for the power may have failed before the flush.
/// Layer blobs are kept as they came (compressed or not), so that a stored image is complete: it
/// can be saved or pushed again byte for byte. All calls block; they are made from worker threads;
/// one store object may be used by several at once.
#pragma once

#include "base/error.hpp"
#include "oci/cancellation.hpp"
#include "oci/image_details.hpp"
#include "oci/limits.hpp"
#include "oci/reference.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank::oci {

struct store_options {
  unpack_limits limits;
  /// Unpack as a plain user may: no chown, `user.overlay.` marks. Unset: when not running as root.
  std::optional<bool> rootless;
  bool durable = true; ///< syncfs before a commit; tests turn it off
  /// Layers of one image that are fetched and unpacked at a time; 0: as the machine has processors,
  /// 2 to 4.
  unsigned parallel_layers = 0;
  /// The layer directories that pods need now, whatever has become of their names; they are never
  /// removed or replaced. Called from any thread.
  std::function<std::vector<std::filesystem::path>()> in_use;
  /// The images that manifests name, as they write them (config/pod_images.hpp): those stay,
  /// whether or not a pod of them runs now. An error means that nobody can tell, and then nothing
  /// is removed for being unused. Called from any thread, blocking; unset: there are no manifests.
  std::function<result<std::vector<std::string>>()> named_by_manifests;
  std::string boot_id; ///< empty: the kernel's

  [[nodiscard]] unsigned parallel() const;
};

/// boot_id of the options, or of the running kernel.
result<std::string> boot_of(const store_options& options);

/// What a removal freed.
struct prune_report {
  std::vector<std::string> images; ///< names that were removed
  std::uint64_t layers = 0;
  std::uint64_t blobs = 0;
  std::uint64_t bytes = 0; ///< of those blobs, and of file contents in those layers
  /// Somebody is adding an image: what is no longer needed stays until the next prune.
  bool deferred = false;
  bool operator==(const prune_report&) const = default;
};

/// In percent of the filesystem's space. As kubelet's imageGCHighThresholdPercent and its low.
struct watermarks {
  unsigned high = 85; ///< begin to free above it; 100: never
  unsigned low = 80;  ///< free down to it
  bool operator==(const watermarks&) const = default;
};

/// Something in the store that is not what it should be.
struct damage {
  std::string image;  ///< a name that needs it
  std::string object; ///< "layer sha256:...", "blob sha256:...", a record's path
  std::string cause;
  bool operator==(const damage&) const = default;
};

enum class save_format : std::uint8_t { oci_directory, oci_archive };

class store {
 public:
  /// Makes the directories (0700) when missing, and removes what a crash left in tmp/.
  static result<store> open(std::filesystem::path root, store_options options = {});

  /// `tank image import`: one tar (plain, gzip, zstd) becomes a single-layer image. `changes` are
  /// Dockerfile instructions: CMD, ENTRYPOINT, ENV, WORKDIR, USER, STOPSIGNAL, EXPOSE, LABEL,
  /// VOLUME. `created` is RFC 3339, injected (a fixed value makes the image reproducible).
  result<image> import_rootfs(const std::filesystem::path& tar, const reference& name,
                              const std::vector<std::string>& changes,
                              std::string_view created) const;

  /// `tank image load`: an OCI layout directory, an OCI archive or a docker-save archive (also
  /// compressed). Names come from the archive, or from `name` when it holds one image without a
  /// name. `ref`, when not empty, picks those of that name or tag.
  result<std::vector<image>> load(const std::filesystem::path& source, const reference* name,
                                  std::string_view ref = {}) const;

  /// Brings the image of a source (image_source.hpp) under the source's own text as its name. When
  /// the source has not changed since, and the image is here undamaged, nothing is read. errc::
  /// invalid is about the text, errc::unavailable about what is missing (the file, a blob, an image
  /// of that name in it), errc::corrupt about what cannot be read or unpacked.
  result<image> bring(std::string_view source) const;

  /// The image of that name, with its layers unpacked; errc::not_found when it is not here. Also
  /// image sources that were brought, and `rootfs:/abs/dir` texts: that directory as the only
  /// layer, empty config.
  [[nodiscard]] result<image> resolve(std::string_view name) const;

  [[nodiscard]] result<std::vector<image_summary>> list() const;

  // Names are references, or image sources that were brought.

  /// All there is to know of one image; errc::not_found.
  [[nodiscard]] result<image_details> inspect(std::string_view name) const;

  /// Removes the name, then blobs and layers that no name reaches any more. Layers in use stay.
  result<prune_report> remove(std::string_view name) const;

  /// Removes what no name reaches; with `unused`, first the names of images that no pod uses now
  /// and no manifest names. Waits while images are being added.
  result<prune_report> prune(bool unused) const;

  /// When more of the filesystem is used than `marks.high`: removes what no name reaches, then,
  /// least recently asked for first, images that no pod uses, until `marks.low`. Only images that
  /// came from a registry, which has them still, and that no manifest names: what was imported or
  /// loaded may be the only copy. `used_percent` tells; empty: statvfs of the store. Images asked
  /// for at that time (CLOCK_REALTIME) or later stay: their pods may be about to start. Does
  /// nothing (deferred) while images are being added.
  result<prune_report> relieve(const watermarks& marks,
                               const std::function<unsigned()>& used_percent = {},
                               std::int64_t spare_asked_since_ns = INT64_MAX) const;

  /// Compares every image with its records: layers as they were made, and of the blobs they are
  /// said to be of; blobs there, and of their digest when `contents`. A damaged layer loses its
  /// record: the image then fails to resolve (errc::corrupt) instead of running, and loading or
  /// pulling it again repairs it. An image whose blob is another layer's loses its name.
  result<std::vector<damage>> verify(bool contents) const;

  /// Writes images as an OCI layout: a new directory, or one tar. Blobs are verified on the way;
  /// errc::exists when `to` exists. `to` is there only when it is whole; nothing stays when it
  /// fails or, with errc::cancelled, is stopped. `stop` may be null.
  result<void> save(const std::vector<std::string>& names, const std::filesystem::path& to,
                    save_format format, const cancellation* stop = nullptr) const;
  /// The tar, to a descriptor (borrowed).
  result<void> save(const std::vector<std::string>& names, int to,
                    const cancellation* stop = nullptr) const;

  [[nodiscard]] const std::filesystem::path& root() const noexcept { return root_; }

 private:
  store(std::filesystem::path root, store_options options);

  std::filesystem::path root_;
  store_options options_;
};

} // namespace tank::oci

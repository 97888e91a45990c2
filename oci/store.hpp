/// The content store on disk: blobs by digest, layers by diff_id, references by name.
///
///     <root>/blobs/sha256/<hex>           verified bytes
///     <root>/layers/sha256-<hex>/         one unpacked layer, by diff_id: overlay's lower
///                                         directory
///     <root>/refs/<sha256 of name>.json   what a name points to, with all that a launch needs
///     <root>/tmp/<random>/                work in progress; swept by who gets the lock alone
///     <root>/lock                         flock: shared to add, exclusive to remove and sweep
///
/// Every commit is a rename: a crash at any instant leaves old or new, never half. Several
/// processes may use one store (daemon and CLI): writers take the lock file, readers need none.
/// Layer blobs are kept as they came (compressed or not), so that a stored image is complete: it
/// can be saved or pushed again byte for byte. All calls block; they are made from worker threads;
/// one store object may be used by several at once.
#pragma once

#include "base/error.hpp"
#include "oci/image.hpp"
#include "oci/limits.hpp"
#include "oci/reference.hpp"

#include <cstdint>
#include <filesystem>
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
};

class store {
 public:
  /// Makes the directories (0700) when missing, and removes what a crash left in tmp/.
  static result<store> open(std::filesystem::path root, store_options options = {});

  /// `tank image import`: one tar (plain, gzip, zstd) becomes a single-layer image. `changes` are
  /// Dockerfile instructions: CMD, ENTRYPOINT, ENV, WORKDIR, USER, STOPSIGNAL, EXPOSE, LABEL,
  /// VOLUME. `created` is RFC 3339, injected (a fixed value makes the image reproducible).
  result<image> import_rootfs(const std::filesystem::path& tar, const reference& name,
                              const std::vector<std::string>& changes, std::string_view created);

  /// `tank image load`: an OCI layout directory, an OCI archive or a docker-save archive (also
  /// compressed). Names come from the archive, or from `name` when it holds one image without a
  /// name.
  result<std::vector<image>> load(const std::filesystem::path& source, const reference* name);

  /// The image of that name, with its layers unpacked; errc::not_found when it is not here. Also
  /// `rootfs:/abs/dir` texts: that directory as the only layer, empty config.
  [[nodiscard]] result<image> resolve(std::string_view name) const;

  [[nodiscard]] result<std::vector<image_summary>> list() const;

  /// Removes the name, then blobs and layers that no name reaches any more. Layers in `in_use`
  /// stay.
  result<void> remove(const reference& name, const std::vector<std::filesystem::path>& in_use);

  [[nodiscard]] const std::filesystem::path& root() const noexcept { return root_; }

 private:
  store(std::filesystem::path root, store_options options);

  std::filesystem::path root_;
  store_options options_;
};

} // namespace tank::oci

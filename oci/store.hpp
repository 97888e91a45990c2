/// The content store on disk: blobs by digest, layers by diff_id, references by name.
///
///     <root>/blobs/sha256/<hex>           verified bytes
///     <root>/layers/sha256-<hex>/         one unpacked layer, by diff_id: overlay's lower
///     directory <root>/refs/<escaped name>.json     {"name","manifest","..."}: what a name points
///     to <root>/tmp/                         work in progress; swept at open by who holds the lock
///
/// Every commit is a rename: a crash at any instant leaves old or new, never half. Several
/// processes may use one store (daemon and CLI): writers take a lock file, readers need none. All
/// calls block; they are made from worker threads.
#pragma once

#include "base/error.hpp"
#include "oci/image.hpp"
#include "oci/reference.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tank::oci {

/// What an archive may cost at most. Image content is untrusted: every size has a limit.
struct unpack_limits {
  std::uint64_t max_entries = 2'000'000;
  std::uint64_t max_bytes = 64ULL << 30; ///< of all file contents of one layer
  std::uint32_t max_path = 4096;
  std::uint32_t max_depth = 256;
  std::uint64_t max_metadata = 64ULL << 20; ///< manifest, index, config: bytes
  bool operator==(const unpack_limits&) const = default;
};

class store {
 public:
  /// Makes the directories (0700) when missing.
  static result<store> open(std::filesystem::path root, unpack_limits limits = {});

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
  store(std::filesystem::path root, unpack_limits limits);

  std::filesystem::path root_;
  unpack_limits limits_;
};

} // namespace tank::oci

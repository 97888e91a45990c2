/// Images that are named by where they lie on this host, instead of by a registry:
///
///     oci:/abs/dir[:ref]             an OCI layout directory
///     oci-archive:/abs/file[:ref]    the same as one tar (plain, gzip, zstd)
///     docker-archive:/abs/file[:ref] what `docker save` writes
///
/// The names skopeo and podman use; the path is absolute, and ends at the first colon. `ref` picks
/// one of several images: its name there, or its tag. (`rootfs:/abs/dir` is no such source: that
/// directory is used as it is, and nothing is copied.)
#pragma once

#include "base/error.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace tank::oci {

struct image_source {
  enum class form : std::uint8_t { oci, oci_archive, docker_archive };
  form kind = form::oci;
  std::filesystem::path path;
  std::string ref; ///< may be empty

  /// As it was written; also what the image is called in the store.
  [[nodiscard]] std::string to_string() const;
  bool operator==(const image_source&) const = default;
};

/// Whether a text begins like one; then it is no reference, be it right or wrong.
bool is_image_source(std::string_view text) noexcept;

/// errc::invalid when the path is not absolute, or contains "..".
result<image_source> parse_image_source(std::string_view text);

/// Changes when the source does: size, time and inode of the file, of a directory's index. Empty
/// when there is none. One system call.
std::string stamp_of(const image_source& source);

} // namespace tank::oci

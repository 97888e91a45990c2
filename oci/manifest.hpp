/// The documents of an image: manifest, index and configuration (image-spec v1.1, and the docker
/// schema 2 forms of the same), from untrusted JSON to checked values and back.
///
/// Pure and bounded: size, nesting and counts are limited, every digest and size is checked, no
/// exception leaves. A document that reads both as manifest and as index is refused, so that
/// nobody can be shown one and run the other (SECURITY.md class 9).
#pragma once

#include "base/error.hpp"
#include "oci/digest.hpp"
#include "oci/image.hpp"
#include "oci/limits.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tank::oci {

struct platform {
  std::string os;
  std::string architecture;                    ///< GOARCH words: amd64, arm64, ...
  std::string variant;                         ///< v7, v8; empty when it has none
  [[nodiscard]] std::string to_string() const; ///< linux/arm/v7
  bool operator==(const platform&) const = default;
};

/// Whether it says nothing: empty, or "unknown/unknown".
bool is_unsaid(const platform& p);

/// This machine's, from uname.
platform host_platform();

/// A reference to content by digest.
struct descriptor {
  std::string media_type;
  digest content;
  std::uint64_t size = 0;
  platform target;                                ///< empty when not said
  std::map<std::string, std::string> annotations; ///< untrusted text
  bool operator==(const descriptor&) const = default;
};

struct image_manifest {
  descriptor config;
  std::vector<descriptor> layers; ///< bottom first
  bool operator==(const image_manifest&) const = default;
};

struct image_index {
  std::vector<descriptor> manifests;
  bool operator==(const image_index&) const = default;
};

using image_document = std::variant<image_manifest, image_index>;

/// Reads a manifest or an index. `declared` is the media type that whoever gave the document said
/// (a descriptor, a Content-Type); empty when nobody did. Layers that live elsewhere (`urls`,
/// foreign, encrypted) and manifests that are no images are errc::unsupported.
result<image_document> parse_document(std::string_view text, std::string_view declared,
                                      const unpack_limits& limits);

/// The entry of `index` for `host`: same os and architecture, best variant. An index whose only
/// image names no platform (is_unsaid) gives that one: what it is for, its config may say.
/// Attestations are no images. errc::not_found otherwise, saying what there is.
result<descriptor> choose_platform(const image_index& index, const platform& host);

/// The configuration blob.
struct image_settings {
  platform target;
  std::string created; ///< RFC 3339 or empty
  std::vector<digest> diff_ids;
  image_config config;
  bool operator==(const image_settings&) const = default;
};

/// `null` fields are empty ones, as docker writes them; other wrong types are errors.
result<image_settings> parse_settings(std::string_view text, const unpack_limits& limits);

/// Canonical (sorted keys, no spaces): equal values give equal bytes, hence equal digests.
std::string to_json(const image_settings& settings, std::string_view created_by);
std::string to_json(const image_manifest& manifest);

namespace media {
inline constexpr std::string_view manifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view index = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view config = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view layer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view layer_gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view layer_zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view docker_manifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view docker_list =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view docker_config = "application/vnd.docker.container.image.v1+json";
} // namespace media

} // namespace tank::oci

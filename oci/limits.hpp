/// What image content may cost at most. It is untrusted: every size has a limit
/// (SECURITY.md class 8).
#pragma once

#include <cstdint>

namespace tank::oci {

/// What a compressed stream may cost.
struct expansion_limits {
  /// Of output to input; checked once the output passes `free_bytes`: small streams may be extreme.
  std::uint64_t max_ratio = 200;
  std::uint64_t free_bytes = 1ULL << 30;
  /// Memory that a zstd frame may ask for. The format allows any; encoders' usual levels need 8
  /// MiB.
  std::uint64_t max_window = 64ULL << 20;
  bool operator==(const expansion_limits&) const = default;
};

struct unpack_limits {
  std::uint64_t max_entries = 2'000'000;    ///< of one image
  std::uint64_t max_bytes = 64ULL << 30;    ///< of all file contents of one image
  std::uint32_t max_path = 4096;            ///< bytes of one name
  std::uint32_t max_depth = 256;            ///< components of one name
  std::uint64_t max_metadata = 64ULL << 20; ///< names and modes kept in memory while unpacking
  std::uint64_t max_header = 16ULL << 20;   ///< of one entry: names, attributes, sparse map
  std::uint64_t max_document = 8ULL << 20;  ///< one manifest, index or config: bytes
  std::uint64_t max_record = 2ULL << 20;    ///< what is kept of a config for each name, as JSON
  std::uint32_t max_names = 256;            ///< that one archive gives to its images
  std::uint32_t max_layers = 500;           ///< of one image; overlay itself takes 500
  expansion_limits expansion{};             ///< of one compressed stream
  bool operator==(const unpack_limits&) const = default;

  /// Of a whole uncompressed archive: contents, and a header and padding for every entry.
  [[nodiscard]] std::uint64_t max_stream() const { return max_bytes + max_entries * 1536; }
};

} // namespace tank::oci

/// Images as values: what the store hands out and what a launch needs of it.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace tank::oci {

/// The part of an image configuration that a launch reads: "config" in image-spec v1.1, "OCI Image
/// Configuration".
/// Untrusted: labels and volumes steer nothing on the host.
struct image_config {
  std::string user;
  std::vector<std::string> env; ///< "K=V"; an entry without '=' means an empty value
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string working_dir;
  std::string stop_signal; ///< "SIGQUIT", "3", ""
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::string> exposed_ports;
  std::vector<std::string> volumes;
  bool operator==(const image_config&) const = default;
};

/// An image that is ready to be run: its layers are unpacked.
struct image {
  std::string name;            ///< canonical reference it was asked for by
  std::string manifest_digest; ///< sha256:...; empty for rootfs: images
  image_config config;
  std::vector<std::filesystem::path> layers; ///< directories, bottom first; never written to
  bool operator==(const image&) const = default;
};

/// A row of `tank image list`.
struct image_summary {
  std::string name;
  std::string manifest_digest;
  std::string architecture;
  std::string created;    ///< RFC 3339, of the config; may be empty
  std::uint64_t size = 0; ///< bytes of the unpacked layers' blobs
  bool operator==(const image_summary&) const = default;
};

} // namespace tank::oci

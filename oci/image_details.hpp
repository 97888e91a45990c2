/// All there is to know of one stored image: what `tank image inspect` shows.
#pragma once

#include "oci/image.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tank::oci {

struct image_details {
  image_summary summary;
  std::string index_digest; ///< of the index it was chosen from; may be empty
  std::string config_digest;
  image_config config;
  struct layer {
    std::string diff_id;
    std::string blob;
    std::uint64_t blob_size = 0;
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0; ///< of file contents, unpacked
    std::filesystem::path directory;
    bool operator==(const layer&) const = default;
  };
  std::vector<layer> layers; ///< bottom first
  /// What a container's root is made of, bottom first: those of the layers, and one that gives
  /// directories back the looks that upper layers do not name.
  std::vector<std::filesystem::path> directories;
  bool operator==(const image_details&) const = default;
};

} // namespace tank::oci

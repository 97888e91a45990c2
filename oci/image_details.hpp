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
  bool operator==(const image_details&) const = default;
};

} // namespace tank::oci

/// `tank image list`: pure text from values.
#pragma once

#include "oci/image.hpp"

#include <string>
#include <vector>

namespace tank::cli {

/// Columns NAME DIGEST ARCH SIZE CREATED.
std::string image_table(const std::vector<oci::image_summary>& images);

/// {"apiVersion":"tank/v1","kind":"ImageList","items":[{name,digest,architecture,created,size}]}
std::string image_document(const std::vector<oci::image_summary>& images);

/// "512 B", "4.0 MiB"
std::string size_text(std::uint64_t bytes);

} // namespace tank::cli

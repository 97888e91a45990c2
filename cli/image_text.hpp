/// What the verbs of `tank image` print: pure text from values.
#pragma once

#include "oci/image_details.hpp"
#include "oci/store.hpp"

#include <string>
#include <vector>

namespace tank::cli {

/// Columns NAME DIGEST ARCH SIZE CREATED.
std::string image_table(const std::vector<oci::image_summary>& images);

/// {"apiVersion":"tank/v1","kind":"ImageList","items":[{name,digest,architecture,created,size}]}
std::string image_document(const std::vector<oci::image_summary>& images);

/// One block per image.
std::string details_text(const std::vector<oci::image_details>& images);
/// {"apiVersion":"tank/v1","kind":"ImageDetailsList","items":[{name,digest,indexDigest,
/// configDigest,architecture,created,size,config:{user,env,...},layers:[{diffID,digest,size,
/// unpackedSize,entries,directory}]}]}
std::string details_document(const std::vector<oci::image_details>& images);

/// One line for each image removed, and what was freed.
std::string prune_text(const oci::prune_report& report);
/// {"apiVersion":"tank/v1","kind":"ImagePruneReport",images,layers,blobs,bytes}
std::string prune_document(const oci::prune_report& report);

/// One line for each damage, or that there is none.
std::string damage_text(const std::vector<oci::damage>& found);
/// {"apiVersion":"tank/v1","kind":"ImageDamageList","items":[{image,object,cause}]}
std::string damage_document(const std::vector<oci::damage>& found);

/// "512 B", "4.0 MiB"
std::string size_text(std::uint64_t bytes);

} // namespace tank::cli

/// What becomes the record of an image that is being added, as its documents say. Pure.
#pragma once

#include "base/error.hpp"
#include "oci/limits.hpp"
#include "oci/manifest.hpp"
#include "oci/records.hpp"

#include <cstddef>
#include <span>

namespace tank::oci {

/// Config and layers of an image whose manifest lists `layers`; name and digests of the documents
/// are the caller's to fill in. errc::invalid when the two documents contradict each other: another
/// number of layers, or one blob that is to unpack to two contents.
result<image_record> new_record(const image_settings& settings, std::span<const descriptor> layers,
                                const unpack_limits& limits);

/// The same of a docker archive, whose `layers` files have no digests of their own yet.
result<image_record> new_record(const image_settings& settings, std::size_t layers,
                                const unpack_limits& limits);

} // namespace tank::oci

/// The way to registries for start_options: a puller as the actors want it.
#pragma once

#include "oci/image_pull.hpp"
#include "oci/image_puller.hpp"

namespace tank {

/// `puller` writes into the store of the instance's directories. The texts of its progress are
/// those of a pod that starts: "pulling image 'web:1': 12.0 of 150.2 MiB".
image_pull make_image_pull(oci::image_puller puller);

} // namespace tank

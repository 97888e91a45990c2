/// The way to registries for start_options: a puller as the actors want it.
#pragma once

#include "oci/image_pull.hpp"
#include "oci/image_puller.hpp"
#include "oci/pull_line.hpp"

namespace tank {

/// `puller` writes into the store of the instance's directories. The texts of its progress are
/// those of a pod that starts: "pulling image 'web:1': 12.0 of 150.2 MiB". Pulls come from as many
/// threads as they like: who goes is decided by `rules`.
image_pull make_image_pull(oci::image_puller puller, const oci::pull_line_rules& rules);

} // namespace tank

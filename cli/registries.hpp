/// The way to registries, from the context.
#pragma once

#include "cli/context.hpp"
#include "oci/image_puller.hpp"

namespace tank::cli {

/// A puller into the image store of `images`.
oci::image_puller make_puller(const cli_context& context, const std::filesystem::path& images);

} // namespace tank::cli

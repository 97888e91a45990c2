/// The way to registries, from the context and the settings.
#pragma once

#include "cli/context.hpp"
#include "config/settings.hpp"
#include "oci/image_puller.hpp"

namespace tank::cli {

/// A puller into the image store of the settings.
oci::image_puller make_puller(const cli_context& context, const config::settings& settings);

/// How the store is opened under these settings.
oci::store_options store_options_from(const config::settings& settings);

} // namespace tank::cli

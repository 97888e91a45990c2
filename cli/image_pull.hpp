/// `tank image pull`: one pull with bars on a terminal and plain lines elsewhere.
#pragma once

#include "base/error.hpp"
#include "cli/context.hpp"
#include "oci/image_puller.hpp"

#include <string>

namespace tank::cli {

/// Blocks until it is done; SIGINT and SIGTERM cancel it (errc::cancelled).
result<oci::image> pull_with_progress(cli_context& context, const oci::image_puller& puller,
                                      const std::string& name);

} // namespace tank::cli

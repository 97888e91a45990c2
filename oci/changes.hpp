/// Dockerfile instructions that change an image's configuration (`tank image import --change`).
#pragma once

#include "base/error.hpp"
#include "oci/image.hpp"

#include <string_view>

namespace tank::oci {

/// Applies one of CMD, ENTRYPOINT, ENV, WORKDIR, USER, STOPSIGNAL, EXPOSE, LABEL, VOLUME to
/// `config`. CMD and ENTRYPOINT take the JSON form, else the rest of the line is for /bin/sh -c. No
/// variables are substituted. errc::invalid with the instruction as object.
result<void> apply_change(image_config& config, std::string_view instruction);

} // namespace tank::oci

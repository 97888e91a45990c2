/// The way to registries, as the actors see it.
#pragma once

#include "base/error.hpp"
#include "oci/cancellation.hpp"
#include "oci/image.hpp"

#include <functional>
#include <string>
#include <vector>

namespace tank {

struct wanted_image {
  std::string name;
  /// Contents of docker's config.json: who may pull it. Asked before the host's own logins.
  std::vector<std::string> logins = {};
};

/// Pulls an image; tells how far it is, from any thread, as often as it likes. Blocking.
using image_pull = std::function<result<oci::image>(
    const wanted_image& what, const std::function<void(std::string text)>& progress,
    oci::cancellation& stop)>;

} // namespace tank

/// The way to registries, as the actors see it.
#pragma once

#include "base/error.hpp"
#include "oci/cancellation.hpp"
#include "oci/image.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace tank {

/// Pulls an image; tells how far it is, from any thread, as often as it likes. Blocking.
using image_pull = std::function<result<oci::image>(
    std::string_view name, const std::function<void(std::string text)>& progress,
    oci::cancellation& stop)>;

} // namespace tank

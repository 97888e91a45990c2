/// Which images a Pod names.
#pragma once

#include "config/pod.hpp"

#include <string>
#include <vector>

namespace tank::config {

/// As they are written, of containers of every kind and of image volumes; some may be empty, or
/// come twice. Pure.
std::vector<std::string> images_of(const pod& p);

} // namespace tank::config

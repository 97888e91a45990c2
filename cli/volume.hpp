/// `tank volume`: what its verbs print.
#pragma once

#include "pod/managed_volumes.hpp"

#include <string>
#include <vector>

namespace tank::cli {

/// A VolumeList as JSON. Measures the volumes: blocking.
std::string volume_document(const std::vector<volume_row>& rows);

} // namespace tank::cli

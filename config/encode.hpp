/// From the objects of the Kubernetes API to canonical JSON: sorted keys, canonical quantities,
/// empty fields left out where the API server leaves them out. `to_json(pod)` and `content_hash`
/// are declared in config/manifest.hpp, for everybody.
#pragma once

#include "config/node.hpp"
#include "config/objects.hpp"

#include <string>

namespace tank::config {

/// `indent` < 0 for one line. A Secret's values are in it: never for logs.
std::string to_json(const config_map& object, int indent = 2);
std::string to_json(const secret& object, int indent = 2);
std::string to_json(const persistent_volume_claim& object, int indent = 2);

/// A document tree as JSON on one line with sorted keys.
std::string to_json(const node& tree);

} // namespace tank::config

/// From a document tree to the objects of the Kubernetes API, strictly.
///
/// Types are as strict as in kubelet: no number becomes a string, no fraction an integer; null
/// means absent; the case of keys matters. Stricter than kubelet: an unknown key is an error. Every
/// finding is appended with its position and its field path, and decoding goes on, so that one run
/// shows all of them; the value is meaningful when no error was added.
///
/// Time and memory are bounded for any tree within manifest_limits: a document may hold 20000
/// objects in its lists, and after 100 findings it is given up.
///
/// `apiVersion`, `kind` and `status` may stand in `root`; they are only checked to be of the right
/// type. No defaults are applied (config/defaults.hpp).
#pragma once

#include "config/diagnostic.hpp"
#include "config/node.hpp"
#include "config/objects.hpp"
#include "config/pod.hpp"

#include <string_view>
#include <vector>

namespace tank::config {

/// `text` is what `root` was read from, so that hints can quote it; may be empty.
pod decode_pod(const node& root, std::vector<diagnostic>& found, std::string_view text = {});
config_map decode_config_map(const node& root, std::vector<diagnostic>& found);
/// No finding says a value.
secret decode_secret(const node& root, std::vector<diagnostic>& found);
persistent_volume_claim decode_persistent_volume_claim(const node& root,
                                                       std::vector<diagnostic>& found);

} // namespace tank::config

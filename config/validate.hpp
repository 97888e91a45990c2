/// The rules of the Kubernetes API server for a Pod, in its words.
#pragma once

#include "config/diagnostic.hpp"
#include "config/pod.hpp"

#include <vector>

namespace tank::config {

/// Appends an error for each thing that the API server would refuse when `p` is created: its field
/// path and its reason (`Required value`, `Invalid value: "x": must ...`, `Duplicate value: "x"`,
/// ...). `p` is decoded and defaulted. The newest API: native sidecars, stop signals, image
/// volumes, resources of the pod. Whether this node can realise it is another question
/// (config/support.hpp). Pure.
void validate_pod(const pod& p, const position_lookup& locate, std::vector<diagnostic>& found);

} // namespace tank::config

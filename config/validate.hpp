/// The rules of the Kubernetes API server for a Pod and its companions, in its words.
#pragma once

#include "config/diagnostic.hpp"
#include "config/objects.hpp"
#include "config/pod.hpp"

#include <vector>

namespace tank::config {

/// Appends an error for each thing that the API server would refuse when `p` is created: its field
/// path and its reason (`Required value`, `Invalid value: "x": must ...`, `Duplicate value: "x"`,
/// ...). `p` is decoded and defaulted. The newest API: native sidecars, stop signals, image
/// volumes, resources of the pod. Whether this node can realise it is another question
/// (config/support.hpp). Pure.
void validate_pod(const pod& p, const position_lookup& locate, std::vector<diagnostic>& found);

/// The same for what stands beside Pods, and what of a claim one node cannot do. No finding holds a
/// value.
void validate(const config_map& object, const position_lookup& locate,
              std::vector<diagnostic>& found);
void validate(const secret& object, const position_lookup& locate, std::vector<diagnostic>& found);
void validate(const persistent_volume_claim& object, const position_lookup& locate,
              std::vector<diagnostic>& found);

/// Of a ConfigMap or a Secret: the bytes of all its values together.
inline constexpr std::size_t max_data_bytes = 1u << 20;

} // namespace tank::config

/// The Kubernetes v1 Pod as a value.
///
/// Plain aggregates: what a file says after decoding, and what will run after defaulting
/// (config/defaults.hpp). Whoever reads one from config::parse_manifest finds it defaulted and
/// validated: names are valid, enumerations hold one of the values written beside them. `status` is
/// the API server's and is not kept.
#pragma once

#include "config/pod/metadata.hpp"
#include "config/pod/pod_spec.hpp"

namespace tank::config {

struct pod {
  object_meta metadata;
  pod_spec spec;
  bool operator==(const pod&) const = default;
};

} // namespace tank::config

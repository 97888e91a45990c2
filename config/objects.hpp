/// What a manifest file may hold beside Pods: their companions.
#pragma once

#include "config/pod/metadata.hpp"
#include "config/pod/volume_cluster.hpp"
#include "config/scalars.hpp"

#include <map>
#include <optional>
#include <string>

namespace tank::config {

/// Configuration by key. A key is in one of the two maps only.
struct config_map {
  object_meta metadata;
  std::optional<bool> immutable;
  std::map<std::string, std::string> data;
  std::map<std::string, bytes> binary_data;
  bool operator==(const config_map&) const = default;
};

/// Secrets by key. `string_data` is for writing: defaulting moves it over `data`. Never logged and
/// never shown.
struct secret {
  object_meta metadata;
  std::optional<bool> immutable;
  std::map<std::string, bytes> data;
  std::map<std::string, std::string> string_data;
  std::string type; ///< "Opaque" once defaulted
  bool operator==(const secret&) const = default;
};

/// A claim: a volume that outlives the pods that use it.
struct persistent_volume_claim {
  object_meta metadata;
  persistent_volume_claim_spec spec;
  bool operator==(const persistent_volume_claim&) const = default;
};

} // namespace tank::config

/// Compute resources of a container or a pod.
///
/// Kubernetes `core/v1` as values, every field; names are those of the API in snake_case. An absent
/// optional is an absent key. config/schema_*.cpp binds each field to its key.
#pragma once

#include "config/quantity.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tank::config {

/// A device claim that a container uses (spec.resourceClaims).
struct resource_claim {
  std::string name;
  std::string request;
  bool operator==(const resource_claim&) const = default;
};

/// Limits and requests by resource name ("cpu", "memory", "hugepages-2Mi", ...).
struct resource_requirements {
  std::map<std::string, quantity> limits;
  std::map<std::string, quantity> requests; ///< each defaults to its limit
  std::vector<resource_claim> claims;
  bool operator==(const resource_requirements&) const = default;
};

} // namespace tank::config

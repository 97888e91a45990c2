/// What the API server fills in where a manifest is silent. Idempotent.
#pragma once

#include "config/objects.hpp"
#include "config/pod.hpp"

#include <string>
#include <string_view>

namespace tank::config {

/// The namespace is "default" when absent, as kubelet says for a Pod from a file.
void apply_defaults(pod& p);
void apply_defaults(config_map& object);
/// Moves `string_data` over `data`.
void apply_defaults(secret& object);
void apply_defaults(persistent_volume_claim& object);

/// What kubelet makes of a valid Pod beyond the API server's defaults: a mountPath that is relative
/// begins at the root. Idempotent.
void make_paths_absolute(pod& p);

/// "Always" for the tag `latest` and for neither tag nor digest; else "IfNotPresent".
std::string default_pull_policy(std::string_view image);

} // namespace tank::config

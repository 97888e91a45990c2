/// Containers of a pod in JSON, as the Kubernetes API spells them. Private to this room.
#pragma once

#include "pod/model.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace tank::api {

/// "containerStatuses": name, image, ready, started, restartCount, state, lastState; and `pid`, which
/// Kubernetes has not.
nlohmann::json container_statuses_json(const pod_status& pod);
std::vector<container_status> container_statuses_from(const nlohmann::json& array);

/// "conditions".
nlohmann::json conditions_json(const pod_status& pod);

} // namespace tank::api

/// Containers of a pod in JSON, as the Kubernetes API spells them. Private to this room.
#pragma once

#include "pod/model.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace tank::api {

/// "containerStatuses", or with `init` "initContainerStatuses": name, image, ready, started,
/// restartCount, state, lastState; and `pid`, which Kubernetes has not. Of an init container also its
/// own `restartPolicy`, null unless it is a sidecar.
nlohmann::json container_statuses_json(const pod_status& pod, bool init = false);
/// Both lists of a pod, in the order of the pod's list.
std::vector<container_status> container_statuses_from(const nlohmann::json& pod);

/// "conditions".
nlohmann::json conditions_json(const pod_status& pod);

} // namespace tank::api

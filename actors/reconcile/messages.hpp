/// What a reconciler is told, asked and tells. Its contract is in reconciler.hpp.
#pragma once

#include "actors/caf_compat.hpp"
#include "pod/model.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace tank {

// --- questions and orders to the reconciler; its contract is in reconciler.hpp -------------------

struct list_pods {
  bool operator==(const list_pods&) const = default;
};
struct pod_list {
  std::vector<pod_status> pods; ///< ordered by key
};
struct get_pod {
  std::string key;
  bool operator==(const get_pod&) const = default;
};
struct restart_pod {
  std::string key;
  bool operator==(const restart_pod&) const = default;
};
struct sync_pods {
  bool operator==(const sync_pods&) const = default;
};
struct pods_synced {
  bool operator==(const pods_synced&) const = default;
};
/// `grace` as in stop_pod.
struct stop_all_pods {
  std::optional<std::chrono::seconds> grace;
  bool operator==(const stop_all_pods&) const = default;
};
struct pods_stopped {
  bool operator==(const pods_stopped&) const = default;
};

// --- reconciler -> whoever asked with watch_pods -------------------------------------------------

struct pod_changed {
  pod_status status;
};
struct pod_removed {
  std::string key;
  bool operator==(const pod_removed&) const = default;
};

/// Asks the reconciler to tell `to` (pod_changed, pod_removed) from now on.
struct watch_pods {
  caf::actor to;
  bool operator==(const watch_pods&) const = default;
};

} // namespace tank

#define TANK_RECONCILE_MESSAGES(M, O, b)                                                           \
  O(b, desired_state)                                                                              \
  O(b, pod_status)                                                                                 \
  M(b, list_pods)                                                                                  \
  O(b, pod_list)                                                                                   \
  M(b, get_pod, key)                                                                               \
  M(b, restart_pod, key)                                                                           \
  M(b, sync_pods)                                                                                  \
  M(b, pods_synced)                                                                                \
  O(b, stop_all_pods)                                                                              \
  M(b, pods_stopped)                                                                               \
  O(b, pod_changed)                                                                                \
  M(b, pod_removed, key)                                                                           \
  M(b, watch_pods, to)
TANK_ROLE_MESSAGES(tank_reconcile, ::tank::compat::roles::reconcile, TANK_RECONCILE_MESSAGES);

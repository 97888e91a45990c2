/// What a run needs to know of its pod: its containers in their order, and what ends and restarts
/// mean for them. Values; run_settings_of makes them from a manifest.
#pragma once

#include "pod/backoff.hpp"
#include "pod/container_machine.hpp"
#include "pod/model.hpp"
#include "pod/run_steps.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tank::config {
struct container;
struct pod;
} // namespace tank::config

namespace tank {

/// An exception from a container's policy, for ends with certain exit codes.
struct exit_rule {
  bool in = true; ///< the codes are those of `codes`; else all others
  std::vector<int> codes;
  bool all = false; ///< all containers of the pod start anew; else this one runs again
  bool operator==(const exit_rule&) const = default;
};

/// What happens after an end.
enum class after_end : std::uint8_t {
  stay,      ///< it does not run again
  again,     ///< it runs again
  all_again, ///< all containers of the pod start anew
};

/// When a container runs again. The first rule that matches counts before the policy.
struct container_policy {
  restart_policy policy = restart_policy::always;
  std::vector<exit_rule> rules;
  bool operator==(const container_policy&) const = default;
};

/// The verdict of a container's policy. `exit_code` of a workload that ran, 128 + signal when it was
/// signaled; what never ran matches no rule.
after_end decide_after(const container_policy& policy, const stop_reason& why,
                       std::optional<int> exit_code);

/// Its own policy, else its pod's. A sidecar runs always; an init container that is no sidecar runs
/// again under Always when it fails.
container_policy policy_of(const config::container& container, container_kind kind,
                           const config::pod& pod);

/// How far back the end of a container goes, as with OTP's supervisors.
enum class restart_strategy : std::uint8_t { one_for_one, rest_for_one, one_for_all };

struct run_container {
  std::string name;
  container_kind kind = container_kind::main;
  bool tty = false;
  container_policy policy;
  bool significant = false; ///< its end for good ends the run
  bool post_start = false;  ///< hooks and probes that it has
  bool pre_stop = false;
  bool startup_probe = false;
  bool liveness_probe = false;
  bool readiness_probe = false;
  /// Instead of the pod's, after such a probe has failed.
  std::optional<std::chrono::seconds> startup_grace;
  std::optional<std::chrono::seconds> liveness_grace;
  [[nodiscard]] bool is_probed() const {
    return startup_probe || liveness_probe || readiness_probe;
  }
  bool operator==(const run_container&) const = default;
};

struct run_settings {
  std::string name;                      ///< namespace/name, for messages
  std::vector<run_container> containers; ///< init containers in order, then the others in order
  restart_strategy strategy = restart_strategy::one_for_one;
  backoff_profile profile; ///< of containers that run again inside their sandbox
  std::chrono::seconds grace{30};
  run_limits limits;
};

run_settings run_settings_of(const std::string& key, const config::pod& pod,
                             const backoff_profile& daemons, run_limits limits);

/// A pod of one container without init containers is rebuilt whole when it ends.
bool is_rebuilt_whole(const config::pod& pod);

// --- the list of a pod's containers --------------------------------------------------------------

std::size_t container_count(const config::pod& pod);
/// By its number in the list; `who` is below container_count.
const config::container& container_of(const config::pod& pod, run::index who);
container_kind kind_of(const config::pod& pod, run::index who);

} // namespace tank

/// What a pod says of its restarts beside its restartPolicy, in annotations:
///
///     tank/backoff: fast         # a profile by name, instead of the setting `backoff`
///     tank/give-up: 5 in 10m     # or `never`; instead of the setting `giveUp`
///     tank/restart-on: configmap/app, secret/tls  # begins anew when one of them has changed
///
/// Pure.
#pragma once

#include "base/error.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank::config {

inline constexpr std::string_view backoff_annotation = "tank/backoff";
inline constexpr std::string_view give_up_annotation = "tank/give-up";
inline constexpr std::string_view restart_on_annotation = "tank/restart-on";

inline constexpr std::array<std::string_view, 3> backoff_names{"default", "kubelet", "fast"};

/// A pod of which `runs` runs have ended within `period` is not started again.
struct give_up_rule {
  std::uint32_t runs = 0; ///< 1..most_runs; 0: it is never given up, as Kubernetes does
  std::chrono::milliseconds period{0};
  bool operator==(const give_up_rule&) const = default;
  static constexpr std::uint32_t most_runs = 100; ///< so many times are remembered for each pod
};

/// "never", or "N in DURATION" with 1..100 runs and at least 1s; errc::invalid for other text.
result<give_up_rule> parse_give_up(std::string_view text);

/// errc::invalid for a name that is not of backoff_names.
result<std::string> parse_backoff_name(std::string_view text);

/// A ConfigMap or a Secret of the pod's namespace.
struct named_document {
  bool secret = false;
  std::string name;
  bool operator==(const named_document&) const = default;
};
/// "configmap/app, secret/tls": at least one.
result<std::vector<named_document>> parse_restart_on(std::string_view text);

/// Empty: the daemon's setting counts.
struct restart_wishes {
  std::optional<std::string> backoff;
  std::optional<give_up_rule> give_up;
  bool operator==(const restart_wishes&) const = default;
};

/// A manifest that was judged has no values that cannot be read; such a one counts as not there.
restart_wishes restart_wishes_of(const std::map<std::string, std::string>& annotations);

} // namespace tank::config

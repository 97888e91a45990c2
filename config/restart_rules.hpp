/// What a pod says of its restarts beside its restartPolicy, in annotations:
///
///     tank/backoff: fast         # a profile by name, instead of the setting `backoff`
///     tank/give-up: 5 in 10m     # or `never`; instead of the setting `giveUp`
///     tank/restart-on: configmap/app, secret/tls  # begins anew when one of them has changed
///     tank/strategy: rest_for_one  # what the end of a container takes with it: itself, those
///                                # behind it in the pod's list, or with one_for_all all
///     tank/ends-with: app        # the pod ends with these, whatever else runs
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

inline constexpr std::string_view strategy_annotation = "tank/strategy";
inline constexpr std::string_view ends_with_annotation = "tank/ends-with";

inline constexpr std::array<std::string_view, 3> strategy_names{"one_for_one", "rest_for_one",
                                                                "one_for_all"};
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

/// errc::invalid for a name that is not of strategy_names.
result<std::string> parse_strategy(std::string_view text);

/// "app, proxy": names, at least one, none twice. Whether there are such containers is for whoever
/// knows the pod.
result<std::vector<std::string>> parse_ends_with(std::string_view text);

/// Empty: the daemon's setting counts.
struct restart_wishes {
  std::optional<std::string> backoff;
  std::optional<give_up_rule> give_up;
  std::string strategy;               ///< empty: one_for_one
  std::vector<std::string> ends_with; ///< empty: the pod ends with its last main container
  bool operator==(const restart_wishes&) const = default;
};

/// A manifest that was judged has no values that cannot be read; such a one counts as not there.
restart_wishes restart_wishes_of(const std::map<std::string, std::string>& annotations);

} // namespace tank::config

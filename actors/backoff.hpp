/// Whether and when a pod that ended runs again. Pure: time comes in as a value.
#pragma once

#include "actors/messages.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace tank {

enum class restart_policy : std::uint8_t { always, on_failure, never };

/// From the Pod's word ("Always", "OnFailure", "Never"); always for anything else, which is
/// Kubernetes' default.
restart_policy parse_restart_policy(std::string_view word) noexcept;

/// How long to wait before the n-th retry in a row: min(base * 2^n, cap), n from 0.
struct backoff_profile {
  std::chrono::milliseconds base = std::chrono::seconds{10};
  std::chrono::milliseconds cap = std::chrono::seconds{300};
  std::chrono::milliseconds stable = std::chrono::seconds{600}; ///< a run this long forgives all
  bool first_at_once = false; ///< the first retry does not wait, the second waits `base`
  bool operator==(const backoff_profile&) const = default;
};

/// `default` (10 s .. 300 s), `kubelet` (the same after one immediate restart), `fast` (1 s .. 60
/// s).
std::optional<backoff_profile> named_backoff(std::string_view name) noexcept;

/// What is remembered between runs of the same content.
struct restart_history {
  std::uint32_t retries = 0; ///< restarts since the last stable run
  std::optional<std::chrono::steady_clock::time_point> running_since; ///< empty: it never ran
};

struct restart_after {
  std::chrono::milliseconds delay{0};
  std::uint32_t retries = 0; ///< the history's new count
  bool operator==(const restart_after&) const = default;
};
struct stay_terminal {
  bool operator==(const stay_terminal&) const = default;
};
using restart_verdict = std::variant<restart_after, stay_terminal>;

/// The rule. A failure is every end but normal and an orderly shutdown of ours; a pod that was told
/// to stop is not asked here.
restart_verdict restart_decision(restart_policy policy, const stop_reason& why,
                                 const restart_history& history, const backoff_profile& profile,
                                 std::chrono::steady_clock::time_point now);

/// The waiting time alone.
std::chrono::milliseconds backoff_delay(const backoff_profile& profile,
                                        std::uint32_t retries) noexcept;

} // namespace tank

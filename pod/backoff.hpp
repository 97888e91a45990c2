/// Whether and when a pod that ended runs again. Pure: time comes in as a value.
#pragma once

#include "base/stop_reason.hpp"
#include "config/restart_rules.hpp"
#include "pod/model.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tank {

enum class restart_policy : std::uint8_t { always, on_failure, never };

/// From the Pod's word ("Always", "OnFailure", "Never"); always for anything else, which is
/// Kubernetes' default.
restart_policy parse_restart_policy(std::string_view word) noexcept;

/// How long to wait before the n-th retry in a row: min(base * 2^n, cap), n from 0; and when not to
/// try any more.
struct backoff_profile {
  std::chrono::milliseconds base = std::chrono::seconds{10};
  std::chrono::milliseconds cap = std::chrono::seconds{300};
  std::chrono::milliseconds stable = std::chrono::seconds{600}; ///< a run this long forgives all
  bool first_at_once = false;   ///< the first retry does not wait, the second waits `base`
  config::give_up_rule give_up; ///< off unless set
  bool operator==(const backoff_profile&) const = default;
};

/// `default` (10 s .. 300 s), `kubelet` (the same after one immediate restart), `fast` (1 s .. 60
/// s).
std::optional<backoff_profile> named_backoff(std::string_view name) noexcept;

/// What counts for this pod: the daemon's settings, and the pod's own annotations before them. A
/// profile that a pod names comes as it is, without the daemon's figures.
backoff_profile profile_of(const config::pod& pod, const backoff_profile& daemons);

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

/// Adds the end of a run to those that `rule` still counts, oldest first, and says whether the pod
/// is to be given up. An end exactly one period ago counts, as OTP's restarts do.
bool one_too_many(std::vector<std::chrono::steady_clock::time_point>& ends,
                  const config::give_up_rule& rule, std::chrono::steady_clock::time_point now);

/// The waiting time alone.
std::chrono::milliseconds backoff_delay(const backoff_profile& profile,
                                        std::uint32_t retries) noexcept;

/// "10s", "1500ms": for messages.
std::string seconds_text(std::chrono::milliseconds d);

} // namespace tank

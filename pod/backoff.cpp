#include "pod/backoff.hpp"

#include "config/pod.hpp"

#include <algorithm>

namespace tank {

using std::chrono::milliseconds;
using std::chrono::seconds;

restart_policy parse_restart_policy(std::string_view word) noexcept {
  if (word == "Never") return restart_policy::never;
  if (word == "OnFailure") return restart_policy::on_failure;
  return restart_policy::always;
}

std::optional<backoff_profile> named_backoff(std::string_view name) noexcept {
  if (name == "default") return backoff_profile{};
  if (name == "kubelet") return backoff_profile{.first_at_once = true};
  if (name == "fast") return backoff_profile{.base = seconds{1}, .cap = seconds{60}};
  return std::nullopt;
}

backoff_profile profile_of(const config::pod& pod, const backoff_profile& daemons) {
  const auto wishes = config::restart_wishes_of(pod.metadata.annotations);
  auto profile = daemons;
  if (wishes.backoff) profile = named_backoff(*wishes.backoff).value_or(daemons);
  profile.give_up = wishes.give_up.value_or(daemons.give_up);
  return profile;
}

bool one_too_many(std::vector<std::chrono::steady_clock::time_point>& ends,
                  const config::give_up_rule& rule, std::chrono::steady_clock::time_point now) {
  if (rule.runs == 0) {
    ends.clear();
    return false;
  }
  std::erase_if(ends, [&](const auto& end) { return now - end > rule.period; });
  ends.push_back(now);
  return ends.size() >= rule.runs;
}

std::string seconds_text(milliseconds d) {
  if (d.count() % 1000 == 0) return std::to_string(d.count() / 1000) + "s";
  return std::to_string(d.count()) + "ms";
}

milliseconds backoff_delay(const backoff_profile& profile, std::uint32_t retries) noexcept {
  if (profile.first_at_once) {
    if (retries == 0) return milliseconds{0};
    --retries;
  }
  auto delay = profile.base;
  // doubling step by step stops at the cap long before it could overflow
  while (retries-- > 0 && delay < profile.cap && delay.count() > 0)
    delay *= 2;
  return std::min(delay, profile.cap);
}

restart_verdict restart_decision(restart_policy policy, const stop_reason& why,
                                 const restart_history& history, const backoff_profile& profile,
                                 std::chrono::steady_clock::time_point now) {
  const bool failed = why.cls == stop_class::abnormal ||
                      (why.cls == stop_class::shutdown && why.cause != stop_cause::shutdown &&
                       why.cause != stop_cause::stopped);
  const bool again =
      policy == restart_policy::always || (policy == restart_policy::on_failure && failed);
  if (!again) return stay_terminal{};
  const bool stable = history.running_since && now - *history.running_since >= profile.stable;
  const auto retries = stable ? 0 : history.retries;
  return restart_after{backoff_delay(profile, retries), retries + 1};
}

} // namespace tank

/// When `tank up` is done, and how it ends. Pure.
#pragma once

#include "api/start.hpp"

#include <optional>
#include <string>
#include <vector>

namespace tank::cli {

enum class up_goal : std::uint8_t {
  forever, ///< until a signal
  ready,   ///< --wait=ready: every pod runs, or has ended well
  exit,    ///< --for=exit: every pod that ends by itself has ended
};

/// Empty: go on. `problems` empty: success.
struct up_end {
  std::vector<std::string> problems; ///< one line each
  bool operator==(const up_end&) const = default;
};
std::optional<up_end> judge_up(const instance::view& view, up_goal goal);

/// "all 3 pods are up" once each runs or has ended well; "2 of 3 pods are up, 1 failed" once the
/// others have failed for good; empty before.
std::string up_line(const instance::view& view);

/// What is missing when the time is over: one line a pod.
std::vector<std::string> missing(const instance::view& view, up_goal goal);

} // namespace tank::cli

/// The life of one container as a table: stages, requests, and what each request means when.
///
///     starting --clone--> ready --build--> built --proceed--> running --> exited | signaled
///         any before running  --abort--> aborted     --a failure of ours--> failed
///
/// Shared by the daemon's end (which refuses by the stages it has seen) and the shim (which decides
/// by the truth). No dependencies: the shim is built without libstdc++'s runtime.
#pragma once

#include <cstdint>
#include <string_view>

namespace tank::kernel {

/// `starting` until the child exists, `ready` = parked at the checkpoint, `built` = the plan's
/// steps are done and it is still parked, then `running`; the rest are terminal.
enum class stage : std::uint8_t {
  starting,
  ready,
  built,
  running,
  exited,
  signaled,
  aborted,
  failed
};
inline constexpr unsigned stages = 8;
std::string_view to_string(stage s) noexcept;
constexpr bool is_terminal(stage s) noexcept {
  return s >= stage::exited;
}

enum class verb : std::uint8_t { build, proceed, abort, signal, kill };
inline constexpr unsigned verbs = 5;

/// `act` now; `hold` it until the stage that can act on it; the rest are refusals.
enum class verdict : std::uint8_t { act, hold, not_ready, built, running, no_process };

/// A pure function of the two: total, and tested over the whole product.
constexpr verdict judge(stage at, verb what) noexcept {
  using enum verdict;
  if (is_terminal(at)) return no_process;
  constexpr verdict table[verbs][4] = {
      //             starting   ready      built    running
      /* build   */ {hold, act, built, running},
      // An unbuilt child still stands in the host's root: it must never be let go.
      /* proceed */ {not_ready, not_ready, act, running},
      /* abort   */ {hold, act, act, running},
      /* signal  */ {hold, hold, hold, act},
      /* kill    */ {hold, act, act, act},
  };
  return table[static_cast<unsigned>(what)][static_cast<unsigned>(at)];
}

/// The cause a refusal carries; empty for `act` and `hold`.
constexpr std::string_view refusal(verdict v) noexcept {
  switch (v) {
  case verdict::not_ready:
    return "not_ready";
  case verdict::built:
    return "built";
  case verdict::running:
    return "running";
  case verdict::no_process:
    return "no_process";
  case verdict::act:
  case verdict::hold:
    break;
  }
  return {};
}

} // namespace tank::kernel

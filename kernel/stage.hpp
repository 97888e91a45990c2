/// The life of one container as a table: stages, requests, and what each request means when.
///
///     starting --clone--> ready --build--> built --proceed--> running --> exited | signaled
///         any before running  --abort--> aborted     --a failure of ours--> failed
///
/// Shared by the daemon's end (which refuses by the stages it has seen) and the shim (which decides
/// by the truth). No dependencies: the shim is built without libstdc++'s runtime. The values are
/// part of the protocol between the two: new ones go to the end.
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

/// What a daemon asks of a shim. All but `shutdown` are about one instance.
enum class request : std::uint8_t {
  create,
  build,
  proceed,
  abort,
  signal,
  kill,
  open_terminal,
  shutdown
};
inline constexpr unsigned requests = 8;
std::string_view to_string(request what) noexcept; ///< the verb of messages: "let go", "signal"

/// Why a request is not carried out.
enum class refusal : std::uint8_t {
  none, ///< it is carried out
  // The instance's stage does not allow it.
  not_ready,   ///< `proceed` before it is built
  built,       ///< a second `build`
  running,     ///< too late: it runs, or was let go already
  no_process,  ///< it has ended, or the shim is gone
  not_running, ///< `open_terminal` before it runs
  no_pty,      ///< it has no terminal
  // Of `create`.
  exists,   ///< an earlier attempt of that name lives; or this attempt, or a later one, was made
  full,     ///< the shim holds as many containers as it can
  bad_plan, ///< the plan is damaged, or of a version that the shim does not read
  // Of any.
  no_container,    ///< the shim knows no such instance
  bad_value,       ///< a signal's number is 1 to 64
  too_many,        ///< 64 signals wait for it to run already
  shutting_down,   ///< nothing begins any more
  unknown_request, ///< a shim of this version does not know it
  failed           ///< the kernel refused; errno says why
};
inline constexpr unsigned refusals = 16;
std::string_view to_string(refusal r) noexcept; ///< its name: "not_ready"

/// What becomes of a request.
struct verdict {
  enum class timing : std::uint8_t { now, later, never };
  timing when = timing::never;
  refusal why = refusal::none; ///< set for `never` only
  bool operator==(const verdict&) const = default;
};
inline constexpr verdict act{verdict::timing::now, refusal::none};
/// It waits for the stage that can act on it.
inline constexpr verdict hold{verdict::timing::later, refusal::none};
constexpr verdict refuse(refusal why) noexcept {
  return {verdict::timing::never, why};
}

/// What a request means to a container at a stage. Pure, total, and tested over the whole product.
/// `create` is about the successor of that container. Who has no terminal answers `open_terminal`
/// with `no_pty` before it looks here, unless the container has ended.
constexpr verdict judge(stage at, request what) noexcept {
  if (what == request::shutdown) return act;
  if (what == request::create) return is_terminal(at) ? act : refuse(refusal::exists);
  if (is_terminal(at)) return refuse(refusal::no_process);
  constexpr verdict not_ready = refuse(refusal::not_ready);
  constexpr verdict built = refuse(refusal::built);
  constexpr verdict running = refuse(refusal::running);
  constexpr verdict not_running = refuse(refusal::not_running);
  constexpr verdict table[][4] = {
      //             starting     ready        built        running
      /* build    */ {hold, act, built, running},
      // An unbuilt child still stands in the host's root: it must never be let go.
      /* proceed  */ {not_ready, not_ready, act, running},
      /* abort    */ {hold, act, act, running},
      /* signal   */ {hold, hold, hold, act},
      /* kill     */ {hold, act, act, act},
      /* terminal */ {not_running, not_running, not_running, act},
  };
  return table[static_cast<unsigned>(what) - 1][static_cast<unsigned>(at)];
}

} // namespace tank::kernel

/// The daemon's end of one shim.
#pragma once

#include "base/error.hpp"
#include "kernel/instance.hpp"
#include "kernel/launch_plan.hpp"
#include "kernel/session_events.hpp"
#include "kernel/terminal_stream.hpp"

#include <memory>
#include <optional>
#include <vector>

#include <sys/types.h>

namespace tank::kernel {

/// Owned by one runtime actor; not thread-safe.
///
/// A verb queues a request and returns; what becomes of it is an event. When this end knows already
/// that the request cannot be carried out, by the events it has read, the verb says so at once:
///     errc::not_found    the shim holds no such instance
///     errc::exists       create: an attempt of that name lives, or this one or a later one was
///     made errc::limit        create: the shim holds 64 containers; signal: 64 wait already
///     errc::conflict     the stage does not allow it; the cause is to_string(refusal)
///     errc::invalid      the plan or the signal's number
///     errc::unavailable  the shim reads no requests at present
///     errc::unsupported  a shim of protocol 1 can not do it
/// What only the shim can know it says by refused_event.
///
/// Destroying a session closes the connection and leaves the shim alone: workloads run on.
class session {
 public:
  virtual ~session() = default;

  /// Readable when `next_event` has something; for the poller. Valid as long as the session.
  [[nodiscard]] virtual int poll_fd() const noexcept = 0;

  /// The next event, or nullopt when there is none now. Never blocks.
  virtual result<std::optional<session_event>> next_event() = 0;

  /// Clones the container's process and parks it: -> ready | failed | refused. Takes the place of
  /// an ended earlier attempt of the same name, which the shim then forgets.
  virtual result<void> create(const launch_plan& plan) = 0;
  /// Lets the parked process carry out its steps: -> built | failed. May be sent before `ready`.
  virtual result<void> build(const instance& who) = 0;
  /// Lets it go: -> running | failed.
  virtual result<void> proceed(const instance& who) = 0;
  /// Ends it at the checkpoint: -> aborted. Waits for `ready`; refused once it runs.
  virtual result<void> abort(const instance& who) = 0;
  /// Signals its first process; before it runs: kept, and delivered in order when it does. 1..64.
  virtual result<void> signal(const instance& who, int signum) = 0;
  /// SIGKILLs every process of the container (the pid namespace's init, or the first process).
  virtual result<void> kill(const instance& who) = 0;
  /// Opens the stream of its terminal, which gets that size: -> terminal_opened | refused, with the
  /// first of these that is so: no_process (it has ended), no_pty (it has no terminal), not_running
  /// (not yet). Always an event: an error here only says that nothing could be asked. No shim makes
  /// terminals so far: a container that has not ended answers no_pty.
  virtual result<void> open_terminal(const instance& who, const window_size& size) = 0;

  /// Kills what still runs, then the shim exits: -> session_down.
  virtual result<void> shutdown() = 0;
  /// For a `shutdown` that was refused or is not obeyed: SIGKILLs the shim and, with it, what runs:
  /// -> session_down once it is reaped. Does nothing when the shim is gone, or another daemon's.
  virtual void end() noexcept = 0;

  /// As of the last event read; of an adopted session empty until its adopted_event.
  [[nodiscard]] virtual std::vector<container_info> info() const = 0;
  /// The session_down_event, if next_event() has returned it; for callers that do not read events
  /// themselves.
  [[nodiscard]] virtual std::optional<session_down_event> down() const = 0;
  [[nodiscard]] virtual pid_t shim_pid() const noexcept = 0;
};

/// The part of the port that starts and finds shims.
class shims {
 public:
  virtual ~shims() = default;

  /// Starts a shim for one pod (vfork + exec of the static helper) and connects to it:
  /// -> sandbox_ready, or session_down with the reason. errc::exists when one serves `run_dir`
  /// already.
  virtual result<std::unique_ptr<session>> start_session(const sandbox_spec& sandbox) = 0;
  /// Connects to the shim that already serves `run_dir`: -> sandbox_ready, then adopted. A shim of
  /// protocol 1 is spoken to in its own language: it holds one attempt, 0, of each container, and
  /// takes no new ones. errc::not_found when there is none, errc::timeout when it takes no
  /// connection. A shim that accepts and says nothing is the caller's to give up on, by `end`.
  virtual result<std::unique_ptr<session>> adopt_session(const std::filesystem::path& run_dir) = 0;
};

} // namespace tank::kernel

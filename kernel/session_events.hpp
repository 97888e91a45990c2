/// What a shim tells its daemon, as values.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/instance.hpp"
#include "kernel/launch_failure.hpp"
#include "kernel/stage.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include <sys/types.h>

namespace tank::kernel {

/// A descriptor that an event brings. Shared, so that events are copyable; the last owner closes
/// it.
using shared_fd = std::shared_ptr<const unique_fd>;

/// First event of every session: the shim has made the pod's namespaces, or had made them for an
/// earlier daemon, and speaks a protocol that this end knows.
struct sandbox_ready_event {
  std::uint32_t version = 0; ///< of the protocol that is spoken with it: 1 or 2
  /// The pod's network namespace, to be entered or named in netlink messages. Null for a pod in the
  /// host's network, and for a shim of protocol 1 (then /proc/<shim_pid>/ns/net is the way).
  shared_fd network;
  bool operator==(const sandbox_ready_event&) const = default;
};

/// The process exists and is parked: the answer to `create`.
struct ready_event {
  instance who;
  pid_t host_pid = 0;
  bool operator==(const ready_event&) const = default;
};
/// All launch steps are done and the process is still parked: the answer to `build`.
struct built_event {
  instance who;
  bool operator==(const built_event&) const = default;
};
/// execve has succeeded: the answer to `proceed`.
struct running_event {
  instance who;
  pid_t host_pid = 0;
  std::int64_t started_ns = 0; ///< CLOCK_REALTIME
  bool operator==(const running_event&) const = default;
};
/// Its first process ended by itself.
struct exited_event {
  instance who;
  int code = 0; ///< 0..255
  std::int64_t finished_ns = 0;
  /// The kernel killed a process of the container for want of memory while this attempt ran, and it
  /// did not end with exit code 0. Not known, and false, of a shim of protocol 1: see
  /// kernel::count_oom_kills.
  bool out_of_memory = false;
  bool operator==(const exited_event&) const = default;
};
/// Its first process was ended by a signal.
struct signaled_event {
  instance who;
  int signal = 0;
  bool core_dumped = false;
  std::int64_t finished_ns = 0;
  bool out_of_memory = false; ///< as in exited_event
  bool operator==(const signaled_event&) const = default;
};
/// Ended at the checkpoint because it was told to: the answer to `abort`.
struct aborted_event {
  instance who;
  bool operator==(const aborted_event&) const = default;
};
/// Ended before its first instruction by a failure of ours.
struct failed_event {
  instance who;
  launch_failure code = launch_failure::other; ///< to decide by
  int sys = 0;                                 ///< errno
  std::string step;                            ///< for people: a verb phrase, "mount overlay on"
  std::string object;                          ///< for people: a path or a program
  int step_index = -1;                         ///< of the plan's step; -1 outside of the steps
  bool out_of_memory = false;                  ///< as in exited_event
  bool operator==(const failed_event&) const = default;
};
/// A request was not carried out. After a refused `create` there is no such instance, and this is
/// all that is heard of it; otherwise nothing has changed.
struct refused_event {
  instance who;
  request about = request::create;
  refusal why = refusal::none; ///< to decide by
  int sys = 0;                 ///< errno of `failed`; 0 when there is none
  std::string text;            ///< for people: what exactly the shim did not like; may be empty
  bool operator==(const refused_event&) const = default;
};
/// The answer to `open_terminal`: the stream of the container's terminal, see terminal_stream.hpp.
struct terminal_opened_event {
  instance who;
  shared_fd stream;
  bool operator==(const terminal_opened_event&) const = default;
};
/// Second event of an adopted session: the shim has told what it holds, and info() says it.
struct adopted_event {
  bool operator==(const adopted_event&) const = default;
};
/// The connection is closed. Last event of every session. With `shim_lives` the shim and what it
/// holds go on: another daemon has connected to it, it closed this connection, or it speaks a
/// protocol that this end does not know.
struct session_down_event {
  std::string why;
  bool shim_lives = false;
  bool operator==(const session_down_event&) const = default;
};

/// Exactly one of exited, signaled, aborted, failed ends each instance.
using session_event =
    std::variant<sandbox_ready_event, ready_event, built_event, running_event, exited_event,
                 signaled_event, aborted_event, failed_event, refused_event, terminal_opened_event,
                 adopted_event, session_down_event>;

/// All that a shim knows of one container, at any time, also after its end.
struct container_info {
  instance who;
  stage at = stage::starting;
  pid_t host_pid = 0;
  int result = 0; ///< exit code or signal, by stage
  bool core_dumped = false;
  bool out_of_memory = false; ///< as in exited_event
  // The next five are those of failed_event.
  launch_failure code = launch_failure::other;
  int sys = 0;
  std::string step;
  std::string object;
  int step_index = -1;
  std::int64_t started_ns = 0;
  std::int64_t finished_ns = 0;
  bool operator==(const container_info&) const = default;
};

} // namespace tank::kernel

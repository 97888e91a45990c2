/// What the daemon and a shim say to each other: frames on a SOCK_SEQPACKET unix socket.
///
/// One frame is one packet: a header, then the struct its type names, in native byte order. A
/// sender may cut a frame short inside its last text; the receiver reads what is missing as zero,
/// so a field can be added at a frame's end within a version.
///
///     daemon                                shim
///     sandbox (first connection only) -->   makes the namespaces
///                                     <--   hello, state per container, info_end
///     create + plan fd                -->   clones and parks
///                                     <--   ready | failed | refused
///     build                           -->                          <-- built | failed
///     proceed | abort                 -->                          <-- running | aborted | failed
///     signal, kill                    -->                          <-- exited | signaled
///     open_terminal                   -->                          <-- terminal + stream fd
///     shutdown                        -->   kills, ends, closes
///
/// Every request has a serial, counted from 1 by each connection; what answers it names it. An
/// event that answers nothing that this connection has asked has serial 0. A request that is not
/// carried out is answered by `refused`, never fatal. A container is named by name and attempt. The
/// shim keeps one attempt of each name: a new one takes the place of its predecessor, which has
/// ended.
///
/// The newest connection wins: the shim says `replaced` on the old one and closes it, since a
/// second daemon can only be the successor of one that hangs. Only the shim's own euid may connect.
/// `hello` brings the pod's network namespace (SCM_RIGHTS), unless that is the host's. `ready`, and
/// `state` of a live container, bring its process as a pidfd: a workload can undo what ties its
/// life to the shim's, so a daemon that sees the shim die ends it itself. While nobody is
/// connected, events are not queued: `state` tells their sum to the next daemon. A shim that loses
/// its daemon and holds no container has no purpose and exits.
///
/// Versions. `hello` says the shim's; a daemon that does not know it says so and leaves the shim
/// alone. Daemons of this version also speak version 1 (protocol_v1.hpp). A daemon of version 1
/// that adopts a shim of this one finds every container failed, with this as the reason, and shuts
/// the shim down: see `greet` in shim/server.cpp. One that starts this shim, or is given an older
/// shim to start, reads an `error`.
#pragma once

#include "kernel/launch_failure.hpp"
#include "kernel/stage.hpp"

#include <cstddef>
#include <cstdint>

namespace tank::kernel::protocol {

inline constexpr std::uint32_t version = 2;
/// Where the first connection and the bound (not yet listening) socket are when a shim starts.
inline constexpr int first_connection_fd = 3;
inline constexpr int socket_fd = 4;
inline constexpr const char* socket_name = "shim.sock";
inline constexpr unsigned max_containers = 64; ///< names per shim, live or ended
inline constexpr unsigned max_held_signals = 64;
inline constexpr std::size_t name_size = 128; ///< of a container, with its NUL

enum class frame_type : std::uint32_t {
  // Of every version, with these numbers: what two versions can always say to each other.
  sandbox = 1,
  shutdown = 8, ///< shutdown_frame
  hello = 101,
  info_end = 103, ///< a header alone
  error = 111,
  replaced = 112, ///< a header alone
  // Of version 2, daemon -> shim.
  request = 21,
  // Of version 2, shim -> daemon.
  state = 121, ///< a container_frame: all there is to know of one container, at connect
  event = 122, ///< a container_frame: it has reached the stage `at`
  refused = 123,
  terminal = 124,
};

struct header {
  frame_type type{};
};

/// Makes the namespaces that the pod's containers share.
struct sandbox_frame {
  header head{frame_type::sandbox};
  std::uint32_t protocol = version; ///< where it is in every version
  std::uint32_t new_net = 0;
  std::uint32_t new_ipc = 0;
  char hostname[65] = {};     ///< empty: no UTS namespace
  std::uint32_t first_id = 0; ///< of the user namespace; see user_range
  std::uint32_t ids = 0;      ///< 0: no user namespace
};

/// All requests but `shutdown`. `create` brings the plan's memfd (SCM_RIGHTS), which names the same
/// instance.
struct request_frame {
  header head{frame_type::request};
  std::uint32_t serial = 0;
  std::uint32_t attempt = 0;
  request what{};
  std::int32_t value = 0;       ///< of `signal`: its number
  std::uint16_t window[4] = {}; ///< of `open_terminal`: rows, columns, pixels
  char container[name_size] = {};
};

struct shutdown_frame {
  header head{frame_type::shutdown};
  std::uint32_t serial = 0;
};

struct hello_frame {
  header head{frame_type::hello};
  std::uint32_t protocol = version; ///< where it is in every version
  std::int32_t pid = 0;             ///< the shim's
};

struct container_frame {
  header head;
  std::uint32_t serial = 0; ///< of the request that this answers; 0: of none
  std::uint32_t attempt = 0;
  stage at = stage::starting;
  launch_failure code =
      launch_failure::other; ///< of `failed`, as are sys, step_index, step, object
  std::uint8_t core_dumped = 0;
  std::uint8_t out_of_memory = 0;
  std::int32_t host_pid = 0;
  std::int32_t result = 0; ///< exit code or signal
  std::int32_t sys = 0;
  std::int32_t step_index = -1;
  std::int64_t started_ns = 0; ///< CLOCK_REALTIME
  std::int64_t finished_ns = 0;
  char container[name_size] = {};
  char step[64] = {};
  char object[960] = {};
};

/// A request that is not carried out. After a refused `create` this is all that the daemon ever
/// hears of that instance. Serial 0: a packet that was no request.
struct refused_frame {
  header head{frame_type::refused};
  std::uint32_t serial = 0;
  std::uint32_t attempt = 0;
  request about{};
  refusal why{};
  std::int32_t sys = 0;
  char container[name_size] = {};
  char text[128] = {}; ///< for people; may be empty
};

/// Brings the stream of a terminal (SCM_RIGHTS): terminal_stream.hpp.
struct terminal_frame {
  header head{frame_type::terminal};
  std::uint32_t serial = 0;
  std::uint32_t attempt = 0;
  char container[name_size] = {};
};

/// Why the shim ends before it has served anything: `cannot <step>: <sys>`.
struct error_frame {
  header head{frame_type::error};
  frame_type about{};
  std::int32_t sys = 0;
  char container[name_size] = {}; ///< empty
  char step[128] = {};            ///< verb phrase
};

inline constexpr std::size_t max_frame = sizeof(container_frame);
static_assert(sizeof(error_frame) <= max_frame && sizeof(request_frame) <= max_frame &&
              sizeof(refused_frame) <= max_frame && sizeof(terminal_frame) <= max_frame);

} // namespace tank::kernel::protocol

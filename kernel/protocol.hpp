/// What the daemon and a shim say to each other: frames on a SOCK_SEQPACKET unix socket.
///
/// One frame is one packet: a header, then the struct its type names, in native byte order. A
/// sender may cut a frame short inside its last text; the receiver reads what is missing as zero,
/// so a later version may add fields at a frame's end. A frame of an unknown type, or one that is
/// too short, is answered with `error` and otherwise ignored: never fatal.
///
///     daemon                                shim
///     sandbox (first connection only) -->   makes the namespaces
///                                     <--   hello, state per container, info_end
///     create + plan fd                -->   clones and parks
///                                     <--   ready | failed
///     build                           -->                          <-- built | failed
///     proceed | abort                 -->                          <-- running | aborted | failed
///     signal, kill                    -->                          <-- exited | signaled
///     shutdown                        -->   kills, ends, closes
///
/// The newest connection wins: the shim says `replaced` on the old one and closes it, since a
/// second daemon can only be the successor of one that hangs. Only the shim's own euid may connect.
/// `ready`, and `state` of a live container, carry its process as a pidfd (SCM_RIGHTS): a workload
/// can undo what ties its life to the shim's, so a daemon that sees the shim die ends it itself.
/// While nobody is connected, events are not queued: `state` tells their sum to the next daemon.
/// A shim that loses its daemon and holds no container has no purpose and exits.
#pragma once

#include "kernel/stage.hpp"

#include <cstddef>
#include <cstdint>

namespace tank::kernel::protocol {

inline constexpr std::uint32_t version = 1;
/// Where the first connection and the bound (not yet listening) socket are when a shim starts.
inline constexpr int first_connection_fd = 3;
inline constexpr int socket_fd = 4;
inline constexpr const char* socket_name = "shim.sock";
inline constexpr unsigned max_containers = 16; ///< per shim, live or ended
inline constexpr unsigned max_held_signals = 64;
inline constexpr std::size_t name_size = 128; ///< of a container, with its NUL

enum class frame_type : std::uint32_t {
  // daemon -> shim
  sandbox = 1,
  create,
  build,
  proceed,
  abort,
  signal,
  kill,
  shutdown,
  // shim -> daemon
  hello = 101,
  state,    ///< a container_frame: all there is to know of one container, at connect
  info_end, ///< a header alone
  ready,    ///< container_frame, as are the next six
  built,
  running,
  exited,
  signaled,
  aborted,
  failed,
  error,
  replaced, ///< a header alone
};

struct header {
  frame_type type{};
};

/// Makes the namespaces that the pod's containers share.
struct sandbox_frame {
  header head{frame_type::sandbox};
  std::uint32_t protocol = version;
  std::uint32_t new_net = 0;
  std::uint32_t new_ipc = 0;
  char hostname[65] = {};     ///< empty: no UTS namespace
  std::uint32_t first_id = 0; ///< of the user namespace; see user_range
  std::uint32_t ids = 0;      ///< 0: no user namespace
};

/// All requests about one container. `create` carries the plan's memfd beside it (SCM_RIGHTS) and
/// takes the name from the plan.
struct request_frame {
  header head;
  std::int32_t value = 0; ///< of `signal`: its number
  char container[name_size] = {};
};

struct hello_frame {
  header head{frame_type::hello};
  std::uint32_t protocol = version;
  std::int32_t pid = 0; ///< the shim's
};

struct container_frame {
  header head;
  stage at = stage::starting;
  std::uint8_t core_dumped = 0;
  std::int32_t host_pid = 0;
  std::int32_t result = 0; ///< exit code or signal
  std::int32_t sys = 0;    ///< of `failed`, as are the last three
  std::int32_t step_index = -1;
  std::int64_t started_ns = 0; ///< CLOCK_REALTIME
  std::int64_t finished_ns = 0;
  char container[name_size] = {};
  char step[64] = {};
  char object[960] = {};
};

/// A request the shim could not follow; `about` is its type. After a refused `create` this is all
/// the daemon ever hears of that container.
struct error_frame {
  header head{frame_type::error};
  frame_type about{};
  std::int32_t sys = 0;
  char container[name_size] = {}; ///< empty when the request named none
  char step[128] = {};            ///< verb phrase
};

inline constexpr std::size_t max_frame = sizeof(container_frame);
static_assert(sizeof(error_frame) <= max_frame && sizeof(request_frame) <= max_frame);

} // namespace tank::kernel::protocol

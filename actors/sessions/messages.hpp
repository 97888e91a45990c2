/// Attaching to the terminal of a pod: what an attacher, a runtime and an attach session tell each
/// other.
///
///     attacher                      runtime                     attach session
///     begin_attach       -->        opens the terminal's stream --> starts
///     attach_begun       <--
///     attach_input, attach_resize                               -->
///                                                               <-- attach_output, attach_dropped
///     attach_taken (of output)                                  -->
///     end_attach         -->        tells it                    --> ends
///     attach_finished    <--
///                                                               <-- attach_ended, once, the last
///
/// The runtime hears of everything else as if nobody were attached. It tells the attach session how
/// the container ended (attach_over). An attacher that ends, ends its attach. attach_leave to the
/// attach session does what end_attach does.
#pragma once

#include "actors/caf_compat.hpp"

#include <cstdint>
#include <string>

namespace tank {

/// -> attach_begun, or errc::conflict with one of these causes, looked for in this order:
/// "not_running" (not yet, or it is being stopped), "not_a_tty" (the container has no `tty: true`),
/// "attached" (somebody is); errc::not_found for a container that the pod has not. Pair each success
/// with an end_attach or an attach_leave.
struct begin_attach {
  caf::actor attacher;
  std::string container{}; ///< empty: the pod's first
  bool operator==(const begin_attach&) const = default;
};
struct attach_begun {
  caf::actor session; ///< takes attach_input, attach_resize, attach_taken, attach_leave
  bool operator==(const attach_begun&) const = default;
};

/// -> attach_finished, once the terminal is free again. What was sent to the attach session before
/// still counts. Success also when there is no attach (any more); errc::conflict,
/// "attached", when it is another attacher's.
struct end_attach {
  caf::actor attacher;
  std::string container{}; ///< empty: the pod's first
  bool operator==(const end_attach&) const = default;
};
struct attach_finished {
  bool operator==(const attach_finished&) const = default;
};

// --- attacher -> attach session ------------------------------------------------------------------

/// Bytes typed. What the terminal does not take yet is kept, at most attach_limits::input bytes;
/// more is dropped, and said by attach_dropped.
struct attach_input {
  std::string bytes;
  bool operator==(const attach_input&) const = default;
};
struct attach_resize {
  std::uint16_t rows = 0;
  std::uint16_t columns = 0;
  std::uint16_t x_pixels = 0;
  std::uint16_t y_pixels = 0;
  bool operator==(const attach_resize&) const = default;
};
/// That many bytes of output went where they belong: makes room for as many.
struct attach_taken {
  std::uint64_t bytes = 0;
  bool operator==(const attach_taken&) const = default;
};
struct attach_leave {
  bool operator==(const attach_leave&) const = default;
};

// --- attach session -> attacher ------------------------------------------------------------------

struct attach_output {
  std::string bytes; ///< never empty; answer with attach_taken
  bool operator==(const attach_output&) const = default;
};
/// Here, in the order of the messages, bytes are missing.
struct attach_dropped {
  bool input = false; ///< typed ones; else output, of an attacher that is too slow
  std::uint64_t bytes = 0;
  bool operator==(const attach_dropped&) const = default;
};

enum class attach_end : std::uint8_t {
  detached, ///< end_attach, attach_leave
  exited,   ///< `code`
  signaled, ///< `code` = the signal
  lost,     ///< `text`: the shim, the runtime or the attach session failed
};
struct attach_ended {
  attach_end how = attach_end::lost;
  int code = 0;
  std::string text;
  bool operator==(const attach_ended&) const = default;
};

// --- among themselves ----------------------------------------------------------------------------

/// Runtime -> attach session: the container has ended, or its shim is lost. What its terminal
/// printed before is in the stream already; behind it the attacher shall hear this.
struct attach_over {
  attach_ended how;
  bool operator==(const attach_over&) const = default;
};
/// Runtime, to itself: the attach session with this number has ended.
struct attach_down {
  std::uint64_t serial = 0;
  bool operator==(const attach_down&) const = default;
};

TANK_INSPECT_ENUM(attach_end)

} // namespace tank

#define TANK_SESSION_MESSAGES(M, O, b)                                                             \
  M(b, attach_ended, how, code, text)                                                              \
  M(b, begin_attach, attacher, container)                                                          \
  M(b, attach_begun, session)                                                                      \
  M(b, end_attach, attacher, container)                                                            \
  M(b, attach_finished)                                                                            \
  M(b, attach_input, bytes)                                                                        \
  M(b, attach_resize, rows, columns, x_pixels, y_pixels)                                           \
  M(b, attach_taken, bytes)                                                                        \
  M(b, attach_leave)                                                                               \
  M(b, attach_output, bytes)                                                                       \
  M(b, attach_dropped, input, bytes)                                                               \
  M(b, attach_over, how)                                                                           \
  M(b, attach_down, serial)
TANK_ROLE_MESSAGES(tank_sessions, ::tank::compat::roles::sessions, TANK_SESSION_MESSAGES);

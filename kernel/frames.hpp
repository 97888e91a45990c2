/// A shim's packets as values, whichever version of the protocol it speaks. Pure.
#pragma once

#include "base/error.hpp"
#include "kernel/session_events.hpp"
#include "kernel/terminal_stream.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>

namespace tank::kernel::frames {

/// The versions that this end speaks.
constexpr bool is_spoken(std::uint32_t version) noexcept {
  return version == 1 || version == 2;
}

// --- from the shim -------------------------------------------------------------------------------

struct hello {
  std::uint32_t version = 0;
};
/// What there is to know of a container. `news`: it has just reached `now.at`.
struct container {
  container_info now;
  bool news = false;
  std::uint32_t serial = 0; ///< of the request that this answers; 0: of none, or not known
};
struct refused {
  refused_event what;
  std::uint32_t serial = 0; ///< 0: not known
};
struct terminal {
  instance who;
  std::uint32_t serial = 0;
};
/// Why the shim will end.
struct trouble {
  std::string text;
};
struct info_end {};
struct replaced {};

using heard = std::variant<hello, container, refused, terminal, trouble, info_end, replaced>;

/// What a packet says. Nullopt for what is no frame of that version: to be ignored. Version 0,
/// before the shim has said which it speaks, has the frames that are of every version.
std::optional<heard> read(std::uint32_t version, std::span<const char> packet);

// --- to the shim ---------------------------------------------------------------------------------

struct ask {
  request what = request::shutdown;
  instance who; ///< of all but `shutdown`
  std::uint32_t serial = 0;
  int value = 0;        ///< of `signal`
  window_size window{}; ///< of `open_terminal`
};

/// The packet of a request. errc::unsupported for what that version cannot do; errc::limit for a
/// name that is too long. `shutdown` is the same in every version.
result<std::string> write(std::uint32_t version, const ask& wanted);

} // namespace tank::kernel::frames

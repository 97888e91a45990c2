/// The attach session: one actor per attach, between a container's terminal and whoever attached.
///
/// It owns its end of the terminal's stream (kernel/terminal_stream.hpp), and ends when the container
/// does, when it is told to, and when its attacher ends. Whichever it is, the attacher hears
/// attach_ended, once and last; also when the actor fails.
///
/// Bounded both ways: of output, an attacher has at most `output` bytes that it did not answer with
/// attach_taken; typed bytes wait for the terminal, at most `input` of them. What does not fit is
/// dropped and said so by attach_dropped. A slow attacher never slows the workload.
#pragma once

#include "actors/poller.hpp"
#include "base/unique_fd.hpp"

#include <caf/actor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace caf {
class actor_system;
} // namespace caf

namespace tank {

struct attach_limits {
  std::size_t input = 1024 * 1024;
  std::size_t output = 1024 * 1024;
  bool operator==(const attach_limits&) const = default;
};

/// What an attach session is started with.
struct attach_args {
  std::shared_ptr<const unique_fd> stream; ///< nonblocking
  std::shared_ptr<fd_source> fds;
  caf::actor attacher;
  attach_limits limits;
  caf::actor runtime; ///< gets attach_down{serial} before the attacher hears attach_ended
  std::uint64_t serial = 0;
};
caf::actor spawn_attach_session(caf::actor_system& sys, attach_args args);

} // namespace tank

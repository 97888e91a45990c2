/// The attach session: one actor per attach, between a pod's terminal and whoever attached.
///
/// It reads the session's events through its lease (stream_lease.hpp), and ends when the workload
/// does, when it is told to, when its attacher ends, and when the lease is taken back. Whichever it
/// is, the attacher hears attach_ended, once and last; also when the actor fails.
///
/// Bounded both ways: of output, an attacher has at most `output` bytes that it did not answer with
/// attach_taken; typed bytes wait for the terminal, at most `input` of them. What does not fit is
/// dropped and said so by attach_dropped. A slow attacher never slows the workload.
#pragma once

#include "actors/sessions/stream_lease.hpp"

#include <caf/actor.hpp>

#include <cstddef>
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

/// Starts one for a lease that begins next, with this actor as the borrower.
caf::actor spawn_attach_session(caf::actor_system& sys, std::shared_ptr<stream_lease> lease,
                                caf::actor attacher, const attach_limits& limits);

} // namespace tank

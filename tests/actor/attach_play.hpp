/// An attach, played: somebody who attaches, and a runtime whose workload has a terminal.
#pragma once

#include "actors/sessions/attach_session.hpp"
#include "kernel/terminal_stream.hpp"
#include "tests/actor/stage_play.hpp"

#include <caf/actor_registry.hpp>
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/uio.h>

namespace tank::testing {

/// Somebody who attaches, and keeps what it hears.
struct attacher {
  struct heard_t {
    std::string output;
    std::vector<std::string> notices; ///< in order, with the output between them
    std::vector<attach_ended> ended;
    bool slow = false; ///< does not say that it took something
    std::uint64_t owed = 0;
    caf::actor session;
  };
  std::shared_ptr<heard_t> heard = std::make_shared<heard_t>();
  caf::actor self;

  explicit attacher(script& s) {
    self = s.sys.spawn([h = heard](caf::event_based_actor* me) -> caf::behavior {
      return {[h, me](const attach_output& m) {
                h->output += m.bytes;
                h->notices.push_back(m.bytes.size() > 20 ? std::to_string(m.bytes.size())
                                                         : m.bytes);
                if (h->slow)
                  h->owed += m.bytes.size();
                else
                  compat::send(me, h->session, attach_taken{m.bytes.size()});
              },
              [h](const attach_dropped& m) {
                h->notices.push_back((m.input ? "input -" : "output -") + std::to_string(m.bytes));
              },
              [h](const attach_ended& m) {
                h->ended.push_back(m);
                h->session = nullptr;
              }};
    });
    s.settle();
  }
  ~attacher() { caf::anon_send_exit(self, caf::exit_reason::user_shutdown); }
  attacher(const attacher&) = delete;
  attacher& operator=(const attacher&) = delete;
};

/// What the shim reads at its end of a stream.
struct typed_in {
  std::string bytes;
  std::vector<kernel::window_size> sizes;
  bool closed = false; ///< the stream was given back
};

struct attach_play : stage_play {
  explicit attach_play(bool tty = true) : stage_play(30, tty) {}
  explicit attach_play(play_options o) : stage_play(std::move(o)) {}

  /// "" or why not.
  std::string attach(attacher& who, const std::string& container = {}) {
    auto [begun, refusal] = ask<attach_begun>(begin_attach{who.self, container});
    if (begun) who.heard->session = begun->session;
    return refusal;
  }
  std::string end(const caf::actor& who, const std::string& container = {}) {
    return ask<attach_finished>(end_attach{who, container}).second;
  }
  template <class T>
  void say(attacher& from, T message) {
    s.send(from.self, from.heard->session, std::move(message));
    settle();
  }

  /// The terminal prints; in packets, as the shim sends them.
  void print(std::string_view bytes, const std::string& container = "main") {
    while (!bytes.empty()) {
      const auto part = bytes.substr(0, kernel::max_terminal_bytes);
      if (send_packet(kernel::terminal_bytes_head, part, container))
        bytes.remove_prefix(part.size());
      settle();
    }
  }
  /// The shim had no room for so many typed bytes.
  void tell_dropped(std::uint64_t bytes) {
    const auto packet = kernel::encode_dropped(bytes);
    REQUIRE(send_packet(packet[0], {packet.data() + 1, packet.size() - 1}, "main"));
    settle();
  }
  /// One packet, without anybody noticing it yet; false: there is no room.
  bool send_packet(char head, std::string_view rest, const std::string& container = "main") {
    std::array<iovec, 2> parts{iovec{&head, 1}, iovec{const_cast<char*>(rest.data()), rest.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const auto& end = session->terminals.at(container);
    const auto n = ::sendmsg(end.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    REQUIRE((n >= 0 || errno == EAGAIN || errno == EPIPE));
    return n >= 0 || errno == EPIPE; // nobody listens any more: it is lost
  }
  /// All that is there to be read.
  typed_in typed(const std::string& container = "main") {
    typed_in out;
    const auto it = session->terminals.find(container);
    if (it == session->terminals.end()) return out;
    std::array<char, kernel::max_terminal_packet> buffer;
    for (;;) {
      const auto n = ::recv(it->second.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      out.closed = n == 0 || (n < 0 && errno == ECONNRESET); // unread packets: a reset
      if (n <= 0) return out;
      const auto packet =
          kernel::decode_terminal_packet({buffer.data(), static_cast<std::size_t>(n)});
      REQUIRE(packet);
      if (packet->kind == kernel::terminal_kind::bytes) out.bytes += packet->bytes;
      if (packet->kind == kernel::terminal_kind::resize) out.sizes.push_back(packet->size);
    }
  }
  /// How many actors are alive.
  [[nodiscard]] std::size_t actors() { return s.sys.registry().running(); }

  /// The terminal's stream is with `who`, and the session with the runtime, as ever.
  void check_attached(const attacher& who) {
    REQUIRE(session->terminals.contains("main"));
    CHECK_FALSE(typed().closed);
    CHECK(fds->owner_of(session->readable.get()) == rt);
    CHECK(who.heard->session);
    CHECK(fds->watched() == 2);
  }
  void check_reclaimed() {
    CHECK((!session->terminals.contains("main") || typed().closed));
    CHECK(fds->owner_of(session->readable.get()) == rt);
    CHECK(fds->watched() == 1);
  }
};

} // namespace tank::testing

/// An attach, played: somebody who attaches, and a runtime whose workload has a terminal.
#pragma once

#include "actors/sessions/attach_session.hpp"
#include "tests/actor/stage_play.hpp"

#include <caf/actor_registry.hpp>
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

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

struct attach_play : stage_play {
  explicit attach_play(bool tty = true) : stage_play(30, tty) {}

  /// "" or why not.
  std::string attach(attacher& who) {
    auto [begun, refusal] = ask<attach_begun>(begin_attach{who.self});
    if (begun) who.heard->session = begun->session;
    return refusal;
  }
  std::string end(const caf::actor& who) { return ask<attach_finished>(end_attach{who}).second; }
  template <class T>
  void say(attacher& from, T message) {
    s.send(from.self, from.heard->session, std::move(message));
    s.settle();
  }
  void print(std::string bytes) { happen(kernel::pty_output_event{"main", std::move(bytes)}); }
  [[nodiscard]] caf::actor reader() const { return fds->owner_of(session->fd); }
  [[nodiscard]] bool lent() const { return session->listening && reader() && reader() != rt; }
  /// How many actors are alive.
  [[nodiscard]] std::size_t actors() { return s.sys.registry().running(); }

  void check_attached() {
    CHECK(session->listening);
    CHECK(reader() != rt);
  }
  void check_reclaimed() {
    CHECK_FALSE(session->listening);
    CHECK(reader() == rt);
  }
};

} // namespace tank::testing

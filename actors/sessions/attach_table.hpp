/// The runtime's side of attaching: who is attached to which container. Part of one runtime actor.
#pragma once

#include "actors/sessions/attach_session.hpp"
#include "actors/sessions/messages.hpp"
#include "base/error.hpp"
#include "kernel/session_events.hpp"

#include <caf/actor.hpp>
#include <caf/response_promise.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tank {

/// An attach is to one attempt of a container; what comes about another one is not its. Promises
/// that the table holds are answered at the latest by end_all().
class attach_table {
 public:
  [[nodiscard]] bool taken(const std::string& container) const {
    return slots_.contains(container);
  }

  /// The stream of the terminal was asked for; `answer` is given when it comes.
  void begin(const kernel::instance& who, caf::actor attacher, caf::response_promise answer);

  /// The stream is there: starts the attach session. `args` as it wants them, without stream,
  /// attacher and serial.
  void open(const kernel::terminal_opened_event& e, caf::actor_system& sys, attach_args args);
  /// There is no stream, for this reason.
  void refuse(const kernel::instance& who, const error& why);

  /// Answers `answer` now, or when the attach session that is asked to leave has gone.
  void end(const std::string& container, const caf::actor& attacher, caf::response_promise answer,
           const error& attached_by_another);

  /// The attempt has ended.
  void over(const kernel::instance& who, const attach_ended& how, const error& not_running);
  /// The shim of all of them is lost.
  void end_all(const attach_ended& how, const error& not_running);

  /// An attach session has ended: its container is free again.
  void down(std::uint64_t serial);

 private:
  struct slot {
    std::uint32_t attempt = 0;
    caf::actor attacher;
    std::optional<caf::response_promise> begin; ///< until the stream is there
    caf::actor session;                         ///< from then on
    std::uint64_t serial = 0;                   ///< of the session
    std::vector<caf::response_promise> leaving;
  };
  using slots = std::map<std::string, slot>; ///< by container
  slots::iterator find(const kernel::instance& who);
  void free(slots::iterator it);

  slots slots_;
  std::uint64_t last_serial_ = 0;
};

} // namespace tank

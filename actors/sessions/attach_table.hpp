/// The runtime's side of attaching: who is attached to which container. Part of one runtime actor.
#pragma once

#include "actors/sessions/attach_session.hpp"
#include "actors/sessions/messages.hpp"
#include "base/error.hpp"
#include "kernel/session_events.hpp"

#include <caf/actor.hpp>
#include <caf/response_promise.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tank {

/// Promises that it holds are answered at the latest by end_all().
class attach_table {
 public:
  [[nodiscard]] bool taken(const std::string& container) const {
    return slots_.contains(container);
  }

  /// The stream of the terminal was asked for; `answer` is given when it comes.
  void begin(const std::string& container, caf::actor attacher, caf::response_promise answer);

  /// The stream is there: starts the attach session. `args` as it wants them, without stream,
  /// attacher and serial.
  void open(const kernel::terminal_opened_event& e, caf::actor_system& sys, attach_args args);
  /// There is no stream, for this reason.
  void refuse(const std::string& container, const error& why);

  /// Answers `answer` now, or when the attach session that is asked to leave has gone.
  void end(const std::string& container, const caf::actor& attacher, caf::response_promise answer,
           const error& attached_by_another);

  /// The container has ended, or its shim is lost.
  void over(const std::string& container, const attach_ended& how, const error& not_running);
  /// The same for all of them.
  void end_all(const attach_ended& how, const error& not_running);

  /// An attach session has ended: its container is free again.
  void down(std::uint64_t serial);

 private:
  struct slot {
    caf::actor attacher;
    std::optional<caf::response_promise> begin; ///< until the stream is there
    caf::actor session;                         ///< from then on
    std::uint64_t serial = 0;
    std::vector<caf::response_promise> leaving;
  };
  void free(std::map<std::string, slot>::iterator it);

  std::map<std::string, slot> slots_; ///< by container
  std::uint64_t last_serial_ = 0;
};

} // namespace tank

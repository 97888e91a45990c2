/// Attaching to the containers of one run: who may, and what attachers hear of the run. Part of one
/// runtime actor.
#pragma once

#include "actors/sessions/attach_table.hpp"
#include "kernel/session.hpp"
#include "pod/pod_run.hpp"

#include <string>

namespace tank {

/// errc::conflict: the state of the pod `key` does not allow it.
error refusal(const char* step, const std::string& key, std::string cause, std::string hint = {});

/// The container of that name, or the pod's first; refused as get_host_pid is.
result<run::index> running_container(const pod_run& run, const std::string& key,
                                     const std::string& container, const char* step);

class runtime_attach {
 public:
  /// `run` outlives this object.
  runtime_attach(const pod_run& run, std::string key) : run_(run), key_(std::move(key)) {}

  /// `session` is null while there is none.
  void begin(const begin_attach& m, caf::response_promise answer, kernel::session* session);
  void end(const end_attach& m, caf::response_promise answer);

  // The session's answers.
  void open(const kernel::terminal_opened_event& e, caf::actor_system& sys, attach_args args) {
    table_.open(e, sys, std::move(args));
  }
  void refuse(const kernel::refused_event& e);

  void container_ended(const run::child_ended& e);
  /// The session is no more, or the runtime ends.
  void lose_all(std::string why);
  void session_ended(const attach_down& m) { table_.down(m.serial); }

 private:
  const pod_run& run_;
  const std::string key_;
  attach_table table_;
};

} // namespace tank

/// An OTP supervisor for CAF. Needs nothing else of this project: any CAF program may use it.
///
///   auto boss = tank::spawn_supervisor(system, {.strategy = tank::supervision::rest_for_one}, {
///       tank::child_of<db>("db", "/var/lib/app"),          // db is an actor class
///       tank::child_of<web>("web", tank::child_restart::transient),
///       {.id = "cron", .start = [](caf::actor_system& s) { return s.spawn(cron); }},
///       tank::supervisor_child("plugins", {.intensity = 3}, {...})});
///
/// It starts its children left to right and stops them right to left, restarts them as their spec
/// says, and gives up, ending itself with shutdown, after more than `intensity` restarts within
/// `period`: then its own supervisor decides. It takes the requests of supervisor_spec.hpp;
/// refusals are answered as to_error(tank::error). While it waits for children to end, requests
/// wait too.
///
/// Ends: an exit signal (exit_reason::user_shutdown from its supervisor) stops the children in
/// order and then the supervisor, with that reason. A supervisor that is killed, or fails, takes
/// its children with it. Children are stopped by user_shutdown and, after their time, by kill; a
/// child that ends with tank::stop_reason (see stop_reason.hpp), a plain quit() or any caf::error
/// is understood. Whoever made the supervisor ends it: dropping its handle is no way to stop it.
#pragma once

#include "actors/supervision/supervisor_spec.hpp"

#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tank {

/// A child that is an actor of class T, made with a copy of `args` each time.
template <class T, class... Args>
child_spec child_of(std::string id, child_restart restart, Args... args) {
  child_spec spec;
  spec.id = std::move(id);
  spec.restart = restart;
  // generic, so that this header needs no definition of actor_system
  spec.start = [args...](auto& sys) -> start_answer {
    return caf::actor{sys.template spawn<T>(args...)};
  };
  return spec;
}
/// A permanent one.
template <class T, class... Args>
child_spec child_of(std::string id, Args... args) {
  return child_of<T>(std::move(id), child_restart::permanent, std::move(args)...);
}

/// Gets every report, in the supervisor's thread; nobody when empty.
using report_sink = std::function<void(const supervisor_report&)>;

/// Refuses contradicting flags and specs. The children are started by the new actor; when one
/// cannot be, those before it are stopped and the supervisor ends abnormal / "start_failed".
/// For a dynamic supervisor `specs` is one template, whose start function may be empty.
result<caf::actor> spawn_supervisor(caf::actor_system& sys, const supervisor_flags& flags,
                                    std::vector<child_spec> specs, report_sink reports = {});

/// A supervisor as the child of another one.
child_spec supervisor_child(std::string id, const supervisor_flags& flags,
                            std::vector<child_spec> specs, report_sink reports = {});

} // namespace tank

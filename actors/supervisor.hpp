/// An OTP supervisor for CAF. Needs nothing else of this project: any CAF program may use it.
///
///   auto boss = spawn_supervisor(system, {.strategy = supervision::one_for_all}, {
///       {.id = "db", .start = [](caf::actor_system& s) { return s.spawn<db>(); }},
///       {.id = "web", .start = ..., .restart = child_restart::transient}});
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

#include "actors/supervisor_spec.hpp"

#include <functional>
#include <vector>

namespace tank {

/// Gets every report, in the supervisor's thread; nobody when empty.
using report_sink = std::function<void(const supervisor_report&)>;

/// Refuses contradicting flags and specs. The children are started by the new actor; when one
/// cannot be, those before it are stopped and the supervisor ends abnormal / "start_failed".
/// For a dynamic supervisor `specs` is one template, whose start function may be empty.
result<caf::actor> spawn_supervisor(caf::actor_system& sys, const supervisor_flags& flags,
                                    std::vector<child_spec> specs, report_sink reports = {});

} // namespace tank

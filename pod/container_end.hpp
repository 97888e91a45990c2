/// The end of an attempt of a container, in the words of stop reasons and of status. Pure.
#pragma once

#include "base/stop_reason.hpp"
#include "pod/model.hpp"
#include "pod/run_steps.hpp"

#include <optional>
#include <string>

namespace tank {

/// One sentence for people: "exited with code 3", "killed by signal 9 before its first instruction".
std::string describe(const run::container_end& end);

/// Of a workload that ran: as it exited, or 128 + the signal that ended it.
std::optional<int> exit_code_of(const run::container_end& end);

/// What it means for whoever restarts: see stop_cause.
stop_reason reason_of(const run::container_end& end);

/// What status shows, in kubelet's words: Completed, Error, OOMKilled, StartError, ErrImagePull, ...
last_exit exit_of(const run::container_end& end);

} // namespace tank

/// What instances that are gone have left, and its removal.
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"
#include "kernel/end_shims.hpp"
#include "pod/pod_records.hpp"

#include <chrono>
#include <vector>

namespace tank {

/// Ends what an instance that is gone has left: shims (with their workloads), run directories,
/// pods' storage, records. Blocking; for the start of an instance that does not adopt, and for its
/// very end, while it holds the lock. Returns what could not be removed.
std::vector<error> sweep_pods(const directories& dirs, kernel::port& port,
                              std::chrono::milliseconds patience = shim_patience);

/// The same for what no record claims: `plan` as of plan_adoption.
std::vector<error> sweep_orphans(const directories& dirs, const adoption_plan& plan,
                                 kernel::port& port,
                                 std::chrono::milliseconds patience = shim_patience);

} // namespace tank

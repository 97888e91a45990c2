/// What is there on the host because of one instance of Tank: taken before and after, compared.
/// What others make meanwhile, another Tank for one, is not in it.
///
/// Root suites have their own mount and network namespace (host_namespaces.hpp): every mount and
/// every link there is the instance's. Its processes are all below the test program. Cgroups and
/// files are told by their names.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

namespace tank::testing {

/// Entries by category: "mount", "process", "namespace", "cgroup", "link", "file", "fd".
using host_snapshot = std::map<std::string, std::multiset<std::string>>;

/// What belongs to an instance.
struct instance_traces {
  std::vector<std::filesystem::path> dirs; ///< listed recursively as "file"
  /// A cgroup is listed when its path has one of these as a component, in whatever hierarchy and
  /// below whatever parent.
  std::set<std::string> cgroups;
};

/// Makes this process the reaper of every descendant whose parent ends: none can get out of sight.
void become_subreaper();

/// All processes below this one, zombies of our own reaped before.
std::vector<pid_t> descendants();

/// Waits, by pidfd, up to `patience_ms` for descendants that are on their way out: a program's end
/// and its helpers' ends are not one instant.
host_snapshot take_snapshot(const instance_traces& of, int patience_ms = 10'000);

/// "" when equal; else one line for each difference: "+mount ...", "-fd ...". A mount in a
/// directory where others work that went is none: whoever removes the directory of a mount takes it
/// out of all namespaces.
std::string difference(const host_snapshot& before, const host_snapshot& after);

/// Ends what is left of a case that failed half-way: only our own descendants.
void kill_descendants();

} // namespace tank::testing

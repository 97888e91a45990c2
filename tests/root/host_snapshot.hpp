/// What is there on the host because of Tank: taken before and after, compared.
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

/// Makes this process the reaper of every descendant whose parent ends: none can get out of sight.
void become_subreaper();

/// All processes below this one, zombies of our own reaped before.
std::vector<pid_t> descendants();

/// `dirs` are listed recursively as "file"; `root` is where the test works. Waits, by pidfd, up to
/// 10 s for descendants that are on their way out: a program's end and its helpers' ends are not
/// one instant.
host_snapshot take_snapshot(const std::filesystem::path& root,
                            const std::vector<std::filesystem::path>& dirs);

/// "" when equal; else one line for each difference: "+mount ...", "-fd ...".
std::string difference(const host_snapshot& before, const host_snapshot& after);

/// Ends what is left of a case that failed half-way: only our own descendants.
void kill_descendants();

} // namespace tank::testing

/// The tables of the start benchmark.
#pragma once

#include "tests/bench/measure.hpp"

#include <string>
#include <vector>

namespace tank::bench {

/// One way to start a workload, measured once a round; ms.
struct figures {
  std::string name;
  series first, complete, stop;
};

/// Many pods at once, of one Tank, measured once a repeat.
struct crowd {
  std::string name;
  series per_second; ///< from the daemon's start
  series stop_ms;    ///< all, until the daemon has ended
  series shim_kib;   ///< PSS for each pod
  series daemon_kib; ///< what the daemon's PSS grew by, for each pod
};

/// Medians and 95th percentiles; how often the floor's, when the first row is the floor.
void print_starts(const std::vector<figures>& rows);
void print_crowds(const std::vector<crowd>& rows, int pods);

/// How the rows of one Tank relate to those of the one it is compared with: the median of the
/// ratios of what was measured in the same round, and between which two values half of these ratios
/// are.
void print_comparison(const figures& now, const figures& before);
void print_comparison(const crowd& now, const crowd& before);

} // namespace tank::bench

/// The command line of the start benchmark.
#pragma once

#include "base/error.hpp"
#include "tests/bench/tank_host.hpp"

#include <set>
#include <string>
#include <vector>

namespace tank::bench {

struct start_options {
  std::vector<tank_build> tanks; ///< at least one; the others are compared with the first
  std::string floor, witness;
  std::set<std::string> peers; ///< empty: all that are installed; {"none"}: none
  int rounds = 30;
  int pods = 100;
  int peer_pods = 30; ///< the slowest peer needs a quarter of a second for each
  int repeats = 3;    ///< of the throughput of each Tank
};

/// `program` is the benchmark's own path: of its build are the programs that are not named.
result<start_options> parse_start(const std::string& program,
                                  const std::vector<std::string>& words);

inline constexpr const char* start_usage =
    "usage (as root): start [--tank [LABEL=]PROGRAM[:SHIM]]... [--rounds N] [--pods N]\n"
    "                       [--repeats N] [--peers floor,bwrap,crun,runc,podman | none]\n"
    "                       [--floor PATH] [--witness PATH]\n"
    "Several --tank are measured in turn and compared with the first. What is not named is that "
    "of\n"
    "this build.\n";

} // namespace tank::bench

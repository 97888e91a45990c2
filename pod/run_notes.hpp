/// What a runtime writes down for its heir, before it does it (pod_record.hpp).
#pragma once

#include "pod/pod_records.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace spdlog {
class logger;
} // namespace spdlog

namespace tank {

/// Of one run. Failures are logged: a note that is missing costs an heir its knowledge, not the run
/// its life.
class run_notes {
 public:
  /// `records` may be null: nothing is kept. `log` may be empty.
  run_notes(std::shared_ptr<pod_records> records, std::string key, std::uint64_t run,
            std::shared_ptr<spdlog::logger> log);

  void prepared(const run_facts& facts) const;
  void released(std::int64_t at) const; ///< CLOCK_MONOTONIC in ns
  void brought_up(const phase_times& phases) const;
  void ended(const run_end& end); ///< the first counts

 private:
  void check(const result<void>& kept) const;

  std::shared_ptr<pod_records> records_;
  std::string key_;
  std::uint64_t run_;
  std::shared_ptr<spdlog::logger> log_;
  bool ended_ = false;
};

} // namespace tank

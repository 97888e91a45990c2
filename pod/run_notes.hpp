/// What a runtime writes down for its heir, before it acts on it (pod_record.hpp).
#pragma once

#include "pod/pod_records.hpp"

#include <cstdint>
#include <memory>
#include <optional>
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

  /// Writes only what is other than before.
  void keep(run_record record);

 private:
  std::shared_ptr<pod_records> records_;
  std::string key_;
  std::uint64_t run_;
  std::shared_ptr<spdlog::logger> log_;
  std::optional<run_record> kept_;
};

} // namespace tank

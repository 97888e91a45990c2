#include "pod/run_notes.hpp"

#include "base/log.hpp"
#include "base/text.hpp"

#include <utility>

namespace tank {

run_notes::run_notes(std::shared_ptr<pod_records> records, std::string key, std::uint64_t run,
                     std::shared_ptr<spdlog::logger> log)
    : records_(std::move(records))
    , key_(std::move(key))
    , run_(run)
    , log_(std::move(log)) {}

void run_notes::keep(run_record record) {
  if (!records_) return;
  record.number = run_;
  if (kept_ == record) return;
  if (const auto kept = records_->keep_run(key_, record); !kept)
    log_or_none(log_)->error("event=record_failed pod={} error={}", key_,
                             in_quotes(kept.error().message()));
  kept_ = std::move(record);
}

} // namespace tank

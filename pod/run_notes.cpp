#include "pod/run_notes.hpp"

#include "base/log.hpp"

#include <utility>

namespace tank {

run_notes::run_notes(std::shared_ptr<pod_records> records, std::string key, std::uint64_t run,
                     std::shared_ptr<spdlog::logger> log)
    : records_(std::move(records))
    , key_(std::move(key))
    , run_(run)
    , log_(std::move(log)) {}

void run_notes::check(const result<void>& kept) const {
  if (!kept)
    log_or_none(log_)->error("event=record_failed pod={} error=\"{}\"", key_,
                             kept.error().message());
}

void run_notes::prepared(const run_facts& facts) const {
  if (records_) check(records_->prepared(key_, run_, facts));
}

void run_notes::released(std::int64_t at) const {
  if (records_) check(records_->released(key_, run_, at));
}

void run_notes::brought_up(const phase_times& phases) const {
  if (records_) check(records_->brought_up(key_, run_, phases));
}

void run_notes::ended(const run_end& end) {
  if (std::exchange(ended_, true) || !records_) return;
  check(records_->ended(key_, run_, end));
}

} // namespace tank

#include "oci/image_room.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "base/thread.hpp"

#include <spdlog/logger.h>

#include <utility>

namespace tank {

image_room::image_room(std::function<result<oci::prune_report>()> make_room,
                       std::chrono::milliseconds period, std::shared_ptr<spdlog::logger> logger)
    : make_room_(std::move(make_room))
    , period_(period)
    , logger_(log_or_none(std::move(logger)))
    , thread_(quiet_thread([this] { run(); })) {}

image_room::~image_room() {
  {
    const std::lock_guard lock{mutex_};
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void image_room::poke() {
  {
    const std::lock_guard lock{mutex_};
    poked_ = true;
  }
  changed_.notify_all();
}

void image_room::run() {
  for (;;) {
    {
      std::unique_lock lock{mutex_};
      changed_.wait_for(lock, period_, [this] { return poked_ || ended_; });
      if (ended_) return;
      poked_ = false;
    }
    look();
  }
}

void image_room::look() {
  const auto report = make_room_();
  if (!report) return logger_->warn("event=no_room error={}", in_quotes(report.error().message()));
  for (const auto& name : report->images)
    logger_->info("event=image_removed image={} reason=\"the disk is too full\"", name);
  if (report->layers > 0 || report->blobs > 0)
    logger_->info("event=room_made layers={} blobs={} bytes={}", report->layers, report->blobs,
                  report->bytes);
}

} // namespace tank

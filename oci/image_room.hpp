/// Keeps room on the disk of the image store: a thread that looks from time to time, and when it is
/// told that something came.
#pragma once

#include "base/error.hpp"
#include "oci/store.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace spdlog {
class logger;
}

namespace tank {

/// The disk fills by others' doing too, and says nothing when it does: hence the period. What is
/// removed is logged as event=image_removed and event=room_made, a failure as event=no_room.
class image_room {
 public:
  /// `make_room` removes what nobody needs if there is too little room: oci::store::relieve, or a
  /// fake. Called in the thread, one call at a time; blocking. The first look is at once.
  image_room(std::function<result<oci::prune_report>()> make_room, std::chrono::milliseconds period,
             std::shared_ptr<spdlog::logger> logger);
  image_room(const image_room&) = delete;
  image_room& operator=(const image_room&) = delete;
  /// Waits for a look that is under way.
  ~image_room();

  /// Something has come: look now. From any thread; does not block.
  void poke();

 private:
  void run();
  void look();

  const std::function<result<oci::prune_report>()> make_room_;
  const std::chrono::milliseconds period_;
  const std::shared_ptr<spdlog::logger> logger_;
  std::mutex mutex_; ///< guards what follows
  std::condition_variable changed_;
  bool poked_ = true;
  bool ended_ = false;
  std::thread thread_; ///< last: it uses all the others
};

} // namespace tank

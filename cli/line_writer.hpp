/// The way of log lines to a descriptor whose reader nobody can rely on: a pager that was stopped,
/// a full pipe. Who logs never waits for it.
#pragma once

#include "base/unique_fd.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace tank::cli {

/// Thread-safe. Costs a thread, which sleeps while there is nothing to write.
class line_writer {
 public:
  /// What waits for the reader, at most.
  static constexpr std::size_t most_bytes = std::size_t{1} << 20;

  /// Writes to `fd`, which stays the caller's and is best a pipe, a socket or a terminal: a write
  /// to a file waits for its disk. `farewell` is what the destructor gives the reader at most.
  explicit line_writer(int fd, std::chrono::milliseconds farewell = std::chrono::seconds{1});
  ~line_writer();
  line_writer(const line_writer&) = delete;
  line_writer& operator=(const line_writer&) = delete;

  /// With its newline. False: there is no room; the line is lost.
  bool add(std::string_view line);

 private:
  void loop();
  [[nodiscard]] bool await_reader();
  void write_some(std::string_view bytes);

  const int fd_;
  const std::chrono::milliseconds farewell_;
  const unique_fd closing_; ///< readable once the destructor has begun
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_; ///< guarded, as the next
  bool close_ = false;
  std::chrono::steady_clock::time_point deadline_; ///< once `closing_` is readable
  std::thread thread_;                             ///< last: it uses all of the others
};

} // namespace tank::cli

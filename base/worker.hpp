/// Blocking work on a few plain threads, away from whoever must not block.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace tank {

/// Runs jobs somewhere else. Thread-safe. Tests hand in an inline_runner.
class job_runner {
 public:
  virtual ~job_runner() = default;
  /// Takes the job; runs it once, unless the runner ends first. The job must not throw.
  virtual void submit(std::function<void()> job) = 0;
};

/// One job at a time, in order, on another runner: a job that hangs takes one of its threads,
/// however many are behind it.
class serial_runner final : public job_runner, public std::enable_shared_from_this<serial_runner> {
 public:
  explicit serial_runner(std::shared_ptr<job_runner> on) : on_(std::move(on)) {}
  void submit(std::function<void()> job) override;

 private:
  void run_next();

  std::shared_ptr<job_runner> on_;
  std::mutex mutex_; ///< guards what follows
  bool busy_ = false;
  std::deque<std::function<void()>> waiting_;
};

/// A number of threads and one queue, first in first out. Jobs that hang (a volume on a file system
/// that does not answer) hold up the others for `patience`: a job that has waited so long gets a
/// thread beyond that number, as long as there are less than `most_threads`; none without patience.
/// The destructor waits for running jobs and drops those not begun; destroy it after the actors
/// that use it have ended.
class thread_pool final : public job_runner {
 public:
  explicit thread_pool(std::size_t threads = 4,
                       std::optional<std::chrono::milliseconds> patience = std::chrono::seconds{
                           10});
  static constexpr std::size_t most_threads = 256;
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool() override;

  void submit(std::function<void()> job) override;
  /// What the destructor does, for a pool that others still point at; later jobs are dropped.
  void stop();

 private:
  class core;
  std::unique_ptr<core> core_;
};

/// Runs each job at once in the caller: for tests.
class inline_runner final : public job_runner {
 public:
  void submit(std::function<void()> job) override { job(); }
};

} // namespace tank

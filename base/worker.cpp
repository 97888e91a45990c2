#include "base/worker.hpp"

#include <algorithm>
#include <condition_variable>
#include <thread>
#include <vector>

#include <pthread.h>
#include <signal.h>

namespace tank {

void serial_runner::submit(std::function<void()> job) {
  {
    const std::lock_guard lock{mutex_};
    waiting_.push_back(std::move(job));
    if (std::exchange(busy_, true)) return;
  }
  on_->submit([self = shared_from_this()] { self->run_next(); });
}

void serial_runner::run_next() {
  std::function<void()> job;
  {
    const std::lock_guard lock{mutex_};
    job = std::move(waiting_.front());
    waiting_.pop_front();
  }
  job();
  job = nullptr; // what it holds goes before the next one begins
  {
    const std::lock_guard lock{mutex_};
    busy_ = !waiting_.empty();
    if (!busy_) return;
  }
  on_->submit([self = shared_from_this()] { self->run_next(); });
}

class thread_pool::core {
 public:
  core(std::size_t threads, std::optional<std::chrono::milliseconds> patience)
      : usual_(threads)
      , patience_(patience)
      , idle_(threads) {
    const std::lock_guard lock{mutex_};
    for (std::size_t i = 0; i < threads; ++i)
      add_thread(false);
  }

  ~core() { stop(); }

  void stop() {
    std::vector<std::thread> all;
    {
      const std::lock_guard lock{mutex_};
      stopped_ = true;
      all = std::move(threads_);
      threads_.clear();
    }
    wake_.notify_all();
    reserve_wake_.notify_all();
    for (auto& t : all)
      t.join();
    const std::lock_guard lock{mutex_};
    jobs_.clear(); // what they hold goes now
  }

  void submit(std::function<void()> job) {
    {
      const std::lock_guard lock{mutex_};
      if (stopped_) return;
      jobs_.push_back({std::move(job), std::chrono::steady_clock::now()});
      call_reserve();
    }
    wake_.notify_one();
  }

 private:
  struct waiting_job {
    std::function<void()> run;
    std::chrono::steady_clock::time_point since;
  };

  /// With mutex_ held. Threads inherit the mask: signals are read elsewhere.
  void add_thread(bool reserve) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    threads_.emplace_back([this, reserve] { loop(reserve); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  /// With mutex_ held: somebody waits with a job that nobody takes.
  void call_reserve() {
    if (!patience_ || idle_ > 0 || jobs_.empty() || reserve_) return;
    bury();
    if (threads_.size() >= most_threads) return;
    reserve_ = true;
    add_thread(true);
  }

  /// With mutex_ held: joins the threads that have left.
  void bury() {
    for (const auto id : std::exchange(left_, {})) {
      const auto it = std::find_if(threads_.begin(), threads_.end(),
                                   [&](const std::thread& t) { return t.get_id() == id; });
      if (it == threads_.end()) continue;
      it->join();
      threads_.erase(it);
    }
  }

  void loop(bool reserve) {
    std::unique_lock lock{mutex_};
    if (reserve && !stand_by(lock)) return left_.push_back(std::this_thread::get_id());
    while (take_one(lock)) {
    }
    left_.push_back(std::this_thread::get_id());
  }

  /// Of the reserve: until the oldest job has waited too long. False: somebody else took it.
  bool stand_by(std::unique_lock<std::mutex>& lock) {
    while (!stopped_ && !jobs_.empty()) {
      const auto due = jobs_.front().since + *patience_;
      if (std::chrono::steady_clock::now() >= due) break;
      reserve_wake_.wait_until(lock, due);
    }
    reserve_ = false;
    if (stopped_ || jobs_.empty()) return false;
    ++idle_;
    return true;
  }

  /// Runs one job. False: this thread is not needed any more.
  bool take_one(std::unique_lock<std::mutex>& lock) {
    wake_.wait(lock, [this] { return stopped_ || !jobs_.empty() || idle_ > usual_; });
    --idle_;
    if (stopped_ || jobs_.empty()) return false;
    {
      const auto job = std::move(jobs_.front().run);
      jobs_.pop_front();
      call_reserve();
      lock.unlock();
      job();
    }
    lock.lock();
    ++idle_;
    return true;
  }

  const std::size_t usual_;
  const std::optional<std::chrono::milliseconds> patience_;
  std::mutex mutex_; // guards all that follows
  std::condition_variable wake_;
  std::condition_variable reserve_wake_;
  bool stopped_ = false;
  bool reserve_ = false; // a thread stands by
  std::size_t idle_;     // without the one that stands by
  std::deque<waiting_job> jobs_;
  std::vector<std::thread> threads_;
  std::vector<std::thread::id> left_;
};

thread_pool::thread_pool(std::size_t threads, std::optional<std::chrono::milliseconds> patience)
    : core_(std::make_unique<core>(threads, patience)) {}

thread_pool::~thread_pool() = default;

void thread_pool::stop() {
  core_->stop();
}

void thread_pool::submit(std::function<void()> job) {
  core_->submit(std::move(job));
}

} // namespace tank

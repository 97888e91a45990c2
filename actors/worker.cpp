#include "actors/worker.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include <pthread.h>
#include <signal.h>

namespace tank {

class thread_pool::core {
 public:
  explicit core(std::size_t threads) {
    // threads inherit the mask: signals are read elsewhere
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (std::size_t i = 0; i < threads; ++i)
      threads_.emplace_back([this] { loop(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~core() { stop(); }

  void stop() {
    {
      const std::lock_guard lock{mutex_};
      stopped_ = true;
    }
    wake_.notify_all();
    for (auto& t : threads_)
      t.join();
    threads_.clear();
  }

  void submit(std::function<void()> job) {
    {
      const std::lock_guard lock{mutex_};
      if (stopped_) return;
      jobs_.push_back(std::move(job));
    }
    wake_.notify_one();
  }

 private:
  void loop() {
    for (;;) {
      std::function<void()> job;
      {
        std::unique_lock lock{mutex_};
        wake_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
        if (stopped_) return;
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      job();
    }
  }

  std::mutex mutex_; // guards stopped_ and jobs_
  std::condition_variable wake_;
  bool stopped_ = false;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
};

thread_pool::thread_pool(std::size_t threads) : core_(std::make_unique<core>(threads)) {}

thread_pool::~thread_pool() = default;

void thread_pool::stop() {
  core_->stop();
}

void thread_pool::submit(std::function<void()> job) {
  core_->submit(std::move(job));
}

} // namespace tank

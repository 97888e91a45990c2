/// Threads that leave the process's signals alone.
#pragma once

#include <csignal>
#include <thread>
#include <utility>

namespace tank {

/// Blocks every signal for the calling thread while it lives, and for the threads made meanwhile
/// for ever: a thread inherits the mask of the one that made it.
class signals_blocked {
 public:
  signals_blocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;
  ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

/// A thread that no signal is delivered to: they belong to whoever reads them (a signalfd, the main
/// thread).
template <class Work>
std::thread quiet_thread(Work&& work) {
  const signals_blocked mask;
  return std::thread{std::forward<Work>(work)};
}

} // namespace tank

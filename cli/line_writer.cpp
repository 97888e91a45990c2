#include "cli/line_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace tank::cli {

line_writer::line_writer(int fd, std::chrono::milliseconds farewell)
    : fd_(fd)
    , farewell_(farewell)
    , closing_(::eventfd(0, EFD_CLOEXEC)) {
  // Signals are for the others, and a reader that is gone is no reason to die.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread{[this] { loop(); }};
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

line_writer::~line_writer() {
  {
    const std::lock_guard lock{mutex_};
    close_ = true;
    deadline_ = std::chrono::steady_clock::now() + farewell_;
  }
  changed_.notify_one();
  ::eventfd_write(closing_.get(), 1);
  thread_.join();
}

bool line_writer::add(std::string_view line) {
  {
    const std::lock_guard lock{mutex_};
    if (waiting_.size() + line.size() > most_bytes) return false;
    waiting_.append(line);
  }
  changed_.notify_one();
  return true;
}

void line_writer::loop() {
  std::string batch;
  for (;;) {
    {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [this] { return close_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      batch.swap(waiting_);
    }
    write_some(batch);
    batch.clear();
  }
}

/// A pipe that is writable takes PIPE_BUF bytes without waiting (pipe(7)).
void line_writer::write_some(std::string_view bytes) {
  while (!bytes.empty() && await_reader()) {
    const auto n = ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    if (n < 0 && errno != EINTR && errno != EAGAIN) return; // nobody will ever read them
    bytes.remove_prefix(n > 0 ? static_cast<std::size_t>(n) : 0);
  }
}

/// False: it is time to go.
bool line_writer::await_reader() {
  pollfd both[] = {{fd_, POLLOUT, 0}, {closing_.get(), POLLIN, 0}};
  while (::poll(both, 2, -1) < 0)
    if (errno != EINTR) return false;
  if (both[0].revents != 0) return true;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
  return ::poll(both, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) > 0;
}

} // namespace tank::cli

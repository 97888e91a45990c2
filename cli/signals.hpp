/// Termination signals as a descriptor.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <csignal>

namespace tank::cli {

/// Blocks SIGINT, SIGTERM, SIGHUP and SIGPIPE (and ignores the last two, when asked: a daemon does
/// not depend on who reads its output) for this thread and those it starts later; they arrive at
/// `fd()`. Restores the mask when it ends. Make it before the first thread.
class termination_signals {
 public:
  /// With `resizes`, SIGWINCH too.
  static result<termination_signals> take(bool ignore_hangup, bool resizes = false);
  termination_signals(termination_signals&& other) noexcept
      : fd_{std::move(other.fd_)}
      , before_{other.before_}
      , hangup_{other.hangup_} {}
  ~termination_signals();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// The next signal that came, 0 when there is none. Never blocks.
  int next();

 private:
  termination_signals() = default;

  unique_fd fd_;
  sigset_t before_{};
  bool hangup_ = false;
};

} // namespace tank::cli

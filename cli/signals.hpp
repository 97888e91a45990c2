/// Termination signals as a descriptor.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <chrono>
#include <csignal>
#include <optional>

#include <sys/types.h>

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
  /// Who sent the last one; 0: the kernel, as for a key of the terminal.
  [[nodiscard]] pid_t sender() const noexcept { return sender_; }

 private:
  termination_signals() = default;

  unique_fd fd_;
  sigset_t before_{};
  bool hangup_ = false;
  pid_t sender_ = 0;
};

/// Tells apart the wishes behind termination signals. Ctrl-C pressed twice is two wishes, however
/// fast. But timeout(1) signals its child, and then the group that its child is in; and the end of
/// a terminal comes from the kernel, from the shell and from whoever ends the login.
class wishes {
 public:
  using time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds one_wish{250};

  /// Whether `signal` of `sender` (see termination_signals) is a wish of its own.
  [[nodiscard]] bool is_new(int signal, pid_t sender, time now);

 private:
  int signal_ = 0;
  pid_t sender_ = 0;
  std::optional<time> at_; ///< of the last wish
};

} // namespace tank::cli

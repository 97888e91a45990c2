/// One container as the shim keeps it: its process, its stage, and which events are still to tell.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/protocol.hpp"
#include "kernel/shim/child.hpp"
#include "kernel/shim/memory_watch.hpp"
#include "kernel/shim/output.hpp"
#include "kernel/shim/syscalls.hpp"
#include "kernel/shim/user_space.hpp"
#include "kernel/stage.hpp"

namespace tank::kernel::shim {

/// A state machine over kernel/stage.hpp's table. It knows no connection: it marks the stages it
/// passed as pending, and the server tells them when somebody listens. Events are level-triggered
/// facts, so a daemon that reads slowly costs no memory here.
class container {
 public:
  container(const char* name, std::uint32_t attempt) noexcept : attempt_(attempt) {
    copy_text(name_, name);
  }

  /// Opens the log, clones and parks the child: `ready`, or `failed`. In `users`, when that is one.
  /// `serial` is that of the request `create`.
  void start(const wire::plan_view& plan, const user_space& users, std::uint32_t serial) noexcept;

  /// What became of a request about this attempt; only `act` and `hold` did anything. `value` is a
  /// signal's number. `create` and `shutdown` are not for one container.
  verdict ask(request what, std::int32_t value, std::uint32_t serial) noexcept;

  /// Another daemon's requests are not answered any more: what happens now answers nothing.
  void forget_serials() noexcept { std::memset(serials_, 0, sizeof serials_); }

  /// The child said something, or execve (or death) closed its end.
  void on_checkpoint() noexcept;

  /// The child is a zombie, not yet reaped (its /proc entry is still needed).
  void on_exit(const siginfo_t& how) noexcept;

  [[nodiscard]] const char* name() const noexcept { return name_; }
  [[nodiscard]] std::uint32_t attempt() const noexcept { return attempt_; }
  [[nodiscard]] pid_t pid() const noexcept { return is_terminal(at_) ? 0 : pid_; }
  [[nodiscard]] bool ended() const noexcept { return is_terminal(at_); }
  /// A pidfd; -1 when it has none, or no more.
  [[nodiscard]] int process() const noexcept { return pidfd_.get(); }
  [[nodiscard]] int checkpoint_fd() const noexcept { return checkpoint_.get(); }
  /// What it writes, and what those that outlive it still write.
  [[nodiscard]] output& streams() noexcept { return output_; }

  /// All that is known, as a `state` frame.
  [[nodiscard]] protocol::container_frame describe() const noexcept;
  /// The oldest untold event; false when there is none. `told()` after it was sent.
  bool untold(protocol::container_frame* out) const noexcept;
  void told(stage s) noexcept { pending_ &= ~bit(s); }
  void told_all() noexcept { pending_ = 0; }

 private:
  static constexpr unsigned bit(stage s) noexcept { return 1u << static_cast<unsigned>(s); }
  void enter(stage s) noexcept {
    at_ = s;
    pending_ |= bit(s);
  }
  void fail(int sys, const char* step, launch_failure code) noexcept;
  void finish_as(stage s) noexcept;
  bool launch(const wire::plan_view& plan, const user_space& users) noexcept;
  void give_up() noexcept;
  void run() noexcept;
  void send(command wanted) noexcept;
  [[nodiscard]] std::uint32_t serial_of(stage s) const noexcept;

  char name_[protocol::name_size] = {};
  std::uint32_t attempt_;
  stage at_ = stage::starting;
  bool building_ = false;   ///< told to build, not yet answered
  bool proceeding_ = false; ///< told to go: too late to abort
  bool aborting_ = false;
  bool killed_ = false;
  bool has_failed_ = false; ///< `why_` is set; it becomes `failed` when the child is gone
  bool core_dumped_ = false;
  bool out_of_memory_ = false;
  unsigned pending_ = 0;
  pid_t pid_ = 0;
  unique_fd pidfd_;
  unique_fd stat_; ///< /proc/<pid>/stat, until it runs
  unique_fd checkpoint_;
  memory_watch memory_;
  std::uint32_t serials_[requests] = {}; ///< by request: of the last one that was taken
  std::int32_t result_ = 0;
  std::int64_t started_ns_ = 0;
  std::int64_t finished_ns_ = 0;
  unsigned held_count_ = 0;
  std::uint8_t held_[protocol::max_held_signals] = {}; ///< signals for `running`, in order
  step_failure why_;
  output output_; ///< last: mostly untouched pages
};

} // namespace tank::kernel::shim

/// One container as the shim keeps it: its process, its stage, and which events are still to tell.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/protocol.hpp"
#include "kernel/shim/child.hpp"
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
  explicit container(const char* name) noexcept { copy_text(name_, name); }

  /// Opens the log, clones and parks the child: `ready`, or `failed`.
  /// In `users`, when that is one.
  void start(const wire::plan_view& plan, const user_space& users) noexcept;

  /// What became of the request; only `act` and `hold` did anything.
  verdict request(verb what, std::int32_t value) noexcept;

  /// The child said something, or execve (or death) closed its end.
  void on_checkpoint() noexcept;

  /// The child is a zombie, not yet reaped (its /proc entry is still needed).
  void on_exit(const siginfo_t& how) noexcept;

  [[nodiscard]] const char* name() const noexcept { return name_; }
  [[nodiscard]] pid_t pid() const noexcept { return is_terminal(at_) ? 0 : pid_; }
  [[nodiscard]] bool ended() const noexcept { return is_terminal(at_); }
  [[nodiscard]] bool parked() const noexcept { return at_ < stage::running; }
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
  void fail(int sys, const char* step, const char* object) noexcept;
  void finish_as(stage s) noexcept;
  bool launch(const wire::plan_view& plan, const user_space& users) noexcept;
  void give_up() noexcept;
  void run() noexcept;
  void send(command wanted) noexcept;

  char name_[protocol::name_size] = {};
  stage at_ = stage::starting;
  bool building_ = false;   ///< told to build, not yet answered
  bool proceeding_ = false; ///< told to go: too late to abort
  bool aborting_ = false;
  bool killed_ = false;
  bool has_failed_ = false; ///< `why_` is set; it becomes `failed` when the child is gone
  bool core_dumped_ = false;
  unsigned pending_ = 0;
  pid_t pid_ = 0;
  unique_fd pidfd_;
  unique_fd stat_; ///< /proc/<pid>/stat, until it runs
  unique_fd checkpoint_;
  std::int32_t result_ = 0;
  std::int64_t started_ns_ = 0;
  std::int64_t finished_ns_ = 0;
  unsigned held_count_ = 0;
  std::uint8_t held_[protocol::max_held_signals] = {}; ///< signals for `running`, in order
  failure why_;
  output output_; ///< last: mostly untouched pages
};

} // namespace tank::kernel::shim

/// What one container writes: two pipes read by the shim into its log.
#pragma once

#include "kernel/shim/cri.hpp"
#include "kernel/shim/log_file.hpp"
#include "kernel/shim/steps.hpp"

namespace tank::kernel::shim {

/// A workload waits for the log only as long as its pipe is full. Each wakeup reads a bounded amount
/// of each container, so that one that writes much does not keep the shim from the others.
class output {
 public:
  /// Opens the log and makes the pipes, owned by the workload's user (it may reopen
  /// /proc/self/fd/1). With an empty path there is nothing to read. 0, or -1 with `out`.
  /// `first_id` is the host's id of the plan's 0.
  int open(const wire::plan_view& plan, std::uint32_t first_id, step_failure* out) noexcept;

  /// The ends that become the child's fds 1 and 2; -1 when its output goes nowhere.
  [[nodiscard]] int childs_end(unsigned stream) const noexcept { return write_[stream].get(); }
  /// After clone: only the child keeps the writing ends, so that its end closes them.
  void close_childs_ends() noexcept;

  /// Closes everything: there will be no child.
  void close() noexcept;

  [[nodiscard]] int poll_fd(unsigned stream) const noexcept { return read_[stream].get(); }
  void on_readable(unsigned stream) noexcept;

  /// The workload has ended: what is in the pipes now goes into the log. Bounded: a descendant that
  /// still writes cannot keep this going.
  void drain() noexcept;

 private:
  enum class progress { more, none };
  progress read_some(unsigned stream, std::size_t limit, std::size_t* got) noexcept;
  void finish(unsigned stream) noexcept;

  log_file log_;
  unique_fd read_[2];
  unique_fd write_[2];
  partial_line held_[2]; ///< only `size` is initialised
};

} // namespace tank::kernel::shim

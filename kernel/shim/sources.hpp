/// What a plan takes from the host, opened and mapped on behalf of a child in a user namespace: the
/// child may neither search the host's directories nor map a mount's ids.
#pragma once

#include "kernel/shim/steps.hpp"

namespace tank::kernel::shim {

/// One detached mount for each overlay, bind and volume step, in the plan's order. In a user namespace they
/// are attached as they are: all their attributes are set here, and stay locked there.
class sources {
 public:
  static constexpr unsigned most = 256;

  sources() noexcept = default;
  sources(const sources&) = delete;
  sources& operator=(const sources&) = delete;
  ~sources() {
    for (unsigned i = 0; i < count_; ++i)
      ::close(fds_[i]);
  }

  /// `users` is the user namespace. 0, or -1 with `out` filled.
  int open(const wire::plan_view& plan, int users, step_failure* out) noexcept;

  [[nodiscard]] unsigned count() const noexcept { return count_; }
  [[nodiscard]] int fd(unsigned i) const noexcept { return fds_[i]; }
  /// The lowest of their descriptors that is not below `from`; false when there is none. All are
  /// above those that a child is given.
  bool next(unsigned from, unsigned* out) const noexcept;

 private:
  int fds_[most] = {};
  unsigned count_ = 0;
};

/// What a volume step shows, as a detached mount with all its attributes; -1 with `out`. With a
/// user namespace `users` the ids are mapped when the step says so; -1: there is none.
int open_volume(const wire::volume_view& s, int users, step_failure* out) noexcept;

/// The overlay of a plan as a detached mount whose layers are mapped; -1 with `out`. Made in a
/// mount namespace that goes again, where the layers are mounted meanwhile. With `by_string`, or
/// where overlayfs takes no descriptors (before 6.13), by mount(2).
int make_mapped_overlay(const wire::overlay_view& s, int users, bool by_string,
                        step_failure* out) noexcept;

} // namespace tank::kernel::shim

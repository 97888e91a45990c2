#include "kernel/shim/steps.hpp"

#include "kernel/shim/builder.hpp"

#include <cerrno>

#include <sys/stat.h>

namespace tank::kernel::shim {
namespace {

int dispatch(builder& b, const wire::step_view& s) noexcept {
  using enum wire::step_kind;
  if (s.kind == fault) return b.out->set(s.fault.sys, "carry out a step made to fail", "fault");
  if (s.kind == sysctl) return set_sysctl(b, s.sysctl);
  if (s.kind == overlay) return make_root(b, s.overlay);
  if (!b.root) return b.out->set(EINVAL, "build without a root filesystem", "plan");
  if (b.pivoted && s.kind != wire::step_kind::mask && s.kind != read_only) {
    return b.out->set(EINVAL, "carry out a step behind the pivot", "plan");
  }
  switch (s.kind) {
  case filesystem:
    return mount_filesystem(b, s.filesystem);
  case bind:
    return bind_source(b, s.bind);
  case volume:
    return mount_volume(b, s.volume);
  case device:
    return make_device(b, s.device);
  case symlink:
    return make_symlink(b, s.symlink);
  case directory:
    return make_directory(b, s.directory);
  case wire::step_kind::mask:
    return shim::mask(b, s.mask);
  case read_only:
    return protect(b, s.read_only);
  case wire::step_kind::pivot:
    return shim::pivot(b, s.pivot);
  case overlay:
  case fault:
  case sysctl:
    break;
  }
  return b.out->set(EBADMSG, "understand a step", "plan");
}

} // namespace

int run_steps(const wire::plan_view& plan, const sources* opened, step_failure* out) noexcept {
  // Slave, not private: while we build, an unmount on the host still reaches our copies of its
  // mounts, which would otherwise keep a disk busy; nothing of ours travels the other way. What
  // the container keeps is made private mount by mount.
  if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) {
    return out->set(errno, "separate the mounts of", "/");
  }
  ::umask(0); // modes are the plan's; exec_process sets the workload's
  builder b;
  b.out = out;
  b.opened = opened;
  // exec_process makes it, but in a read-only root it would be too late.
  if (plan.process.create_cwd) b.late_directory = plan.process.cwd.c_str();
  wire::step_view s;
  std::int32_t index = 0;
  for (auto cursor = plan.steps.walk(); cursor.next(&s); ++index) {
    if (dispatch(b, s) != 0) {
      out->place(index);
      return -1;
    }
  }
  return 0;
}

} // namespace tank::kernel::shim

#include "kernel/shim/cgroup.hpp"

#include <cerrno>

#include <fcntl.h>

namespace tank::kernel::shim {

int join_cgroups(const wire::text_list& dirs, pid_t pid, step_failure* out) noexcept {
  char number[21];
  const auto size =
      static_cast<std::size_t>(put_decimal(number, static_cast<std::uint64_t>(pid)) - number);
  for (std::uint32_t i = 0; i < dirs.count; ++i) {
    const unique_fd dir{::open(dirs.items[i], O_PATH | O_DIRECTORY | O_CLOEXEC)};
    const unique_fd procs{dir ? ::openat(dir.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC) : -1};
    if (!procs || ::write(procs.get(), number, size) < 0)
      return out->set(errno, "join the cgroup", dirs.items[i], launch_failure::join_cgroup);
  }
  return 0;
}

} // namespace tank::kernel::shim

#include "kernel/shim_reaper.hpp"

#include <utility>

#include <sys/wait.h>

namespace tank::kernel {

static constexpr idtype_t pidfd_id = static_cast<idtype_t>(3); // P_PIDFD

void shim_reaper::add(unique_fd pidfd) {
  const std::lock_guard lock{mutex_};
  pidfds_.push_back(std::move(pidfd));
}

void shim_reaper::sweep() {
  const std::lock_guard lock{mutex_};
  std::erase_if(pidfds_, [](const unique_fd& fd) {
    siginfo_t how{};
    const int rc = ::waitid(pidfd_id, static_cast<id_t>(fd.get()), &how, WEXITED | WNOHANG);
    return rc != 0 || how.si_pid != 0; // ECHILD: never ours, or reaped by somebody
  });
}

} // namespace tank::kernel

#include "kernel/shim/sandbox.hpp"

#include "base/unique_fd.hpp"

#include <cstring>

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tank::kernel::shim {

// One ioctl instead of netlink: the address 127.0.0.1 comes by itself when lo goes up.
static bool raise_loopback() noexcept {
  const unique_fd any{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!any) return false;
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return ::ioctl(any.get(), SIOCSIFFLAGS, &request) == 0;
}

const char* enter_sandbox(const protocol::sandbox_frame& wanted, sandbox* out) noexcept {
  const bool new_uts = wanted.hostname[0] != '\0';
  const int flags = (wanted.new_net != 0 ? CLONE_NEWNET : 0) |
                    (wanted.new_ipc != 0 ? CLONE_NEWIPC : 0) | (new_uts ? CLONE_NEWUTS : 0);
  if (wanted.ids != 0) {
    if (const char* failed = make_user_space(wanted, flags, &out->users)) return failed;
  }
  // One call: the kernel copies the set of namespaces once, not once per kind.
  else if (flags != 0 && ::unshare(flags) != 0)
    return "make the pod's namespaces";
  if (wanted.new_net != 0 && !raise_loopback()) return "bring up the loopback interface";
  if (wanted.new_net != 0) {
    out->network.reset(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!out->network) return "hold the pod's network namespace";
  }
  if (new_uts && ::sethostname(wanted.hostname, strnlen(wanted.hostname, 64)) != 0)
    return "set the hostname";
  return nullptr;
}

} // namespace tank::kernel::shim

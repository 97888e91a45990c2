// tank-shim: holds one pod. Started by kernel/port.cpp with its two sockets as fds 3 and 4; the
// program's whole story is kernel/protocol.hpp and server.cpp.
#include "kernel/shim/server.hpp"

#include <signal.h>
#include <sys/prctl.h>

namespace {

// glibc's posix_spawn leaves its two internal signals ignored and its sigaction refuses them: the
// workload would inherit that. Asked of the kernel, whose struct is not libc's.
void reset_internal_signals() noexcept {
  struct {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
  } plain{};
  for (const int n : {32, 33})
    ::syscall(SYS_rt_sigaction, n, &plain, nullptr, sizeof plain.mask);
}

} // namespace

int main() {
  using namespace tank;
  using namespace tank::kernel;
  ::prctl(PR_SET_NAME, "tank-shim"); // run from a memfd, its name would be a number
  ::prctl(PR_SET_DUMPABLE, 0);       // nobody reads or traces it, nor the parked child
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGXFSZ, SIG_IGN); // where the daemon's files may not grow, log lines are lost
  reset_internal_signals();
  if (::chdir("/") != 0) return 1;           // keeps no mount of the daemon's busy
  shim::close_from(protocol::socket_fd + 1); // what the daemon itself inherited without CLOEXEC
  shim::server server{unique_fd{protocol::first_connection_fd}, unique_fd{protocol::socket_fd}};
  if (!server.start()) return 1;
  server.serve();
  return 0;
}

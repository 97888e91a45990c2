// tank-shim: holds one pod. Started by kernel/port.cpp with its two sockets as fds 3 and 4; the
// program's whole story is kernel/protocol.hpp and server.cpp.
#include "kernel/shim/server.hpp"

#include <sys/prctl.h>

int main() {
  using namespace tank;
  using namespace tank::kernel;
  ::prctl(PR_SET_NAME, "tank-shim"); // run from a memfd, its name would be a number
  ::prctl(PR_SET_DUMPABLE, 0);       // nobody reads or traces it, nor the parked child
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  shim::server server{unique_fd{protocol::first_connection_fd}, unique_fd{protocol::socket_fd}};
  if (!server.start()) return 1;
  server.serve();
  return 0;
}

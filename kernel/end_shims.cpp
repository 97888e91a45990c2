#include "kernel/end_shims.hpp"

#include <cerrno>
#include <memory>
#include <utility>
#include <variant>

#include <poll.h>

namespace tank {

namespace fs = std::filesystem;

static bool wait_for_end(kernel::session& session, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    for (;;) {
      auto event = session.next_event();
      if (!event) return true; // the connection is no more, and so the shim
      if (!*event) break;
      if (const auto* down = std::get_if<kernel::session_down_event>(&**event))
        return !down->shim_lives;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd p{session.poll_fd(), POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(left.count())) < 0 && errno != EINTR) return false;
  }
}

std::vector<error> end_shims(const std::vector<fs::path>& runs, kernel::port& port,
                             std::chrono::milliseconds patience) {
  std::vector<error> failed;
  // All are told first: they end side by side.
  std::vector<std::unique_ptr<kernel::session>> sessions;
  for (const auto& run : runs) {
    auto session = port.adopt_session(run);
    if (!session) { // not_found: only the directory is left
      if (session.error().code != errc::not_found)
        failed.push_back(wrap(std::move(session).error(), "end", "an earlier run").value());
      continue;
    }
    if (!(*session)->shutdown()) (*session)->end();
    sessions.push_back(*std::move(session));
  }
  for (auto& session : sessions) {
    if (wait_for_end(*session, patience)) continue;
    session->end();
    if (wait_for_end(*session, patience)) continue;
    failed.push_back(fail(errc::timeout, "end", "a shim of an earlier run",
                          "process " + std::to_string(session->shim_pid()) + " does not end")
                         .value());
  }
  return failed;
}

} // namespace tank

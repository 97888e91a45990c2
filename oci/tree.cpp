#include "oci/tree.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tank::oci {

result<unique_fd> open_in_root(int root, const std::string& path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags) | O_CLOEXEC;
  how.mode = mode;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const char* text = path.empty() ? "." : path.c_str();
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, root, text, &how, sizeof how);
    if (fd >= 0) return unique_fd{static_cast<int>(fd)};
    // The kernel gives up on "..", when something was renamed meanwhile anywhere on the host.
    if ((errno == EAGAIN || errno == EINTR) && attempt < 128) continue;
    return fail_errno(errno, "open", path);
  }
}

} // namespace tank::oci

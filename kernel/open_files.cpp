#include "kernel/open_files.hpp"

#include <cerrno>

#include <sys/resource.h>

namespace tank::kernel {

result<std::uint64_t> raise_open_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return fail_errno(errno, "read", "RLIMIT_NOFILE");
  if (files.rlim_cur == files.rlim_max) return files.rlim_max;
  files.rlim_cur = files.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) return fail_errno(errno, "raise", "RLIMIT_NOFILE");
  return files.rlim_max;
}

} // namespace tank::kernel

#include "kernel/shim/builder.hpp"

#include <cerrno>

namespace tank::kernel::shim {

/// The host's /proc/sys shows the parameters of whatever namespaces the opener is in: ours are the
/// pod's already. The plan names only such
/// parameters.
int set_sysctl(builder& b, const wire::sysctl_view& s) noexcept {
  constexpr const char* verb = "set the kernel parameter";
  if (b.root) return b.out->set(EINVAL, verb, s.path.c_str());
  const unique_fd all{::open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!all) return b.out->set(errno, verb, s.path.c_str());
  const unique_fd one{
      open_in(all.get(), s.path.c_str(), O_WRONLY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)};
  if (!one || ::write(one.get(), s.value.c_str(), s.value.size) < 0) {
    return b.out->set(errno, verb, s.path.c_str());
  }
  return 0;
}

} // namespace tank::kernel::shim

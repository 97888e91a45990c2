#include "api/installed.hpp"
#include "api/start.hpp"
#include "kernel/cgroup_probe.hpp"

#include <cerrno>

#include <unistd.h>

namespace tank {

result<start_options> private_options(const std::filesystem::path& root,
                                      std::filesystem::path shim) {
  if (!root.is_absolute())
    return fail(errc::invalid, "run pods in", root.string(), "it is no absolute path");
  if (shim.empty()) shim = installed::shim;
  if (::access(shim.c_str(), X_OK) != 0)
    return fail_errno(errno, "use the shim program", shim.string(),
                      "install tank, or say where its tank-shim is");
  start_options options;
  options.dirs = {root / "pods.d", root / "state", root / "run", root / "log", {}};
  options.port = kernel::make_port(std::move(shim));
  options.host = TANK_TRY(kernel::probe_host());
  options.dirs.cgroups = TANK_TRY(kernel::probe_cgroups({}));
  options.ids = TANK_TRY(host_id_pool());
  options.version = installed::version;
  return options;
}

} // namespace tank

#include "pod/container.hpp"

#include <cerrno>

namespace tank {

static std::string cwd_hint(int sys, const kernel::process_spec& p) {
  if (sys == ENOENT && !p.create_cwd) return "the image has no such directory; check workingDir";
  if (sys == EACCES)
    return "uid " + std::to_string(p.uid) + " may not enter it; check workingDir and runAsUser";
  return {};
}

static std::string execute_hint(const kernel::failed_event& failed, const kernel::process_spec& p) {
  switch (failed.sys) {
  case ENOENT:
    return failed.object.find('/') == std::string::npos
               ? "no such program in the image's PATH; check command"
               : "no such program in the image; check command";
  case EACCES:
    return "not an executable file for uid " + std::to_string(p.uid) +
           "; check command and runAsUser";
  case EISDIR:
    return "not a program; check command";
  case ENOEXEC:
    return "not a program for this machine: another architecture, or a script without #!";
  default:
    return {};
  }
}

error explain_failure(const kernel::failed_event& failed, const container_inputs& inputs) {
  using kernel::launch_failure;
  auto e = fail_errno(failed.sys, failed.step, failed.object).value();
  const auto& p = inputs.plan.process;
  switch (failed.code) {
  case launch_failure::map_ids:
    e.hint = failed.sys == EINVAL
                 ? "its filesystem has no idmapped mounts on this kernel: use ext4, xfs, btrfs or "
                   "another that has, a newer kernel, or do without 'hostUsers: false'"
                 : "Tank must be root of the host's user namespace for 'hostUsers: false'";
    break;
  case launch_failure::find_command:
    e.hint = failed.sys == EACCES || failed.sys == EISDIR || failed.sys == ENOEXEC
                 ? execute_hint(failed, p)
                 : "no such program in the image's PATH; check command";
    break;
  case launch_failure::run_interpreter:
    e.hint = "the program is there, what should run it is not in the image";
    break;
  case launch_failure::execute:
    e.hint = execute_hint(failed, p);
    break;
  case launch_failure::enter_cwd:
    e.hint = cwd_hint(failed.sys, p);
    break;
  default: // of a mount, step and object say it
    break;
  }
  return e;
}

} // namespace tank

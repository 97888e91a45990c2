/// From an image and a container of a manifest to what execve needs. Pure, but for `resolve_user`.
#pragma once

#include "base/error.hpp"
#include "config/pod.hpp"
#include "oci/image.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tank::oci {

/// Kubernetes' merge: `command` replaces Entrypoint and drops Cmd; `args` replaces Cmd; the image's
/// Env comes first, the container's `env` overrides it; workingDir, else WorkingDir, else "/".
/// `$(VAR)` in command, args and env is expanded (config/expand.hpp) from the container's own env.
struct run_params {
  std::vector<std::string> argv;
  std::vector<std::string> env; ///< "K=V", no duplicate keys; PATH is set when nobody set it
  std::string cwd;
  bool cwd_from_image = false; ///< then it is made when missing
  std::string stop_signal; ///< "SIGTERM" unless the manifest (lifecycle.stopSignal) or image says
  bool operator==(const run_params&) const = default;
};

/// `env` is the container's environment, already resolved (fieldRef and the like), in order.
/// errc::invalid, cause no_command, when nothing says what to run; errc::limit beyond
/// config::max_run_text.
result<run_params> merge_run_params(const config::container& container,
                                    const std::vector<std::pair<std::string, std::string>>& env,
                                    const image_config& image);

struct user_ids {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups; ///< memberships in the image's /etc/group, for named users
  std::string home = "/";            ///< of /etc/passwd; HOME when nobody set it
  bool operator==(const user_ids&) const = default;
};

/// Resolves the image's USER text ("", "1000", "web", "1000:web", ...) against its own
/// /etc/passwd and /etc/group, found through its layers top first, opened in-root (no symlink leads
/// outside), regular files of at most 1 MiB. Strict numbers, never a silent uid 0
/// (SECURITY.md classes 13, 14). Blocking.
result<user_ids> resolve_user(std::string_view user,
                              const std::vector<std::filesystem::path>& layers);

} // namespace tank::oci

/// All roles together: what `tank up`, `tank daemon` and an embedder start.
#pragma once

#include "actors/backoff.hpp"
#include "actors/messages.hpp"
#include "actors/plan_launch.hpp"
#include "base/error.hpp"
#include "base/paths.hpp"
#include "kernel/port.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tank {

class role_table;

struct start_options {
  /// Those it needs are made. run_dir and pod_states() belong to this instance alone: what it finds
  /// there was left by one that is gone, and is ended and removed, at the start and at the end.
  directories dirs;
  std::vector<std::filesystem::path> sources; ///< absolute; directories and single files
  std::shared_ptr<kernel::port> port;
  kernel::host_facts host;
  backoff_profile backoff;
  log_limits logs;
  std::chrono::milliseconds rescan = std::chrono::seconds{20}; ///< full look at the sources
  std::function<std::int64_t()> wall_clock;                    ///< CLOCK_REALTIME in ns
  std::string version;
  std::shared_ptr<role_table> roles; ///< to look at the actors by name; "root" is the supervisor
};

/// A running Tank. Hides CAF. One thread uses it; what happens inside shows at `fd()`.
///
/// The roles are children of a root supervisor (one_for_one): one that fails is started again alone
/// and takes over what its predecessor knew; pods do not notice. When one fails too often, `failed`
/// says so: all that is left then is to end the instance.
class instance {
 public:
  /// Locks the run directory (errc::conflict when another instance has it), opens the image store,
  /// starts the actors and the control socket.
  static result<std::unique_ptr<instance>> start(start_options options);

  /// Ends the actors. Pods that still run are killed: `stop` them first.
  ~instance();
  instance(const instance&) = delete;
  instance& operator=(const instance&) = delete;

  /// Readable when `look` may have news.
  [[nodiscard]] int fd() const noexcept;

  struct view {
    std::vector<pod_status> pods; ///< by key
    bool synced = false;          ///< the manifests have been read once, and their pods are listed
    bool stopped = false;         ///< after `stop`: no pod is left
    std::string failed;           ///< why Tank itself had to give up; empty: it runs
    std::vector<file_status> files; ///< as of the first look
  };
  /// Takes the readiness of `fd()` away. Cheap.
  view look();

  /// Stops every pod, gracefully within `grace` (each pod's own when empty; zero: kill). May be
  /// called again with less grace. Final: nothing is started any more.
  void stop(std::optional<std::chrono::seconds> grace);

 private:
  struct parts;
  explicit instance(std::unique_ptr<parts> p);
  std::unique_ptr<parts> parts_;
};

} // namespace tank

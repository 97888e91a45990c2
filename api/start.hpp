/// All roles together: what `tank up`, `tank daemon` and an embedder start.
///
///   caf::actor_system system{config};                    // the embedder's own
///   auto options = tank::private_options("/var/lib/app/tank");
///   options->sources = {"/etc/app/pods"};
///   auto pods = tank::start(system, *std::move(options));
///
/// Nothing here is global: no signal handler, no default logger, no environment, no registered
/// name. Instances with directories of their own may run side by side in one system.
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"
#include "kernel/port.hpp"
#include "oci/image_pull.hpp"
#include "oci/store.hpp"
#include "pod/backoff.hpp"
#include "pod/id_ranges.hpp"
#include "pod/model.hpp"
#include "pod/sandbox.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace caf {
class actor;
class actor_system;
} // namespace caf
namespace spdlog {
class logger;
} // namespace spdlog

namespace tank {

class role_table;
class runtime_supervisor;

/// What images may cost this host.
struct image_options {
  oci::unpack_limits limits;
  unsigned parallel_pulls = 3; ///< at least 1
  bool offline = false;        ///< why there is no `pull`, for messages
  /// Room on disk is made when images fill more than `room.high`: looked at after each pull, and
  /// each `room_period`; zero: never. Images asked for within `minimum_age` stay.
  oci::watermarks room;
  std::chrono::milliseconds room_period{0};
  std::chrono::milliseconds minimum_age = std::chrono::minutes{2};
  /// store_options::named_by_manifests; may be empty.
  std::function<result<std::vector<std::string>>()> named_by_manifests;
};

struct start_options {
  /// Those it needs are made. run_dir and pod_states() belong to this instance alone: what it finds
  /// there was left by one that is gone, and is ended and removed, at the start and at the end;
  /// with `adopt` that holds for what no pod needs.
  directories dirs;
  /// Pods outlive the instance, however it ends: the next one with the same run_dir takes them
  /// over, as this one does with its predecessor's. Only those that were stopped (`stop`) are gone.
  bool adopt = false;
  std::vector<std::filesystem::path> sources; ///< absolute; directories and single files
  bool owned_manifests = false;               ///< scan_request::owned of them
  std::shared_ptr<kernel::port> port;
  kernel::host_facts host;
  id_pool ids; ///< for pods with `hostUsers: false`
  backoff_profile backoff;
  log_limits logs;
  std::uint64_t pids_limit = 4096; ///< processes and threads of a pod; 0: as many as it likes
  std::chrono::milliseconds rescan = std::chrono::seconds{20}; ///< full look at the sources
  std::function<std::int64_t()> wall_clock;                    ///< CLOCK_REALTIME in ns
  std::string version;
  std::shared_ptr<spdlog::logger> logger; ///< what happens is told here; empty: nowhere
  bool control_socket = true;             ///< in run_dir, for `tank get pods --run-dir ...`
  image_pull pull; ///< from registries; empty: images come from the store alone
  image_options images;
  std::shared_ptr<role_table> roles; ///< to look at the actors by name; "root" is the supervisor
};

/// What an embedder needs: all directories below `root` (absolute), this host, the real clock, and
/// the helper program `shim`; empty: the one that is installed with this library. No sources yet.
result<start_options> private_options(const std::filesystem::path& root,
                                      std::filesystem::path shim = {});

/// A running Tank. One thread uses it; what happens inside shows at `fd()`, or to actors by
/// messages of `reconciler()`.
///
/// The roles are children of a root supervisor (one_for_one): one that fails is started again alone
/// and takes over what its predecessor knew; pods do not notice. When one fails too often, `failed`
/// says so: all that is left then is to end the instance.
class instance {
 public:
  /// With an actor system of its own, for a program that has none: see tank::start.
  static result<std::unique_ptr<instance>> start(start_options options);

  /// Ends the actors, and waits for their end and for that of all threads. Pods that still run are
  /// killed (`stop` them first), or left to run on with start_options::adopt. Not from an actor
  /// that shares the system's threads.
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

  // For actors of the same system; from any thread.

  /// The reconciler of now: watch_pods, list_pods, restart_pod, ... as in reconciler.hpp. When it
  /// fails, another takes its place: ask here again then.
  [[nodiscard]] caf::actor reconciler() const;
  /// The root of the supervision tree. It ends with the instance, or because Tank had to give up.
  [[nodiscard]] caf::actor supervisor() const;
  /// For pods that no manifest names: see runtime_supervisor.hpp. `stop` and the end of the
  /// instance are for them too; `look` does not list them.
  [[nodiscard]] runtime_supervisor runtimes() const;

 private:
  friend result<std::unique_ptr<instance>> start(caf::actor_system& system, start_options options);
  struct parts;
  explicit instance(std::unique_ptr<parts> p);
  std::unique_ptr<parts> parts_;
};

/// Locks the run directory (errc::conflict when another instance has it), opens the image store and
/// starts the actors on `system`, which outlives the instance. Waits for them: not from an actor
/// that shares the system's threads. With CAF >= 1.0 its program has called init_message_types()
/// (actors/messages.hpp) before it made the system.
result<std::unique_ptr<instance>> start(caf::actor_system& system, start_options options);

} // namespace tank

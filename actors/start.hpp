/// All roles together: what `tank up`, `tank daemon` and an embedder start.
#pragma once

#include "actors/backoff.hpp"
#include "actors/messages.hpp"
#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/unique_fd.hpp"
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

struct start_options {
  directories dirs; ///< those it needs are made; run_dir belongs to this instance alone
  std::vector<std::filesystem::path> sources; ///< absolute; directories and single files
  std::shared_ptr<kernel::port> port;
  kernel::host_facts host;
  backoff_profile backoff;
  std::chrono::milliseconds rescan = std::chrono::seconds{20}; ///< full look at the sources
  std::function<std::int64_t()> wall_clock; ///< CLOCK_REALTIME in ns
  std::string version;
};

/// A running Tank. Hides CAF. One thread uses it; what happens inside shows at `fd()`.
class instance {
 public:
  /// Locks the run directory (errc::conflict when another instance has it), opens the image store,
  /// starts the actors and the control socket.
  static result<std::unique_ptr<instance>> start(start_options options);

  /// Ends the actors. Pods that still run are left to their shims: `stop` them first.
  ~instance();
  instance(const instance&) = delete;
  instance& operator=(const instance&) = delete;

  /// Readable when `look` may have news.
  [[nodiscard]] int fd() const noexcept;

  struct view {
    std::vector<pod_status> pods; ///< by key
    bool synced = false;          ///< the manifests have been read once, and their pods are listed
    bool stopped = false;         ///< after `stop`: no pod is left
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

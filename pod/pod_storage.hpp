/// What a pod keeps over its restarts (emptyDirs, volumes in memory, the ids of its users), and when
/// it goes: with the pod, not with a run.
///
/// A run removes its own writable layer and run directory (sandbox.hpp). The rest below
/// <state_dir>/pods/<uid> is removed when the janitor has heard that the pod is no longer desired
/// and no run of it is left, in either order.
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/worker.hpp"
#include "kernel/port.hpp"
#include "pod/id_ranges.hpp"
#include "pod/pod_records.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace spdlog {
class logger;
} // namespace spdlog

namespace tank {

/// Thread-safe; shared by the runtimes and the janitor. Removal happens in workers.
class pod_storage : public std::enable_shared_from_this<pod_storage> {
 public:
  pod_storage(directories dirs, std::shared_ptr<kernel::port> port,
              std::shared_ptr<job_runner> jobs, std::shared_ptr<spdlog::logger> log = {},
              std::shared_ptr<id_ranges> ids = {});

  /// While it exists, the pod's storage stays.
  using hold_token = std::shared_ptr<void>;
  [[nodiscard]] hold_token hold(const std::string& uid);

  /// For jobs on the pod's directories: whoever has them done, they are done one after the other.
  [[nodiscard]] std::shared_ptr<job_runner> work_on(const std::string& uid);

  /// The pod is desired (again).
  void want(const std::string& uid);
  /// The pod is gone for good: its storage goes as soon as nobody holds it.
  void forget(const std::string& uid);

 private:
  struct entry {
    int holds = 0;
    bool doomed = false;
  };
  void release(const std::string& uid);
  void remove_if_free(const std::string& uid); ///< with mutex_ held
  void release_ids(const std::string& uid);    ///< unless the pod is there again

  directories dirs_;
  std::shared_ptr<kernel::port> port_;
  std::shared_ptr<job_runner> jobs_;
  std::shared_ptr<spdlog::logger> log_; ///< never null
  std::shared_ptr<id_ranges> ids_;      ///< may be null
  std::mutex mutex_;                    ///< guards what follows
  std::map<std::string, entry> entries_;
  std::map<std::string, std::weak_ptr<job_runner>> workers_;
  std::uint64_t serial_ = 0;
};

} // namespace tank

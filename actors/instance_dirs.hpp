/// The directories of one instance: made, locked, swept, and removed again where it made them.
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/unique_fd.hpp"
#include "kernel/port.hpp"

#include <filesystem>
#include <memory>
#include <vector>

namespace spdlog {
class logger;
} // namespace spdlog

namespace tank {

class instance_dirs {
 public:
  /// Makes what is missing, locks the run directory (errc::conflict when another instance has it)
  /// and ends what an instance that is gone has left there (sweep_pods). Blocking.
  static result<std::unique_ptr<instance_dirs>> open(const directories& dirs,
                                                     std::shared_ptr<kernel::port> port,
                                                     std::shared_ptr<spdlog::logger> log = {});
  instance_dirs(const instance_dirs&) = delete;
  instance_dirs& operator=(const instance_dirs&) = delete;

  /// Sweeps again, and takes away the socket, the lock and those directories that were made here
  /// and are empty. Nothing of the instance may run any more.
  ~instance_dirs();

 private:
  instance_dirs(directories dirs, std::shared_ptr<kernel::port> port,
                std::shared_ptr<spdlog::logger> log);
  result<void> make(const std::filesystem::path& dir);
  result<void> lock();
  void sweep() const;

  directories dirs_;
  std::shared_ptr<kernel::port> port_;
  std::shared_ptr<spdlog::logger> log_; ///< never null
  unique_fd lock_;
  std::vector<std::filesystem::path> made_; ///< parents first
};

} // namespace tank

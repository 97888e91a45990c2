/// The directories and cgroups of one instance: made, locked, swept, and removed again where it, or
/// an instance whose pods it took over, made them.
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/unique_fd.hpp"
#include "kernel/port.hpp"
#include "pod/id_ranges.hpp"
#include "pod/pod_record.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace spdlog {
class logger;
} // namespace spdlog

namespace tank {

class instance_dirs {
 public:
  /// Makes what is missing, locks the run directory (errc::conflict when another instance has it)
  /// and ends what an instance that is gone has left there: all of it (sweep_pods), or with `adopt`
  /// only what no record claims (sweep_orphans), the ids of those pods too. Then it ends what other
  /// instances with the same state directory have left that do not live and that nobody succeeds
  /// (state_owner.hpp). errc::denied for a directory that others than root and we own or may write,
  /// on the whole way to it. Blocking.
  static result<std::unique_ptr<instance_dirs>> open(const directories& dirs,
                                                     std::shared_ptr<kernel::port> port,
                                                     std::shared_ptr<spdlog::logger> log = {},
                                                     bool adopt = false,
                                                     std::shared_ptr<id_ranges> ids = {});

  /// With `adopt`: the records of an earlier instance.
  [[nodiscard]] const std::vector<pod_record>& restored() const noexcept { return restored_; }
  /// As they are: without cgroups when there are none to be had.
  [[nodiscard]] const directories& dirs() const noexcept { return dirs_; }
  /// This boot's name; for records.
  [[nodiscard]] const std::string& boot() const noexcept { return boot_; }
  instance_dirs(const instance_dirs&) = delete;
  instance_dirs& operator=(const instance_dirs&) = delete;

  /// Sweeps again, and takes away the socket, the lock and those directories that were made here
  /// and are empty. Nothing of the instance may run any more.
  ~instance_dirs();

 private:
  instance_dirs(directories dirs, std::shared_ptr<kernel::port> port,
                std::shared_ptr<spdlog::logger> log, bool adopt, std::shared_ptr<id_ranges> ids);
  result<void> take();
  result<void> make(const std::filesystem::path& dir);
  result<void> lock();
  result<void> claim_state();
  result<void> open_cgroups();
  result<void> record_cgroups(std::vector<std::filesystem::path> dirs);
  void close_cgroups();
  void sweep();
  void end_left_behind();

  directories dirs_;
  std::shared_ptr<kernel::port> port_;
  std::shared_ptr<spdlog::logger> log_; ///< never null
  bool adopt_;
  std::shared_ptr<id_ranges> ids_; ///< may be null
  std::string boot_;
  std::vector<pod_record> restored_;
  unique_fd lock_;
  std::vector<std::filesystem::path> made_;    ///< parents first
  std::vector<std::filesystem::path> cgroups_; ///< the same
};

} // namespace tank

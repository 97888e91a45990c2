/// Tank as the start benchmark drives it: the installed program in a private set of directories.
#pragma once

#include "base/paths.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace tank::bench {

class tank_host {
 public:
  /// Makes the directories below `scratch` and imports `rootfs_tar` as `localhost/bench:1`. False,
  /// with a line on stderr, when that fails.
  bool open(std::string program, const std::filesystem::path& scratch,
            const std::string& rootfs_tar);

  /// A manifest of one pod `name` that runs `/bin/witness <what>`.
  [[nodiscard]] static std::string manifest(const std::string& name, const std::string& what,
                                            const std::string& restart_policy);
  /// Puts it into the watch directory the way an editor does: temporary name, then rename. Returns
  /// the instant of the rename.
  std::int64_t drop(const std::string& name, const std::string& text) const;
  std::int64_t remove(const std::string& name) const;

  /// Starts the daemon and returns when it says that it is ready (sd_notify).
  bool start_daemon();
  /// Stops it and all pods.
  void stop_daemon();
  [[nodiscard]] pid_t daemon() const { return daemon_; }

  /// Blocks until the pod's first container has written a full line to its log; that line. Nullopt
  /// after 30 s.
  [[nodiscard]] std::optional<std::string> first_line(const std::string& name) const;
  /// Blocks until the pod has run (it has a log) and its run directory is gone, 30 s at most; the
  /// instant.
  [[nodiscard]] std::int64_t wait_gone(const std::string& name) const;

  /// `tank <command> ...` with this instance's directories; another `run_dir` below the scratch
  /// directory lets it run beside the daemon.
  [[nodiscard]] std::vector<std::string> command(std::vector<std::string> words,
                                                 const char* run_dir = "run") const;
  [[nodiscard]] std::filesystem::path log_file(const std::string& name) const;
  /// pids of the shims of this instance.
  [[nodiscard]] std::vector<pid_t> shims() const;
  [[nodiscard]] const directories& dirs() const { return dirs_; }

 private:
  std::string program_;
  directories dirs_;
  std::string scratch_;
  pid_t daemon_ = -1;
};

} // namespace tank::bench

/// Tank as the start benchmark drives it: one build of it, in a private set of directories.
#pragma once

#include "base/paths.hpp"
#include "base/unique_fd.hpp"
#include "tests/bench/measure.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace tank::bench {

/// One build of Tank, from `LABEL=PROGRAM:SHIM`.
struct tank_build {
  std::string label; ///< of the tables; at most 16 of [a-z0-9-]
  std::string program;
  std::string shim; ///< empty: the program finds its own
};

class tank_host {
 public:
  /// Makes the directories below `scratch` and imports `rootfs_tar` as `localhost/bench:1`. False
  /// when that fails; failure() says why.
  bool open(tank_build build, const std::filesystem::path& scratch, const std::string& rootfs_tar);
  [[nodiscard]] const std::string& label() const { return build_.label; }

  /// A manifest of one pod `name` that runs `/bin/witness <what>`.
  [[nodiscard]] static std::string manifest(const std::string& name, const std::string& what,
                                            const std::string& restart_policy);
  /// Puts it into the watch directory the way an editor does: temporary name, then rename. Returns
  /// the instant of the rename.
  std::int64_t drop(const std::string& name, const std::string& text) const;
  std::int64_t remove(const std::string& name) const;

  /// Starts the daemon and returns when it says that it is ready (sd_notify). False when it ends
  /// before, or says nothing for 30 s; failure() says more.
  bool start_daemon();
  /// Stops it and all pods.
  void stop_daemon();
  [[nodiscard]] pid_t daemon() const { return daemon_.pid; }
  /// What the last failure of open() or start_daemon() was, else the end of the daemon's log.
  [[nodiscard]] std::string failure() const;

  /// Blocks until the pod's first container has written a full line to its log; that line. Nullopt
  /// after 30 s.
  [[nodiscard]] std::optional<std::string> first_line(const std::string& name) const;
  /// Blocks until the pod has run (it has a log) and its run directory is gone; the instant.
  /// Nullopt after 30 s.
  [[nodiscard]] std::optional<std::int64_t> wait_gone(const std::string& name) const;

  /// `tank <command> ...` with this instance's directories; another `run_dir` below the scratch
  /// directory lets it run beside the daemon.
  [[nodiscard]] std::vector<std::string> command(std::vector<std::string> words,
                                                 const char* run_dir = "run") const;
  [[nodiscard]] std::filesystem::path log_file(const std::string& name) const;
  /// pids of the shims of this instance.
  [[nodiscard]] std::vector<pid_t> shims() const;
  [[nodiscard]] const directories& dirs() const { return dirs_; }

 private:
  /// Of any layout: run_dir/<anything>/<uid>/. The builds that are compared may differ in it.
  [[nodiscard]] bool has_run_directory(const std::string& uid) const;
  [[nodiscard]] std::vector<std::filesystem::path> run_directories() const;

  tank_build build_;
  directories dirs_;
  std::filesystem::path scratch_;
  running daemon_;
  std::string failure_;
};

} // namespace tank::bench

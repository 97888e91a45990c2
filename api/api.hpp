/// The control socket's server; its language is in api_protocol.hpp.
///
/// Serves any number of clients from one actor, without a thread for any of them: a client that
/// says nothing costs a descriptor. A client that does not read its answers is not read either.
/// Only root and the daemon's own user are served; others are closed at once.
#pragma once

#include "actors/poller.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "base/worker.hpp"
#include "kernel/cgroup.hpp"

#include <caf/actor.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace spdlog {
class logger;
} // namespace spdlog

namespace tank {

/// Binds and listens, 0600. A socket file that nobody listens on any more is replaced: the caller
/// holds the lock of the run directory.
result<unique_fd> listen_control_socket(const std::filesystem::path& path);

struct api_options {
  std::shared_ptr<const unique_fd> listener; ///< survives a restart of the actor
  std::shared_ptr<fd_source> fds;
  std::function<caf::actor()> reconciler; ///< the one of now
  std::function<caf::actor()> watcher;
  std::string version;
  cgroup_tree cgroups;              ///< clients in cgroups of pods below are turned away
  std::shared_ptr<job_runner> jobs; ///< where cgroups are read
  /// What the pod with this uid uses now. A few reads; called in a job.
  std::function<result<kernel::cgroup_stats>(const std::string& uid)> read_usage;
  std::function<std::int64_t()> monotonic_ns; ///< CLOCK_MONOTONIC; the system's when empty
  std::size_t max_clients = 256;
  std::shared_ptr<spdlog::logger> logger; ///< may be empty
};

caf::actor spawn_api(caf::actor_system& sys, api_options options);

} // namespace tank

#include "actors/pod_storage.hpp"

#include "actors/log.hpp"

#include <cerrno>
#include <poll.h>
#include <sys/stat.h>
#include <system_error>
#include <utility>
#include <variant>

namespace tank {

namespace fs = std::filesystem;

pod_storage::pod_storage(directories dirs, std::shared_ptr<kernel::port> port,
                         std::shared_ptr<job_runner> jobs, log_ptr log,
                         std::shared_ptr<id_ranges> ids)
    : dirs_(std::move(dirs))
    , port_(std::move(port))
    , jobs_(std::move(jobs))
    , log_(log_or_none(std::move(log)))
    , ids_(std::move(ids)) {}

pod_storage::hold_token pod_storage::hold(const std::string& uid) {
  const std::lock_guard lock{mutex_};
  ++entries_[uid].holds;
  return {nullptr, [self = shared_from_this(), uid](void*) { self->release(uid); }};
}

std::shared_ptr<job_runner> pod_storage::work_on(const std::string& uid) {
  const std::lock_guard lock{mutex_};
  std::erase_if(workers_, [](const auto& w) { return w.second.expired(); });
  auto& known = workers_[uid];
  auto mine = known.lock();
  if (!mine) known = mine = std::make_shared<serial_runner>(jobs_);
  return mine;
}

void pod_storage::release(const std::string& uid) {
  const std::lock_guard lock{mutex_};
  --entries_[uid].holds;
  remove_if_free(uid);
}

void pod_storage::want(const std::string& uid) {
  const std::lock_guard lock{mutex_};
  if (const auto it = entries_.find(uid); it != entries_.end()) it->second.doomed = false;
}

void pod_storage::forget(const std::string& uid) {
  const std::lock_guard lock{mutex_};
  entries_[uid].doomed = true;
  remove_if_free(uid);
}

void pod_storage::remove_if_free(const std::string& uid) {
  const auto it = entries_.find(uid);
  if (it == entries_.end() || it->second.holds > 0) return;
  const bool doomed = it->second.doomed;
  entries_.erase(it);
  if (!doomed) return;
  // Moved away at once, under the lock: a pod of the same uid that starts now begins afresh and
  // is never touched by the removal, however long that takes.
  const auto from = dirs_.pod_state(uid);
  const auto to = dirs_.pod_states() / (".gone-" + std::to_string(++serial_) + "-" + uid);
  if (::rename(from.c_str(), to.c_str()) != 0) {
    if (errno != ENOENT)
      return log_->error("event=storage_stays path={} error=\"{}\"", from.string(),
                         errno_text(errno));
    if (ids_) jobs_->submit([self = shared_from_this(), uid] { self->release_ids(uid); });
    return;
  }
  jobs_->submit([self = shared_from_this(), to, uid] {
    if (const auto gone = self->port_->remove_tree(to); !gone) // its ids are not free then
      return self->log_->error("event=storage_stays error=\"{}\"", gone.error().message());
    self->release_ids(uid);
  });
}

void pod_storage::release_ids(const std::string& uid) {
  if (!ids_) return;
  // Among the pod's own jobs: a run of the same pod that begins now takes what it needs behind it.
  work_on(uid)->submit([self = shared_from_this(), uid] {
    {
      const std::lock_guard lock{self->mutex_};
      const auto it = self->entries_.find(uid);
      if (it != self->entries_.end() && it->second.holds > 0) return;
    }
    if (const auto done = self->ids_->release(uid); !done)
      self->log_->error("event=ids_stay error=\"{}\"", done.error().message());
  });
}

// --- sweeping ------------------------------------------------------------------------------------

static bool wait_for_end(kernel::session& session, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    for (;;) {
      auto event = session.next_event();
      if (!event) return true; // the connection is no more, and so the shim
      if (!*event) break;
      if (const auto* down = std::get_if<kernel::session_down_event>(&**event))
        return !down->shim_lives;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd p{session.poll_fd(), POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(left.count())) < 0 && errno != EINTR) return false;
  }
}

std::vector<error> end_shims(const std::vector<fs::path>& runs, kernel::port& port,
                             std::chrono::milliseconds patience) {
  std::vector<error> failed;
  // All are told first: they end side by side.
  std::vector<std::unique_ptr<kernel::session>> sessions;
  for (const auto& run : runs) {
    auto session = port.adopt_session(run);
    if (!session) { // not_found: only the directory is left
      if (session.error().code != errc::not_found)
        failed.push_back(wrap(std::move(session).error(), "end", "an earlier run").value());
      continue;
    }
    if (!(*session)->shutdown()) (*session)->end();
    sessions.push_back(*std::move(session));
  }
  for (auto& session : sessions) {
    if (wait_for_end(*session, patience)) continue;
    session->end();
    if (wait_for_end(*session, patience)) continue;
    failed.push_back(fail(errc::timeout, "end", "a shim of an earlier run",
                          "process " + std::to_string(session->shim_pid()) + " does not end")
                         .value());
  }
  return failed;
}

static std::vector<fs::path> children(const fs::path& dir, std::vector<error>& failed) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (auto it = fs::directory_iterator(dir, ec); !ec && it != fs::directory_iterator();
       it.increment(ec))
    out.push_back(it->path());
  if (ec && ec.value() != ENOENT)
    failed.push_back(fail_errno(ec.value(), "list", dir.string()).value());
  return out;
}

static void remove_all(const std::vector<fs::path>& trees, kernel::port& port,
                       std::vector<error>& failed) {
  for (const auto& tree : trees)
    if (auto gone = port.remove_tree(tree); !gone) failed.push_back(std::move(gone).error());
}

static void remove_cgroups(const std::vector<std::string>& names, const directories& dirs,
                           kernel::port& port, std::vector<error>& failed) {
  for (const auto& name : names)
    if (auto gone = port.remove_cgroup(dirs.cgroups, dirs.pod_cgroup(name)); !gone)
      failed.push_back(std::move(gone).error());
}

std::vector<error> sweep_pods(const directories& dirs, kernel::port& port,
                              std::chrono::milliseconds patience) {
  std::vector<error> failed;
  const auto runs = children(dirs.pod_runs(), failed);
  const auto ends = end_shims(runs, port, patience);
  failed.insert(failed.end(), ends.begin(), ends.end());
  const auto groups = pod_cgroups_in(dirs);
  remove_cgroups({groups.begin(), groups.end()}, dirs, port, failed);
  remove_all(children(dirs.pod_states(), failed), port, failed);
  remove_all(runs, port, failed);
  remove_all(children(dirs.pod_records(), failed), port, failed);
  return failed;
}

std::vector<error> sweep_orphans(const directories& dirs, const adoption_plan& plan,
                                 kernel::port& port, std::chrono::milliseconds patience) {
  const auto below = [](const fs::path& dir, const std::vector<std::string>& names) {
    std::vector<fs::path> paths;
    for (const auto& name : names)
      paths.push_back(dir / name);
    return paths;
  };
  const auto runs = below(dirs.pod_runs(), plan.end_runs);
  auto failed = end_shims(runs, port, patience);
  remove_cgroups(plan.drop_cgroups, dirs, port, failed);
  remove_all(runs, port, failed);
  remove_all(below(dirs.pod_states(), plan.drop_storages), port, failed);
  remove_all(below(dirs.pod_records(), plan.drop_records), port, failed);
  return failed;
}

} // namespace tank

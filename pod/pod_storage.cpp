#include "pod/pod_storage.hpp"

#include "base/log.hpp"
#include "base/text.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

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
  if (const auto gone = port_->unmount_memory(dirs_.pod_volumes(uid)); !gone)
    log_->error("event=storage_stays error={}", in_quotes(gone.error().message()));
  // Moved away at once, under the lock: a pod of the same uid that starts now begins afresh and
  // is never touched by the removal, however long that takes.
  const auto from = dirs_.pod_state(uid);
  const auto to = dirs_.pod_states() / (".gone-" + std::to_string(++serial_) + "-" + uid);
  std::error_code failed;
  fs::rename(from, to, failed);
  if (failed) {
    if (failed.value() != ENOENT)
      return log_->error("event=storage_stays path={} error={}", from.string(),
                         in_quotes(errno_text(failed.value())));
    if (ids_) jobs_->submit([self = shared_from_this(), uid] { self->release_ids(uid); });
    return;
  }
  jobs_->submit([self = shared_from_this(), to, uid] {
    if (const auto gone = self->port_->remove_tree(to); !gone) // its ids are not free then
      return self->log_->error("event=storage_stays error={}", in_quotes(gone.error().message()));
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
      self->log_->error("event=ids_stay error={}", in_quotes(done.error().message()));
  });
}

} // namespace tank

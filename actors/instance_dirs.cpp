#include "actors/instance_dirs.hpp"

#include "actors/log.hpp"
#include "actors/pod_storage.hpp"
#include "base/file.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace tank {

namespace fs = std::filesystem;

instance_dirs::instance_dirs(directories dirs, std::shared_ptr<kernel::port> port, log_ptr log)
    : dirs_{std::move(dirs)}
    , port_{std::move(port)}
    , log_{log_or_none(std::move(log))} {}

result<std::unique_ptr<instance_dirs>>
instance_dirs::open(const directories& dirs, std::shared_ptr<kernel::port> port, log_ptr log) {
  std::unique_ptr<instance_dirs> own{new instance_dirs{dirs, std::move(port), std::move(log)}};
  TANK_TRY(make_directories(dirs.state_dir));
  TANK_TRY(make_directories(dirs.pod_logs()));
  TANK_TRY(own->make(dirs.run_dir));
  TANK_TRY(own->lock());
  TANK_TRY(own->make(dirs.pod_runs()));
  TANK_TRY(own->make(dirs.pod_states()));
  own->sweep();
  return own;
}

result<void> instance_dirs::make(const fs::path& dir) {
  std::vector<fs::path> missing;
  struct stat st {};
  for (auto at = dir; at.has_relative_path() && ::lstat(at.c_str(), &st) != 0 && errno == ENOENT;
       at = at.parent_path())
    missing.insert(missing.begin(), at);
  TANK_TRY(make_directories(dir));
  made_.insert(made_.end(), missing.begin(), missing.end());
  return {};
}

result<void> instance_dirs::lock() {
  const auto path = dirs_.lock_file();
  for (;;) {
    unique_fd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!fd) return fail_errno(errno, "open", path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return fail_errno(errno, "lock", path);
      return fail(errc::conflict, "lock", path, "another tank runs with this run directory",
                  "stop it, or choose another --run-dir");
    }
    // Its last owner removes it: only the file that is still there counts.
    struct stat ours {};
    struct stat there {};
    if (::fstat(fd.get(), &ours) == 0 && ::stat(path.c_str(), &there) == 0 &&
        ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
      lock_ = std::move(fd);
      return {};
    }
  }
}

void instance_dirs::sweep() const {
  for (const auto& why : sweep_pods(dirs_, *port_))
    log_->error("event=sweep error=\"{}\"", why.message());
}

instance_dirs::~instance_dirs() {
  if (lock_) { // else all of it belongs to another one
    sweep();
    ::unlink(dirs_.control_socket().c_str());
    ::unlink(dirs_.lock_file().c_str());
  }
  for (auto dir = made_.rbegin(); dir != made_.rend(); ++dir)
    ::rmdir(dir->c_str());
}

} // namespace tank

#include "api/instance_dirs.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "base/trusted_path.hpp"
#include "pod/state_owner.hpp"
#include "pod/sweep.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace tank {

namespace fs = std::filesystem;

instance_dirs::instance_dirs(directories dirs, std::shared_ptr<kernel::port> port, log_ptr log,
                             bool adopt, std::shared_ptr<id_ranges> ids)
    : dirs_{std::move(dirs)}
    , port_{std::move(port)}
    , log_{log_or_none(std::move(log))}
    , adopt_{adopt}
    , ids_{std::move(ids)} {}

result<std::unique_ptr<instance_dirs>> instance_dirs::open(const directories& dirs,
                                                           std::shared_ptr<kernel::port> port,
                                                           log_ptr log, bool adopt,
                                                           std::shared_ptr<id_ranges> ids) {
  std::unique_ptr<instance_dirs> own{
      new instance_dirs{dirs, std::move(port), std::move(log), adopt, std::move(ids)}};
  TANK_TRY(own->take());
  own->end_left_behind();
  return own;
}

result<void> instance_dirs::take() {
  boot_ = TANK_TRY(boot_id());
  TANK_TRY(make_directories(dirs_.state_dir));
  TANK_TRY(make_directories(dirs_.pod_logs()));
  TANK_TRY(make(dirs_.run_dir));
  for (const auto* dir : {&dirs_.state_dir, &dirs_.log_dir, &dirs_.run_dir})
    TANK_TRY(check_trusted_directory(*dir));
  TANK_TRY(lock());
  remove_unfinished(dirs_.run_dir);
  TANK_TRY(make(dirs_.pod_runs()));
  TANK_TRY(make(dirs_.pod_volumes()));
  TANK_TRY(claim_state());
  if (adopt_) TANK_TRY(make(dirs_.pod_records()));
  TANK_TRY(open_cgroups());
  sweep();
  return {};
}

/// The file comes first: a directory without one would be nobody's.
result<void> instance_dirs::claim_state() {
  TANK_TRY(make_directories(dirs_.all_pod_states()));
  const auto before = read_state_owner(dirs_);
  const bool made = std::find(made_.begin(), made_.end(), dirs_.run_dir) != made_.end() ||
                    (before && before->made_run_dir && before->boot == boot_);
  const state_owner owner{dirs_.run_dir, made, adopt_, boot_};
  if (!before || *before != owner) TANK_TRY(write_state_owner(dirs_, owner));
  TANK_TRY(make_directories(dirs_.pod_states()));
  if (adopt_)
    for (const auto& why : move_old_states(dirs_))
      log_->error("event=sweep error={}", in_quotes(why.message()));
  return {};
}

void instance_dirs::end_left_behind() {
  std::vector<error> failed;
  for (const auto& owner : other_state_owners(dirs_, failed)) {
    if (!is_left_behind(owner, boot_)) continue;
    auto dirs = dirs_;
    dirs.run_dir = owner.run_dir;
    instance_dirs its{dirs, port_, log_, false, std::make_shared<id_ranges>(dirs, id_pool{})};
    if (owner.made_run_dir)
      for (const auto& dir :
           {owner.run_dir, dirs.pod_runs(), dirs.pod_volumes(), dirs.pod_records()})
        its.made_.push_back(dir);
    if (auto taken = its.take(); taken)
      log_->info("event=left_behind run_dir={}", owner.run_dir.string());
    else if (taken.error().code == errc::conflict)
      its.made_.clear(); // it lives
    else
      failed.push_back(std::move(taken).error());
  }
  for (const auto& why : failed)
    log_->error("event=sweep error={}", in_quotes(why.message()));
}

static std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
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

/// The directories that opening the cgroups of `dirs` is about to make, parents first.
static std::vector<fs::path> missing_cgroups(const directories& dirs) {
  std::vector<fs::path> missing;
  for (const auto& h : dirs.cgroups.hierarchies) {
    auto at = h.mount;
    const auto below = h.directory.lexically_relative(h.mount) / dirs.instance();
    for (const auto& part : below.lexically_normal()) {
      at /= part;
      std::error_code ec;
      if (!fs::exists(at, ec)) missing.push_back(at);
    }
  }
  return missing;
}

result<void> instance_dirs::record_cgroups(std::vector<fs::path> dirs) {
  cgroups_ = std::move(dirs);
  std::string text;
  for (const auto& dir : cgroups_)
    text += dir.string() + "\n";
  return write_file_atomic(dirs_.cgroups_file(), text, 0600);
}

/// Those that predecessors made are in a file, one path a line: whoever is last removes them. What is
/// about to be made is written first: a daemon may be killed as soon as it is made.
result<void> instance_dirs::open_cgroups() {
  if (dirs_.cgroups.version == cgroup_version::none) {
    if (dirs_.cgroups.chosen)
      return fail(errc::unsupported, "use cgroups in", "cgroupRoot",
                  "no hierarchy is mounted here that Tank may use", "mount one, or leave it out");
    log_->warn("event=no_cgroups error=\"no hierarchy is mounted that Tank may use\"");
    return {};
  }
  const auto known = lines_of(read_file(dirs_.cgroups_file(), std::size_t{1} << 20).value_or(""));
  const auto with_known = [&](const std::vector<fs::path>& more) {
    std::vector<fs::path> all{known.begin(), known.end()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const auto missing = missing_cgroups(dirs_);
  cgroups_ = with_known({});
  if (!missing.empty()) TANK_TRY(record_cgroups(with_known(missing)));
  auto opened = port_->open_cgroups(dirs_.cgroups, dirs_.instance());
  // Somebody else's directory may have come between.
  const auto made = opened.value_or(std::vector<fs::path>{});
  if (made != missing) TANK_TRY(record_cgroups(with_known(made)));
  if (!opened && dirs_.cgroups.chosen) return failure{std::move(opened).error()};
  if (!opened) {
    log_->warn("event=no_cgroups error={}", in_quotes(opened.error().message()));
    dirs_.cgroups = {};
  }
  return {};
}

/// Parents come before their children; a line that comes twice does no harm.
void instance_dirs::close_cgroups() {
  bool all = true;
  for (auto dir = cgroups_.rbegin(); dir != cgroups_.rend(); ++dir)
    all = (::rmdir(dir->c_str()) == 0 || errno == ENOENT) && all;
  if (all) ::unlink(dirs_.cgroups_file().c_str());
}

/// Whether the process whose number is in the lock file is gone.
static bool owner_is_gone(const unique_fd& file) {
  char text[16] = {};
  if (::pread(file.get(), text, sizeof text - 1, 0) <= 0) return false;
  const auto pid = std::atoi(text);
  return pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH;
}

/// A daemon that is killed while it starts a shim leaves a process that has not come to its exec
/// yet, and holds a copy of every descriptor until then, the lock's too. No event tells of a lock's
/// end in a bounded time, so it is tried again.
static bool lock_of_the_dead(const unique_fd& file) {
  for (int tries = 0; tries < 1000 && owner_is_gone(file); ++tries) {
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK) return false;
    ::poll(nullptr, 0, 5);
  }
  return false;
}

result<void> instance_dirs::lock() {
  const auto path = dirs_.lock_file();
  for (;;) {
    unique_fd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!fd) return fail_errno(errno, "open", path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return fail_errno(errno, "lock", path);
      if (!lock_of_the_dead(fd))
        return fail(errc::conflict, "lock", path, "another tank runs with this run directory",
                    "stop it, or choose another --run-dir");
    }
    // Its last owner removes it: only the file that is still there counts.
    struct stat ours {};
    struct stat there {};
    if (::fstat(fd.get(), &ours) == 0 && ::stat(path.c_str(), &there) == 0 &&
        ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
      const auto pid = std::to_string(::getpid());
      if (::ftruncate(fd.get(), 0) != 0 ||
          ::pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
        return fail_errno(errno, "write", path);
      lock_ = std::move(fd);
      return {};
    }
  }
}

void instance_dirs::sweep() {
  auto failed = std::vector<error>{};
  if (adopt_) {
    const auto found = find_leftovers(dirs_, boot_);
    auto plan = plan_adoption(found);
    failed = sweep_orphans(dirs_, plan, *port_);
    failed.insert(failed.begin(), found.troubles.begin(), found.troubles.end());
    restored_ = std::move(plan.restore);
  } else {
    failed = sweep_pods(dirs_, *port_);
  }
  std::set<std::string> left;
  for (const auto& record : restored_)
    left.insert(record.what.uid);
  // What could not be removed still has files of its ids.
  if (ids_ && failed.empty())
    if (auto kept = ids_->keep_only(left); !kept) failed.push_back(std::move(kept).error());
  for (const auto& why : failed)
    log_->error("event=sweep error={}", in_quotes(why.message()));
}

instance_dirs::~instance_dirs() {
  if (lock_) { // else all of it belongs to another one
    sweep();
    ::unlink(dirs_.control_socket().c_str());
    release_state(dirs_);
    close_cgroups();
    ::unlink(dirs_.lock_file().c_str());
  }
  for (auto dir = made_.rbegin(); dir != made_.rend(); ++dir)
    ::rmdir(dir->c_str());
}

} // namespace tank

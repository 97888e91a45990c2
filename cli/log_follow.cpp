#include "cli/log_files.hpp"

#include <algorithm>
#include <array>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

namespace tank::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t entries_changed =
    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF;

bool same_file(int fd, const fs::path& path) {
  struct stat a {};
  struct stat b {};
  return ::fstat(fd, &a) == 0 && ::lstat(path.c_str(), &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

bool same_file(int one, int other) {
  struct stat a {};
  struct stat b {};
  return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

void add_watch(const unique_fd& inotify, const fs::path& dir, std::uint32_t mask) {
  // A directory that is not there (any more) is found missing by the look that follows.
  ::inotify_add_watch(inotify.get(), dir.c_str(), mask | IN_ONLYDIR);
}

/// Adding a watch twice is one watch; so every change of names just adds all of them again.
void watch_logs(const unique_fd& inotify, const directories& dirs, const log_query& query) {
  add_watch(inotify, dirs.pod_logs(), entries_changed);
  const std::string prefix = dirs.pod_log(query.ns, query.name, "").filename().string();
  std::error_code ec;
  for (fs::directory_iterator pod{dirs.pod_logs(), ec}, end; !ec && pod != end; pod.increment(ec)) {
    if (!pod->path().filename().string().starts_with(prefix)) continue;
    add_watch(inotify, pod->path(), entries_changed);
    std::error_code inner;
    for (fs::directory_iterator it{pod->path(), inner}; !inner && it != end; it.increment(inner))
      add_watch(inotify, it->path(), entries_changed | IN_MODIFY);
  }
}

class follower {
 public:
  follower(const directories& dirs, const log_query& query, log_run run, unique_fd live,
           cri_parser& parser, const cri_parser::sink& give, const std::function<void()>& lost)
      : dirs_{dirs}
      , query_{query}
      , run_{std::move(run)}
      , live_{std::move(live)}
      , parser_{parser}
      , give_{give}
      , lost_{lost} {}

  result<void> run(int stop_fd, int out_fd) {
    inotify_ = unique_fd{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
    if (!inotify_) return fail_errno(errno, "watch", dirs_.pod_logs().string());
    bool names_changed = true;
    for (;;) {
      // Watch first, look second: what happens between the two is seen by the look.
      if (names_changed) watch_logs(inotify_, dirs_, query_);
      TANK_TRY(drain());
      if (names_changed && !TANK_TRY(catch_up())) return {};
      // `out_fd` only for its end: a reader that went away would otherwise show at the next write.
      std::array<pollfd, 3> fds{pollfd{inotify_.get(), POLLIN, 0}, pollfd{stop_fd, POLLIN, 0},
                                pollfd{out_fd, 0, 0}};
      if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR)
        return fail_errno(errno, "watch", dirs_.pod_logs().string());
      if (fds[1].revents != 0 || fds[2].revents != 0) return {};
      names_changed = read_events();
    }
  }

 private:
  result<void> drain() {
    if (!live_) return {};
    return drain_log(live_.get(), run_.file().string(), parser_, give_);
  }

  /// After a rotation, a restart or an edit: goes to the file that is written now. False: the logs
  /// of the pod are gone.
  result<bool> catch_up() {
    const auto now = find_log(dirs_, query_);
    // Once the next file is there, the one before it is complete: only now its end is its end.
    TANK_TRY(drain());
    if (!now) {
      // In the middle of a rotation there is no live file for a moment; its event is still to come.
      std::error_code ec;
      if (fs::exists(run_.container_dir, ec)) return true;
      parser_.finish(give_);
      return false;
    }
    if (*now == run_) {
      TANK_TRY(read_rotated());
      return true;
    }
    TANK_TRY(read_rotated());
    parser_.finish(give_);
    run_ = *now;
    live_.reset();
    TANK_TRY(read_log(run_, parser_, give_, &live_));
    return true;
  }

  /// Goes on with the files behind the one that was read, which is complete now.
  result<void> read_rotated() {
    if (live_ && same_file(live_.get(), run_.file())) return {};
    auto open = TANK_TRY(open_logs(run_));
    if (open.empty()) return {}; // in the middle of a rotation: its event is still to come
    auto next = open.begin();
    if (live_) {
      TANK_TRY(drain());
      const auto mine = std::find_if(open.begin(), open.end(), [&](const auto& fd) {
        return same_file(live_.get(), fd.get());
      });
      if (mine != open.end()) {
        next = mine + 1;
      } else { // rotated away, and with it perhaps some that came behind it
        parser_.finish(give_);
        if (lost_) lost_();
      }
    }
    // All are open: whatever is rotated now, nothing of them is lost.
    for (; next != open.end(); ++next) {
      live_ = std::move(*next);
      TANK_TRY(drain());
    }
    return {};
  }

  /// True when names changed; false when only bytes were added.
  bool read_events() {
    bool names = false;
    alignas(inotify_event) std::array<char, 16384> buffer;
    for (;;) {
      const auto n = ::read(inotify_.get(), buffer.data(), buffer.size());
      if (n <= 0) return names;
      for (char* at = buffer.data(); at < buffer.data() + n;) {
        const auto* event = reinterpret_cast<const inotify_event*>(at);
        if ((event->mask & ~static_cast<std::uint32_t>(IN_MODIFY)) != 0) names = true;
        at += sizeof(inotify_event) + event->len;
      }
    }
  }

  const directories& dirs_;
  const log_query& query_;
  log_run run_;
  unique_fd live_;
  cri_parser& parser_;
  const cri_parser::sink& give_;
  const std::function<void()>& lost_;
  unique_fd inotify_;
};

} // namespace

result<std::optional<log_run>> await_log(const directories& dirs, const log_query& query,
                                         int stop_fd, int out_fd) {
  const unique_fd inotify{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  if (!inotify) return fail_errno(errno, "watch", dirs.pod_logs().string());
  // Any container ends the wait: one that is asked for but not the pod's own may never run.
  auto any = query;
  any.container.clear();
  for (;;) {
    // From the top down, and the look last: what appears in between is seen by one of the two.
    fs::path above;
    std::error_code ec;
    for (const auto& part : fs::absolute(dirs.pod_logs(), ec))
      add_watch(inotify, above /= part, IN_CREATE | IN_MOVED_TO);
    watch_logs(inotify, dirs, query);
    const auto found = find_log(dirs, any);
    if (found || found.error().code != errc::not_found) return TANK_TRY(find_log(dirs, query));
    std::array<pollfd, 3> fds{pollfd{inotify.get(), POLLIN, 0}, pollfd{stop_fd, POLLIN, 0},
                              pollfd{out_fd, 0, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR)
      return fail_errno(errno, "watch", dirs.pod_logs().string());
    if (fds[1].revents != 0 || fds[2].revents != 0) return std::nullopt;
    std::array<char, 16384> events;
    while (::read(inotify.get(), events.data(), events.size()) > 0) {
    }
  }
}

result<void> follow_log(const directories& dirs, const log_query& query, log_run run,
                        unique_fd live, cri_parser& parser, const cri_parser::sink& give,
                        int stop_fd, int out_fd, const std::function<void()>& lost) {
  follower f{dirs, query, std::move(run), std::move(live), parser, give, lost};
  return f.run(stop_fd, out_fd);
}

} // namespace tank::cli

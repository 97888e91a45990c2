#include "actors/manifests/manifest_watcher.hpp"

#include "actors/manifests/messages.hpp"
#include "actors/reconcile/messages.hpp"
#include "actors/role.hpp"
#include "actors/run_job.hpp"
#include "base/directory_watch.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

#include <optional>
#include <sys/epoll.h>
#include <utility>

namespace tank {

// --- what it tells itself ---

struct scan_due {
  std::uint64_t serial = 0; ///< 0: the periodic one
  bool operator==(const scan_due&) const = default;
};
/// A file has been missing for as long as that is waited for.
struct missing_due {
  std::string path;
  std::uint64_t serial = 0;
  bool operator==(const missing_due&) const = default;
};
struct scan_done {
  std::shared_ptr<const scan_result> result;
};

} // namespace tank

#define TANK_WATCHER_MESSAGES(M, O, b)                                                             \
  M(b, scan_due, serial)                                                                           \
  M(b, missing_due, path, serial)                                                                  \
  O(b, scan_done)
TANK_PRIVATE_MESSAGES(tank_watcher, ::tank::compat::roles::manifests, TANK_WATCHER_MESSAGES);

namespace tank {

namespace {

class manifest_watcher final : public role {
 public:
  manifest_watcher(caf::actor_config& cfg, watcher_options options)
      : role(cfg)
      , options_(std::move(options))
      , log_(log_or_none(options_.logger)) {
    if (!options_.memory) options_.memory = std::make_shared<watcher_memory>();
  }

  const char* name() const override { return "tank.manifest_watcher"; }

  caf::behavior make_behavior() override {
    start_watching();
    scan();
    compat::send_after(this, self(), options_.rescan, scan_due{0});
    return {
        [this](const fd_ready& m) { on_events(m); },
        [this](const scan_due& m) { on_due(m); },
        [this](const missing_due& m) { on_missing_due(m); },
        [this](const scan_done& m) { on_scanned(*m.result); },
        [this](const get_files&) { return file_list{options_.memory->set.files()}; },
        [this](const rescan_files&) {
          auto promise = make_response_promise();
          asking_.push_back(promise);
          scan();
          return promise;
        },
    };
  }

  void on_exit() override {
    for (auto* list : {&asking_, &answering_}) {
      for (auto& p : *list)
        p.deliver(to_error(
            fail(errc::unavailable, "look at", "the manifests", "the watcher has ended").value()));
      list->clear();
    }
    subscription_.reset();
    watch_.reset(); // a timer may keep this object for longer
  }

 private:
  // --- when to look ------------------------------------------------------------------------------

  /// Without inotify the periodic look remains: slower, not wrong.
  void start_watching() {
    auto watch = directory_watch::create();
    if (!watch) return complain(watch.error());
    watch_.emplace(*std::move(watch));
    if (auto attached = watch_->attach(options_.sources); !attached) complain(attached.error());
    auto subscribed = options_.fds->watch(watch_->fd(), EPOLLIN, self());
    if (!subscribed) return complain(subscribed.error());
    subscription_ = *std::move(subscribed);
  }

  void on_events(const fd_ready& m) {
    if (!watch_ || m.id != subscription_.id()) return;
    auto changes = watch_->read();
    if (!changes) return complain(changes.error());
    bool now = false;
    bool soon = false;
    bool attach = false;
    for (const auto& c : *changes) {
      switch (c.kind) {
      case change_kind::partial:
        soon = true;
        writing_.insert(c.path);
        break;
      case change_kind::open:
        writing_.insert(c.path);
        open_.insert(c.path);
        idle_.erase(c.path);
        break;
      case change_kind::complete:
        now = true;
        writing_.erase(c.path);
        open_.erase(c.path);
        note_removal(c.path);
        break;
      case change_kind::moved:
        attach = true;
        [[fallthrough]];
      case change_kind::lost:
        now = true;
        writing_.clear();
        open_.clear();
        break;
      }
    }
    if (attach)
      if (auto attached = watch_->attach(options_.sources); !attached) complain(attached.error());
    if (soon) compat::send_after(this, self(), options_.quiet, scan_due{++quiet_serial_});
    if (now) scan();
    if (auto armed = subscription_.rearm(EPOLLIN); !armed) complain(armed.error());
  }

  void on_due(const scan_due& m) {
    if (m.serial == 0) {
      announce_ = true;
      give_up_waiting();
      compat::send_after(this, self(), options_.rescan, scan_due{0});
    } else {
      if (m.serial != quiet_serial_) return; // something was written since
      writing_ = open_;
    }
    scan();
  }

  /// What was removed on purpose does not come back: nothing is waited for.
  void note_removal(const std::filesystem::path& path) {
    if (const auto name = removed_by(path.filename().native()))
      gone_.insert((path.parent_path() / *name).string());
  }

  void on_missing_due(const missing_due& m) {
    const auto at = missing_.find(m.path);
    if (at == missing_.end() || at->second != m.serial) return; // it was there meanwhile
    gone_.insert(m.path);
    scan();
  }

  void await_missing(const std::set<std::string>& missing) {
    std::erase_if(missing_, [&](const auto& known) { return !missing.contains(known.first); });
    std::erase_if(gone_, [&](const auto& path) { return !missing.contains(path); });
    for (const auto& path : missing) {
      if (!missing_.emplace(path, missing_serial_ + 1).second) continue;
      compat::send_after(this, self(), options_.patience, missing_due{path, ++missing_serial_});
    }
  }

  /// The prefix of a manifest may be one itself, so a file that is open is not read, however quiet.
  /// But a change that no close follows (truncate(2)) must show some time: after a whole period.
  void give_up_waiting() {
    for (const auto& path : idle_)
      if (open_.erase(path) > 0) writing_.erase(path);
    idle_ = open_;
  }

  // --- looking -----------------------------------------------------------------------------------

  void scan() {
    if (scanning_) {
      again_ = true;
      return;
    }
    scanning_ = true;
    answering_.swap(asking_);
    scan_request request{.sources = options_.sources,
                         .known = options_.memory->marks,
                         .owned = options_.owned,
                         .gone = gone_,
                         .writing = writing_,
                         .judge = options_.judge};
    run_job(*options_.jobs, self(), [request = std::move(request)] {
      return scan_done{std::make_shared<const scan_result>(scan_manifests(request))};
    });
  }

  void on_scanned(const scan_result& found) {
    scanning_ = false;
    if (found.why) {
      complain(*found.why); // no conclusion from a listing that failed: all stays as it is
    } else {
      options_.memory->marks = found.marks;
      await_missing(found.missing);
      const auto change = options_.memory->set.apply(found.files);
      if (change.files) report_errors();
      if (change.desired || announce_) {
        announce_ = false;
        compat::send(this, options_.reconciler(), options_.memory->set.desired());
      }
    }
    for (auto& p : answering_)
      p.deliver(file_list{options_.memory->set.files()});
    answering_.clear();
    if (std::exchange(again_, false)) scan();
  }

  // --- telling -----------------------------------------------------------------------------------

  void report_errors() {
    std::set<std::string> lines;
    for (const auto& file : options_.memory->set.files())
      lines.insert(file.errors.begin(), file.errors.end());
    for (const auto& line : lines)
      if (!reported_.contains(line))
        log_->error("event=manifest_refused error={}", in_quotes(line));
    reported_ = std::move(lines);
  }

  void complain(const error& why) {
    auto text = why.message();
    if (text == complaint_) return; // said already; it comes back every few seconds
    log_->error("event=watch_failed error={}", in_quotes(text));
    complaint_ = std::move(text);
  }

  watcher_options options_;
  log_ptr log_;
  std::optional<directory_watch> watch_;
  fd_subscription subscription_;  ///< of watch_: declared after it, gone before it
  std::set<std::string> writing_; ///< not to be read yet: just created, or open for writing
  std::set<std::string> open_;    ///< of these: until the writer closes it
  std::set<std::string> idle_;    ///< of these: no event since the last periodic look
  std::uint64_t quiet_serial_ = 0;
  std::map<std::string, std::uint64_t> missing_; ///< waited for; with the number of that wait
  std::set<std::string> gone_;                   ///< of these: waited for long enough
  std::uint64_t missing_serial_ = 0;
  bool scanning_ = false;
  bool again_ = false;
  bool announce_ = true;                         ///< the first state is news, also when it is empty
  std::vector<caf::response_promise> asking_;    ///< for the next scan
  std::vector<caf::response_promise> answering_; ///< by the scan under way
  std::set<std::string> reported_;
  std::string complaint_;
};

} // namespace

caf::actor spawn_manifest_watcher(caf::actor_system& sys, watcher_options options) {
  return sys.spawn<manifest_watcher>(std::move(options));
}

} // namespace tank

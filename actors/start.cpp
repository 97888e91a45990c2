#include "actors/start.hpp"

#include "actors/api.hpp"
#include "actors/image_store.hpp"
#include "actors/manifest_set.hpp"
#include "actors/manifest_watcher.hpp"
#include "actors/message_types.hpp"
#include "actors/reconciler.hpp"
#include "actors/role.hpp"
#include "actors/runtime.hpp"
#include "actors/worker.hpp"
#include "base/file.hpp"
#include "oci/store.hpp"

#include <map>
#include <mutex>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>

namespace tank {
namespace {

/// These answers have no deadline of ours: a grace period may be any length.
constexpr std::chrono::hours as_long_as_it_takes{24 * 365};

/// What the observer saw, for another thread.
class board {
 public:
  board() : event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}

  template <class Change>
  void change(Change apply) {
    {
      const std::lock_guard lock{mutex_};
      apply(pods_, now_);
    }
    ::eventfd_write(event_.get(), 1);
  }
  instance::view look() {
    eventfd_t count = 0;
    ::eventfd_read(event_.get(), &count);
    const std::lock_guard lock{mutex_};
    instance::view view = now_;
    for (const auto& [key, pod] : pods_)
      view.pods.push_back(pod);
    return view;
  }
  [[nodiscard]] int fd() const noexcept { return event_.get(); }

 private:
  unique_fd event_;
  std::mutex mutex_;
  std::map<std::string, pod_status> pods_;
  instance::view now_;
};

class observer final : public role {
 public:
  observer(caf::actor_config& cfg, std::shared_ptr<board> to, caf::actor reconciler,
           caf::actor watcher)
      : role(cfg)
      , to_(std::move(to))
      , reconciler_(std::move(reconciler))
      , watcher_(std::move(watcher)) {}

  const char* name() const override { return "tank.observer"; }

  caf::behavior make_behavior() override {
    compat::send(this, reconciler_, watch_pods{self()});
    compat::request(this, watcher_, as_long_as_it_takes, rescan_files{})
        .then([this](const file_list& got) { on_files(got); }, [](const caf::error&) {});
    return {
        [this](const pod_changed& m) {
          to_->change([&](auto& pods, auto&) { pods[m.status.key] = m.status; });
        },
        [this](const pod_removed& m) {
          to_->change([&](auto& pods, auto&) { pods.erase(m.key); });
        },
        [this](const stop_all_pods& m) {
          compat::request(this, reconciler_, as_long_as_it_takes, m)
              .then([this](const pods_stopped&) { on_stopped(); },
                    [this](const caf::error&) { on_stopped(); });
        },
    };
  }

 private:
  void on_files(const file_list& got) {
    to_->change([&](auto&, auto& now) { now.files = got.files; });
    compat::request(this, reconciler_, as_long_as_it_takes, sync_pods{})
        .then([this](const pods_synced&) { on_synced(); }, [](const caf::error&) {});
  }
  /// One list, so that "synced" never shows before the pods do.
  void on_synced() {
    compat::request(this, reconciler_, as_long_as_it_takes, list_pods{})
        .then(
            [this](const pod_list& got) {
              to_->change([&](auto& pods, auto& now) {
                for (const auto& pod : got.pods)
                  pods[pod.key] = pod;
                now.synced = true;
              });
            },
            [](const caf::error&) {});
  }
  void on_stopped() {
    to_->change([](auto&, auto& now) { now.stopped = true; });
  }

  std::shared_ptr<board> to_;
  caf::actor reconciler_;
  caf::actor watcher_;
};

struct scheduler_config : caf::actor_system_config {
  scheduler_config() { compat::set_scheduler(*this, 2); }
};

result<unique_fd> lock_run_dir(const directories& dirs) {
  const auto path = dirs.lock_file();
  unique_fd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd) return fail_errno(errno, "open", path.string());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock", path.string());
    return fail(errc::conflict, "lock", path.string(), "another tank runs with this run directory",
                "stop it, or choose another --run-dir");
  }
  return fd;
}

} // namespace

/// In the order of construction; destroyed in reverse: the actors end before what serves them.
struct instance::parts {
  start_options options;
  unique_fd lock;
  std::shared_ptr<board> seen = std::make_shared<board>();
  std::shared_ptr<fd_source> fds;
  std::shared_ptr<job_runner> jobs;
  scheduler_config config;
  std::unique_ptr<caf::actor_system> system;
  caf::actor images;
  caf::actor reconciler;
  caf::actor watcher;
  caf::actor api;
  caf::actor watching;

  result<void> open();
  void spawn(std::shared_ptr<const unique_fd> listener);

  ~parts() {
    // Outermost first: nobody asks for what is gone, and no desired state comes in any more.
    for (auto* a : {&api, &watching, &watcher, &reconciler, &images}) {
      if (*a) caf::anon_send_exit(*a, caf::exit_reason::user_shutdown);
      *a = nullptr;
    }
    system.reset();
    if (lock) ::unlink(options.dirs.control_socket().c_str());
  }
};

result<void> instance::parts::open() {
  const auto& dirs = options.dirs;
  for (const auto& dir : {dirs.state_dir, dirs.run_dir, dirs.log_dir, dirs.pod_states(),
                          dirs.pod_runs(), dirs.pod_logs()})
    TANK_TRY(make_directories(dir));
  lock = TANK_TRY(lock_run_dir(dirs));
  auto store = std::make_shared<oci::store>(TANK_TRY(oci::store::open(dirs.images())));
  auto listener =
      std::make_shared<const unique_fd>(TANK_TRY(listen_control_socket(dirs.control_socket())));
  fds = TANK_TRY(poller::create());
  jobs = std::make_shared<thread_pool>(4);
  init_message_types();
  system = std::make_unique<caf::actor_system>(config);
  images = spawn_image_store(
      *system, {[store](std::string_view name) { return store->resolve(name); }, jobs});
  spawn(std::move(listener));
  return {};
}

void instance::parts::spawn(std::shared_ptr<const unique_fd> listener) {
  runtime_options runtimes;
  runtimes.port = options.port;
  runtimes.jobs = jobs;
  runtimes.fds = fds;
  runtimes.image_store = [a = images] { return a; };
  runtimes.host = std::make_shared<const kernel::host_facts>(options.host);
  runtimes.dirs = options.dirs;
  reconciler_options reconciling;
  reconciling.start_runtime = make_runtime_factory(std::move(runtimes));
  reconciling.backoff = options.backoff;
  reconciling.wall_clock = options.wall_clock;
  reconciler = spawn_reconciler(*system, std::move(reconciling));
  watcher_options watching_files;
  watching_files.sources = options.sources;
  watching_files.reconciler = [a = reconciler] { return a; };
  watching_files.jobs = jobs;
  watching_files.fds = fds;
  watching_files.rescan = options.rescan;
  watching_files.judge = judge_manifest;
  watcher = spawn_manifest_watcher(*system, std::move(watching_files));
  watching = system->spawn<observer>(seen, reconciler, watcher);
  api = spawn_api(*system, {std::move(listener), fds, [a = reconciler] { return a; },
                            [a = watcher] { return a; }, options.version});
}

result<std::unique_ptr<instance>> instance::start(start_options options) {
  auto p = std::make_unique<parts>();
  p->options = std::move(options);
  TANK_TRY(p->open());
  return std::unique_ptr<instance>{new instance{std::move(p)}};
}

instance::instance(std::unique_ptr<parts> p) : parts_{std::move(p)} {}
instance::~instance() = default;

int instance::fd() const noexcept {
  return parts_->seen->fd();
}

instance::view instance::look() {
  return parts_->seen->look();
}

void instance::stop(std::optional<std::chrono::seconds> grace) {
  // No new desired state; what runs is stopped by the reconciler.
  caf::anon_send_exit(parts_->watcher, caf::exit_reason::user_shutdown);
  compat::anon_send(parts_->watching, stop_all_pods{grace});
}

} // namespace tank

#include "api/start.hpp"

#include "actors/images/image_store.hpp"
#include "actors/manifests/manifest_watcher.hpp"
#include "actors/messages.hpp"
#include "actors/poller.hpp"
#include "actors/reconcile/janitor.hpp"
#include "actors/reconcile/reconciler.hpp"
#include "actors/runtime/run_registry.hpp"
#include "actors/runtime/runtime.hpp"
#include "actors/runtime/runtime_supervisor.hpp"
#include "actors/supervision/stop_reason.hpp"
#include "actors/supervision/supervisor.hpp"
#include "api/api.hpp"
#include "api/instance_dirs.hpp"
#include "api/messages.hpp"
#include "api/observer.hpp"
#include "api/roles.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "base/worker.hpp"
#include "oci/image_room.hpp"
#include "oci/image_source.hpp"
#include "oci/store.hpp"
#include "pod/layers_in_use.hpp"
#include "pod/manifest_set.hpp"
#include "pod/pod_storage.hpp"

#include <exception>
#include <map>
#include <optional>

namespace tank {
namespace {

/// For a program without a system of its own.
struct own_system {
  struct scheduler_config : system_config {
    scheduler_config() { compat::set_scheduler(*this, 2); }
  };
  scheduler_config config;
  caf::actor_system system{config};
};

/// What happens to roles is told as a log line.
report_sink reports_to(const std::shared_ptr<spdlog::logger>& given) {
  return [log = log_or_none(given)](const supervisor_report& r) {
    using what = supervisor_report::what;
    const char* text = r.kind == what::start_failed       ? "could not be started"
                       : r.kind == what::child_terminated ? "ended"
                       : r.kind == what::shutdown_failed  ? "did not stop as asked"
                                                          : "was restarted too often";
    log->error("event=supervisor_report child={} what={} reason={}", r.id, in_quotes(text),
               in_quotes(r.reason));
  };
}

/// The manifests as a predecessor had them in force. A file that is wrong now must stop no pod.
std::vector<scanned_file> last_good_files(const std::vector<pod_record>& records) {
  std::map<std::string, parsed_file> files;
  for (const auto& record : records) {
    if (record.leaving) continue;
    const auto& newest = record.next ? *record.next : record.what;
    files[newest.file].pods.push_back({record.key, newest});
  }
  std::vector<scanned_file> good;
  for (auto& [path, parsed] : files)
    good.push_back({path, std::make_shared<const parsed_file>(std::move(parsed))});
  return good;
}

/// A crash of a role is repaired by starting it again; one that a manifest can cause would come
/// again at once. So what judges manifests, which are untrusted, ends at that manifest.
parsed_file judge_or_refuse(const std::string& file, std::string_view text) {
  try {
    return judge_manifest(file, text);
  } catch (const std::exception& e) {
    return unreadable_manifest(file, fail(errc::internal, "judge", file, e.what()).value());
  }
}

} // namespace

/// In the order of construction; destroyed in reverse: the actors end before what serves them.
struct instance::parts {
  explicit parts(start_options o) : options{std::move(o)} {}
  start_options options;
  std::shared_ptr<id_ranges> ids;
  std::shared_ptr<given_paths> given;
  std::unique_ptr<instance_dirs> own;
  std::shared_ptr<status_board> board = std::make_shared<status_board>();
  std::shared_ptr<poller> fds;
  std::shared_ptr<thread_pool> jobs;
  std::shared_ptr<image_room> room;     ///< null: nobody makes any
  std::shared_ptr<thread_pool> pulls;   ///< apart: a pull takes as long as the network likes
  std::shared_ptr<pod_records> records; ///< null: nothing outlives this instance
  std::shared_ptr<reconciler_memory> memory;
  std::shared_ptr<role_table> roles;
  std::shared_ptr<run_registry> runs;
  std::unique_ptr<own_system> own_actors; ///< empty: the actors live in the caller's system
  caf::actor root;

  result<void> open(caf::actor_system& system);
  ~parts();

 private:
  child_spec role(const std::string& name, std::function<caf::actor(caf::actor_system&)> spawn);
  [[nodiscard]] std::function<caf::actor()> current(std::string name) const;
  void keep_room(const std::shared_ptr<const oci::store>& store);
  child_spec image_store(std::shared_ptr<const oci::store> store);
  runtime_factory make_runtimes(std::shared_ptr<pod_storage> storage);
  child_spec runtime_supervisor();
  child_spec reconciler(runtime_factory make_runtime);
  child_spec manifest_watcher();
  child_spec observer();
  child_spec janitor(std::shared_ptr<pod_storage> storage);
  child_spec api(std::shared_ptr<const unique_fd> listener);
  result<void> supervise(caf::actor_system& system, std::vector<child_spec> children);
};

result<void> instance::parts::open(caf::actor_system& system) {
  const auto& dirs = options.dirs;
  roles = options.roles ? options.roles : std::make_shared<role_table>();
  ids = std::make_shared<id_ranges>(dirs, options.ids);
  given = std::make_shared<given_paths>(dirs);
  own = TANK_TRY(instance_dirs::open(dirs, options.port, options.logger, options.adopt, ids));
  options.dirs = own->dirs();
  auto storing = store_options_of(dirs);
  storing.limits = options.images.limits;
  storing.named_by_manifests = options.images.named_by_manifests;
  auto store =
      std::make_shared<const oci::store>(TANK_TRY(oci::store::open(dirs.images(), storing)));
  keep_room(store);
  std::shared_ptr<const unique_fd> listener;
  if (options.control_socket)
    listener =
        std::make_shared<const unique_fd>(TANK_TRY(listen_control_socket(dirs.control_socket())));
  fds = TANK_TRY(poller::create());
  jobs = std::make_shared<thread_pool>(4);
  if (options.pull)
    // As many threads as there are pulls: who of them waits is not for the order here to say.
    pulls =
        std::make_shared<thread_pool>(options.images.parallel_pulls, std::chrono::milliseconds{0});
  // While the manifests are read, lest the first pod wait for its filter.
  jobs->submit([port = options.port, held = options.host.capabilities] {
    static_cast<void>(port->compile_filter({.capabilities = default_capabilities & held}));
  });
  if (options.adopt) records = std::make_shared<pod_records>(dirs, own->boot(), own->restored());
  memory = std::make_shared<reconciler_memory>(options.backoff, records, own->restored());
  auto storage = std::make_shared<pod_storage>(dirs, options.port, jobs, options.logger, ids);
  // Who is asked comes before who asks; all end in the reverse order: nobody asks for what is gone.
  const auto make_runtime = make_runtimes(storage);
  runs = std::make_shared<run_registry>(run_registry::parts{
      make_runtime, storage, current("runtime_supervisor"), [board = board] { board->wake(); }});
  std::vector<child_spec> children{image_store(std::move(store)),
                                   runtime_supervisor(),
                                   reconciler(make_runtime),
                                   manifest_watcher(),
                                   observer(),
                                   janitor(storage)};
  if (listener) children.push_back(api(std::move(listener)));
  return supervise(system, std::move(children));
}

result<void> instance::parts::supervise(caf::actor_system& system,
                                        std::vector<child_spec> children) {
  // Ten in a minute are more than bad luck.
  const supervisor_flags flags{.intensity = 10, .period = std::chrono::minutes{1}};
  root = TANK_TRY(spawn_supervisor(system, flags, std::move(children), reports_to(options.logger)));
  roles->set("root", root);
  root->attach_functor([board = board](const caf::error& why) {
    board->set_failed("tank's own parts fail too often: " + to_string(classify(why)));
  });
  // Its children are there when it answers.
  std::optional<error> failed;
  caf::scoped_actor self{system};
  compat::ask(&*self, root, count_children{})
      .receive([](const child_counts&) {}, [&](const caf::error& why) { failed = error_of(why); });
  if (failed) return failure{*std::move(failed)};
  return {};
}

instance::parts::~parts() {
  if (root) {
    caf::scoped_actor self{root->home_system()};
    compat::send_exit(root, caf::make_error(caf::exit_reason::user_shutdown));
    self->wait_for(root);
    root = nullptr;
    for (const auto& runtime : memory->end_runtimes())
      self->wait_for(runtime);
    roles->clear(); // nobody looks any more
  }
  own_actors.reset();
  // In a system that goes on, timers keep ended actors, and these their share of what follows.
  if (fds) fds->stop();
  if (jobs) jobs->stop();
  if (pulls) pulls->stop(); // its jobs were cancelled by the end of the image store
}

// --- the roles -----------------------------------------------------------------------------------

child_spec instance::parts::role(const std::string& name,
                                 std::function<caf::actor(caf::actor_system&)> spawn) {
  child_spec spec;
  spec.id = name;
  spec.start = [name, spawn = std::move(spawn), roles = roles](caf::actor_system& sys) {
    auto made = spawn(sys);
    roles->set(name, made);
    return start_answer{std::move(made)};
  };
  return spec;
}

std::function<caf::actor()> instance::parts::current(std::string name) const {
  return [name = std::move(name), roles = roles] { return roles->get(name); };
}

void instance::parts::keep_room(const std::shared_ptr<const oci::store>& store) {
  const auto& images = options.images;
  if (images.room_period.count() <= 0) return;
  const auto age = std::chrono::nanoseconds{images.minimum_age}.count();
  room = std::make_shared<image_room>([store, marks = images.room, clock = options.wall_clock,
                                       age] { return store->relieve(marks, {}, clock() - age); },
                                      images.room_period, options.logger);
  if (!options.pull) return;
  options.pull = [room = room, pull = std::move(options.pull)](
                     const wanted_image& what, const std::function<void(std::string)>& progress,
                     oci::cancellation& stop) {
    auto pulled = pull(what, progress, stop);
    room->poke();
    return pulled;
  };
}

child_spec instance::parts::image_store(std::shared_ptr<const oci::store> store) {
  const image_store_options serving{.resolve =
                                        [store = std::move(store)](std::string_view name) {
                                          return oci::is_image_source(name) ? store->bring(name)
                                                                            : store->resolve(name);
                                        },
                                    .jobs = jobs,
                                    .pull = options.pull,
                                    .pulls = pulls,
                                    .offline = options.images.offline};
  return role("image_store",
              [serving](caf::actor_system& sys) { return spawn_image_store(sys, serving); });
}

runtime_factory instance::parts::make_runtimes(std::shared_ptr<pod_storage> storage) {
  runtime_options runtimes;
  runtimes.port = options.port;
  runtimes.jobs = jobs;
  runtimes.fds = fds;
  runtimes.timers = fds;
  runtimes.backoff = options.backoff;
  runtimes.wall_clock = options.wall_clock;
  runtimes.image_store = current("image_store");
  runtimes.host = std::make_shared<const kernel::host_facts>(options.host);
  runtimes.storage = std::move(storage);
  runtimes.records = records;
  runtimes.ids = ids;
  runtimes.given = given;
  runtimes.dirs = options.dirs;
  runtimes.log = options.logs;
  runtimes.pids_limit = options.pids_limit;
  runtimes.logger = options.logger;
  return make_runtime_factory(std::move(runtimes));
}

child_spec instance::parts::runtime_supervisor() {
  auto spec = role("runtime_supervisor", spawn_runtime_supervisor);
  spec.type = child_type::supervisor;
  spec.shutdown = shutdown_after::infinity();
  return spec;
}

child_spec instance::parts::reconciler(runtime_factory make_runtime) {
  reconciler_options reconciling;
  reconciling.start_runtime = std::move(make_runtime);
  reconciling.memory = memory;
  reconciling.wall_clock = options.wall_clock;
  reconciling.logger = options.logger;
  return role("reconciler",
              [reconciling](caf::actor_system& sys) { return spawn_reconciler(sys, reconciling); });
}

child_spec instance::parts::manifest_watcher() {
  watcher_options watching;
  watching.sources = options.sources;
  watching.owned = options.owned_manifests;
  watching.reconciler = current("reconciler");
  watching.jobs = jobs;
  watching.fds = fds;
  watching.rescan = options.rescan;
  watching.judge = judge_or_refuse;
  watching.logger = options.logger;
  watching.memory = std::make_shared<watcher_memory>();
  watching.memory->set.apply(last_good_files(own->restored()));
  return role("manifest_watcher",
              [watching](caf::actor_system& sys) { return spawn_manifest_watcher(sys, watching); });
}

child_spec instance::parts::observer() {
  const observer_options watching{board, current("reconciler"), current("manifest_watcher")};
  return role("observer",
              [watching](caf::actor_system& sys) { return spawn_observer(sys, watching); });
}

child_spec instance::parts::janitor(std::shared_ptr<pod_storage> storage) {
  janitor_options cleaning{.reconciler = current("reconciler"), .storage = std::move(storage)};
  for (const auto& record : own->restored())
    cleaning.known.emplace(record.key, record.what.uid);
  return role("janitor",
              [cleaning](caf::actor_system& sys) { return spawn_janitor(sys, cleaning); });
}

child_spec instance::parts::api(std::shared_ptr<const unique_fd> listener) {
  const api_options serving{.listener = std::move(listener),
                            .fds = fds,
                            .reconciler = current("reconciler"),
                            .watcher = current("manifest_watcher"),
                            .version = options.version,
                            .cgroups = options.dirs.cgroups,
                            .jobs = jobs,
                            .read_usage =
                                [port = options.port, dirs = options.dirs](const std::string& uid) {
                                  return port->read_cgroup(dirs.cgroups, dirs.pod_cgroup(uid));
                                },
                            .logger = options.logger};
  return role("api", [serving](caf::actor_system& sys) { return spawn_api(sys, serving); });
}

// --- the outside ---------------------------------------------------------------------------------

result<std::unique_ptr<instance>> start(caf::actor_system& system, start_options options) {
  auto p = std::make_unique<instance::parts>(std::move(options));
  TANK_TRY(p->open(system));
  return std::unique_ptr<instance>{new instance{std::move(p)}};
}

result<std::unique_ptr<instance>> instance::start(start_options options) {
  auto made = std::make_unique<own_system>();
  auto started = TANK_TRY(tank::start(made->system, std::move(options)));
  started->parts_->own_actors = std::move(made);
  return started;
}

instance::instance(std::unique_ptr<parts> p) : parts_{std::move(p)} {}
instance::~instance() = default;

caf::actor instance::reconciler() const {
  return parts_->roles->get("reconciler");
}

caf::actor instance::supervisor() const {
  return parts_->root;
}

runtime_supervisor instance::runtimes() const {
  return runtime_supervisor{parts_->runs};
}

int instance::fd() const noexcept {
  return parts_->board->fd();
}

instance::view instance::look() {
  auto now = parts_->board->look();
  now.stopped = now.stopped && parts_->runs->idle();
  return now;
}

void instance::stop(std::optional<std::chrono::seconds> grace) {
  // The order stays on the board, in case this observer fails before it is carried out.
  parts_->board->order_stop({grace});
  parts_->runs->stop_all(grace);
  if (const auto observer = parts_->roles->get("observer"))
    compat::anon_send(observer, observer_due{true});
}

} // namespace tank

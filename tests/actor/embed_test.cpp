// Tank as a guest in somebody else's actor system.
#include "actors/caf_compat.hpp"
#include "actors/messages.hpp"
#include "actors/runtime/runtime_supervisor.hpp"
#include "actors/supervision/stop_reason.hpp"
#include "api/roles.hpp"
#include "api/start.hpp"
#include "pod/manifest_set.hpp"
#include "tests/actor/live_port.hpp"

#include <algorithm>
#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include <poll.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

namespace embed_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// Only keeps a broken build from hanging.
constexpr auto limit = 20s;

struct host_program {
  struct config : system_config {
    config() { compat::set_scheduler(*this, 2); }
  };
  config cfg;
  caf::actor_system system{cfg};

  /// The host's own actors still work.
  bool alive() {
    const auto echo = system.spawn([](caf::event_based_actor*) -> caf::behavior {
      return {[](const list_pods&) { return pods_synced{}; }};
    });
    caf::scoped_actor self{system};
    bool heard = false;
    compat::request(&*self, echo, limit, list_pods{})
        .receive([&](const pods_synced&) { heard = true; }, [](const caf::error&) {});
    return heard;
  }
};

struct tree {
  fs::path root;
  std::shared_ptr<live_port> port = std::make_shared<live_port>();
  tree() {
    std::string name = (fs::temp_directory_path() / "tank-embed-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
    fs::create_directories(root / "rootfs/etc");
    fs::create_directory(root / "pods.d");
  }
  ~tree() { fs::remove_all(root); }
  tree(const tree&) = delete;
  tree& operator=(const tree&) = delete;

  [[nodiscard]] start_options options() const {
    start_options o;
    o.dirs = {root / "pods.d", root / "state", root / "run", root / "log", {}};
    o.sources = {o.dirs.manifest_dir};
    o.port = port;
    o.host.hostname = "node";
    return o;
  }
  [[nodiscard]] std::string manifest(const std::string& name) const {
    return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name +
           "}\nspec: {terminationGracePeriodSeconds: 600, containers: [{name: main, image: "
           "'rootfs:" +
           (root / "rootfs").string() + "', command: [/run]}]}\n";
  }
  void drop(const std::string& name) const {
    std::ofstream(root / "pods.d" / ("." + name)) << manifest(name);
    fs::rename(root / "pods.d" / ("." + name), root / "pods.d" / (name + ".yaml"));
  }
};

instance::view wait(instance& tank, const std::function<bool(const instance::view&)>& good) {
  for (;;) {
    auto view = tank.look();
    if (good(view)) return view;
    pollfd p{tank.fd(), POLLIN, 0};
    REQUIRE(::poll(&p, 1, std::chrono::milliseconds{limit}.count()) == 1);
  }
}
bool one_runs(const instance::view& v) {
  return v.pods.size() == 1 && v.pods.front().state == pod_state::running;
}

std::set<std::string> names_in(const fs::path& dir) {
  std::set<std::string> out;
  for (const auto& e : fs::directory_iterator(dir)) {
    std::error_code ec;
    const auto target = fs::read_symlink(e.path(), ec);
    if (target.string().find("/proc/") != 0) out.insert(e.path().filename()); // the iterator's own
  }
  return out;
}

} // namespace

TEST_CASE("two instances share a host's system; each ends by itself, and the host goes on") {
  host_program host;
  tree a;
  tree b;
  auto one = start(host.system, a.options());
  REQUIRE_MESSAGE(one.has_value(), one.error().message());
  auto two = start(host.system, b.options());
  REQUIRE_MESSAGE(two.has_value(), two.error().message());
  a.drop("web");
  b.drop("db");
  CHECK(wait(**one, one_runs).pods.front().key == "default/web");
  CHECK(wait(**two, one_runs).pods.front().key == "default/db");
  one->reset();
  CHECK_FALSE(fs::exists(a.root / "run"));
  CHECK(one_runs((*two)->look()));
  (*two)->stop(0s);
  wait(**two, [](const auto& v) { return v.stopped; });
  two->reset();
  CHECK_FALSE(fs::exists(b.root / "run"));
  CHECK(host.alive());
}

TEST_CASE("a second instance in the same directories is refused, in the same system too") {
  host_program host;
  tree a;
  auto one = start(host.system, a.options());
  REQUIRE(one.has_value());
  const auto again = start(host.system, a.options());
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == errc::conflict);
}

TEST_CASE("when an instance has ended, its threads and descriptors are gone") {
  host_program host;
  CHECK(host.alive()); // CAF's own threads and descriptors are made
  { const spdlog::logger warm{"x"}; }
  const auto threads = names_in("/proc/self/task");
  const auto files = names_in("/proc/self/fd");
  tree a;
  auto options = a.options();
  options.port = std::exchange(a.port, nullptr);
  auto tank = start(host.system, std::move(options));
  REQUIRE(tank.has_value());
  a.drop("web");
  wait(**tank, one_runs);
  CHECK(names_in("/proc/self/task") != threads);
  tank->reset(); // with a pod alive, and timers of all kinds pending
  // A thread that was joined is listed until the kernel has buried it; so may be one of the host
  // before this, among those that were there first.
  const auto is_new = [&threads](const std::string& id) { return !threads.contains(id); };
  const auto new_ones = [&is_new] {
    const auto now = names_in("/proc/self/task");
    return std::count_if(now.begin(), now.end(), is_new);
  };
  for (auto end = std::chrono::steady_clock::now() + limit;
       new_ones() > 0 && std::chrono::steady_clock::now() < end;)
    std::this_thread::yield();
  CHECK(new_ones() == 0);
  for (const auto& n : names_in("/proc/self/fd"))
    if (!files.contains(n)) MESSAGE(n, " ", fs::read_symlink("/proc/self/fd/" + n).string());
  CHECK(names_in("/proc/self/fd") == files);
}

TEST_CASE("nothing global is touched: signals, mask, environment, default logger") {
  const auto dispositions = [] {
    std::map<int, void*> out;
    for (int n = 1; n < NSIG; ++n) {
      struct sigaction now {};
      if (::sigaction(n, nullptr, &now) == 0) out[n] = reinterpret_cast<void*>(now.sa_handler);
    }
    return out;
  };
  const auto mask = [] {
    sigset_t set;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &set);
    std::string out;
    for (int n = 1; n < NSIG; ++n)
      out += sigismember(&set, n) == 1 ? '1' : '0';
    return out;
  };
  host_program host;
  std::ostringstream said;
  auto mine = std::make_shared<spdlog::logger>(
      "mine", std::make_shared<spdlog::sinks::ostream_sink_mt>(said));
  std::ostringstream global;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "global", std::make_shared<spdlog::sinks::ostream_sink_mt>(global)));
  const auto handlers = dispositions();
  const auto blocked = mask();
  tree a;
  tree silent;
  auto options = a.options();
  options.logger = mine;
  for (const auto* dir : {&a.root, &silent.root})
    std::ofstream(*dir / "pods.d/bad.yaml") << "kind: [";
  options.control_socket = false;
  auto tank = start(host.system, std::move(options));
  REQUIRE(tank.has_value());
  auto quiet = start(host.system, silent.options());
  REQUIRE(quiet.has_value());
  CHECK(dispositions() == handlers);
  CHECK(mask() == blocked);
  CHECK_FALSE(fs::exists(a.root / "run/tank.sock"));
  CHECK(fs::exists(silent.root / "run/tank.sock"));
  for (auto* one : {tank->get(), quiet->get()})
    wait(*one, [](const auto& v) { return v.synced && v.files.size() == 1; });
  tank->reset();
  quiet->reset();
  spdlog::set_default_logger(before);
  CHECK(dispositions() == handlers);
  CHECK(said.str().find("event=manifest_refused") != std::string::npos);
  CHECK(global.str().empty());
}

TEST_CASE("an actor of the host hears of each change, and orders a restart") {
  host_program host;
  tree a;
  a.drop("web");
  auto tank = start(host.system, a.options());
  REQUIRE(tank.has_value());
  caf::scoped_actor self{host.system};
  const auto reconciler = (*tank)->reconciler();
  compat::send(&*self, reconciler, watch_pods{self});
  const auto hear_running = [&](int port_starts) {
    for (bool done = false; !done;)
      self->receive([&](const pod_changed& m) {
        done = m.status.state == pod_state::running && m.status.host_pid == 1000 + port_starts;
      });
  };
  hear_running(1);
  bool ordered = false;
  compat::request(&*self, reconciler, limit, restart_pod{"default/web"})
      .receive([&](const pod_status&) { ordered = true; }, [](const caf::error&) {});
  CHECK(ordered);
  hear_running(2);
}

// --- pods one by one -----------------------------------------------------------------------------

namespace {

/// One pod of a tree, started by the test, which is its owner.
struct single {
  host_program host;
  tree dir;
  std::shared_ptr<role_table> roles = std::make_shared<role_table>();
  std::unique_ptr<instance> tank;
  std::optional<caf::scoped_actor> me;
  std::optional<desired_pod> pod;

  single() {
    auto options = dir.options();
    options.sources.clear();
    options.roles = roles;
    auto started = start(host.system, std::move(options));
    REQUIRE_MESSAGE(started.has_value(), started.error().message());
    tank = *std::move(started);
    me.emplace(host.system);
    auto read = read_pod(dir.manifest("web"));
    REQUIRE_MESSAGE(read.has_value(), read.error().message());
    pod = *std::move(read);
  }
  ~single() { tank.reset(); }

  result<caf::actor> spawn() { return spawn_runtime(tank->runtimes(), *pod, {.owner = *me}); }
  /// The next message, which must be a T.
  template <class T>
  T hear() {
    std::optional<T> got;
    std::string other;
    (*me)->receive([&](const workload_running& m) { keep(m, got, other); },
                   [&](const workload_exited& m) { keep(m, got, other); },
                   [&](const workload_signaled& m) { keep(m, got, other); },
                   [&](const workload_error& m) { keep(m, got, other); },
                   caf::after(limit) >> [&] { other = "nothing"; });
    REQUIRE_MESSAGE(got, "heard instead: ", other);
    return *got;
  }
  template <class T, class M>
  static void keep(const M& m, std::optional<T>& got, std::string& other) {
    if constexpr (std::is_same_v<T, M>)
      got = m;
    else
      other = caf::deep_to_string(m);
  }
  template <class Answer, class Question>
  result<Answer> ask(const caf::actor& whom, Question question) {
    result<Answer> out = fail(errc::internal, "ask", "", "");
    compat::request(&**me, whom, limit, std::move(question))
        .receive([&](const Answer& a) { out = a; },
                 [&](const caf::error& e) { out = failure{error_of(e)}; });
    return out;
  }
};

} // namespace

TEST_CASE("a runtime of its own tells its owner how it went, and may be started again at once") {
  single s;
  for (int run = 1; run <= 3; ++run) {
    const auto runtime = s.spawn();
    REQUIRE_MESSAGE(runtime.has_value(), runtime.error().message());
    CHECK(s.hear<workload_running>() == workload_running{"default/web", 1000 + run});
    CHECK(s.ask<host_pid>(*runtime, get_host_pid{})->pid == 1000 + run);
    CHECK(s.ask<exec_context>(*runtime, get_exec_context{})->working_dir == "/");
    compat::anon_send(*runtime, stop_pod{});
    CHECK(s.hear<workload_signaled>() == workload_signaled{"default/web", 15});
    CHECK(fs::is_empty(s.dir.root / "run/pods"));
    CHECK(s.ask<host_pid>(*runtime, get_host_pid{}).error().code == errc::unavailable);
  }
}

TEST_CASE("a pod runs once at a time, beside the same manifest in a watched directory") {
  single s;
  REQUIRE(s.spawn().has_value());
  s.hear<workload_running>();
  const auto again = s.spawn();
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == errc::exists);
  const auto watched = judge_manifest("web.yaml", s.dir.manifest("web"));
  CHECK(watched.pods.front().desired.uid != s.pod->uid);
}

TEST_CASE("whichever way a runtime ends, its owner hears one terminal event") {
  single s;
  const auto runtime = s.spawn();
  REQUIRE(runtime.has_value());
  s.hear<workload_running>();
  SUBCASE("its actor is killed") {
    compat::send_exit(*runtime, caf::make_error(caf::exit_reason::kill));
    CHECK(s.hear<workload_error>().why.cause == stop_cause::killed);
  }
  SUBCASE("its supervisor was told to terminate it") {
    const auto done = s.ask<child_done>(s.tank->runtimes().actor(), terminate_dynamic{*runtime});
    CHECK(done.has_value());
    CHECK(s.hear<workload_signaled>() == workload_signaled{"default/web", 9});
  }
  SUBCASE("its supervisor is killed") {
    const auto before = s.tank->runtimes().actor();
    compat::send_exit(before, caf::make_error(caf::exit_reason::kill));
    CHECK(s.hear<workload_signaled>() == workload_signaled{"default/web", 9});
    while (s.tank->runtimes().actor() == before) // each turn waits for an answer of the root
      REQUIRE(s.ask<child_counts>(s.tank->supervisor(), count_children{}).has_value());
  }
  SUBCASE("the instance ends") {
    s.tank.reset();
    CHECK(s.hear<workload_signaled>() == workload_signaled{"default/web", 9});
    return;
  }
  // no second event: the next one is the next run's
  REQUIRE(s.spawn().has_value());
  s.hear<workload_running>();
}

TEST_CASE("a pod that cannot be brought up is an error event") {
  single s;
  fs::remove_all(s.dir.root / "rootfs");
  REQUIRE(s.spawn().has_value());
  const auto event = s.hear<workload_error>();
  CHECK(event.why.cls == stop_class::abnormal);
  CHECK(event.why.cause == stop_cause::bring_up_failed);
}

TEST_CASE("stop is for the single ones too, and refuses later ones") {
  single s;
  s.dir.port->deaf = true;
  REQUIRE(s.spawn().has_value());
  s.hear<workload_running>();
  s.tank->stop(std::nullopt);
  const auto late = s.spawn();
  REQUIRE_FALSE(late.has_value());
  CHECK_FALSE(s.tank->look().stopped);
  s.tank->stop(0s);
  wait(*s.tank, [](const auto& v) { return v.stopped; });
  CHECK(s.hear<workload_signaled>().signal == 9);
}

TEST_CASE("a manifest that is none, or more than one Pod, is refused with its first finding") {
  CHECK(read_pod("kind: [").error().code == errc::invalid);
  tree dir;
  const auto two = dir.manifest("a") + "---\n" + dir.manifest("b");
  CHECK(read_pod(two).error().message().find("more than one Pod") != std::string::npos);
}

} // namespace embed_test

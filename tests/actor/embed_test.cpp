// Tank as a guest in somebody else's actor system.
#include "actors/caf_compat.hpp"
#include "actors/message_types.hpp"
#include "actors/roles.hpp"
#include "actors/start.hpp"
#include "tests/actor/live_port.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <poll.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

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
  CHECK(names_in("/proc/self/task") == threads);
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

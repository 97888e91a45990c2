#include "api/start.hpp"
#include "pod/pod_records.hpp"
#include "pod/state_owner.hpp"

#include "actors/caf_compat.hpp"
#include "actors/messages.hpp"
#include "api/roles.hpp"
#include "tests/actor/live_port.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <thread>

namespace start_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// Only keeps a broken build from hanging.
constexpr auto limit = 20s;

/// A whole Tank in a tree of its own, on a kernel that obeys.
struct world {
  fs::path root;
  directories dirs;
  std::shared_ptr<live_port> port = std::make_shared<live_port>();
  std::shared_ptr<role_table> roles = std::make_shared<role_table>();
  std::unique_ptr<instance> tank;

  world() {
    spdlog::set_level(spdlog::level::off);
    std::string name = (fs::temp_directory_path() / "tank-start-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
    dirs = {root / "pods.d", root / "state", root / "run", root / "log", {}};
    fs::create_directories(root / "rootfs/etc");
    fs::create_directory(dirs.manifest_dir);
  }
  ~world() {
    tank.reset();
    fs::remove_all(root);
  }
  bool adopt = false;

  result<std::unique_ptr<instance>> start() {
    start_options o;
    o.adopt = adopt;
    o.dirs = dirs;
    o.sources = {dirs.manifest_dir};
    o.port = port;
    o.host.hostname = "node";
    o.wall_clock = [] { return std::int64_t{5}; };
    o.version = "test";
    o.roles = roles;
    return instance::start(std::move(o));
  }
  void run() {
    auto started = start();
    REQUIRE_MESSAGE(started.has_value(), started.error().message());
    tank = *std::move(started);
  }
  void drop(const std::string& name, const std::string& extra = "") {
    const auto tmp = dirs.manifest_dir / ("." + name);
    std::ofstream(tmp) << "apiVersion: v1\nkind: Pod\nmetadata: {name: " << name
                       << "}\nspec: {terminationGracePeriodSeconds: 600, containers: [{name: main, "
                          "image: 'rootfs:"
                       << (root / "rootfs").string() << "', command: [/run]" << extra << "}]}\n";
    fs::rename(tmp, file(name));
  }
  [[nodiscard]] fs::path file(const std::string& name) const {
    return dirs.manifest_dir / (name + ".yaml");
  }

  template <class Predicate>
  instance::view wait(const char* what, Predicate good) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    for (;;) {
      auto view = tank->look();
      if (good(view)) return view;
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      pollfd p{tank->fd(), POLLIN, 0};
      REQUIRE_MESSAGE(::poll(&p, 1, static_cast<int>(left.count())) == 1, "waited for: ", what);
    }
  }
  static const pod_status* find(const instance::view& view, const std::string& name) {
    for (const auto& p : view.pods)
      if (p.key == "default/" + name) return &p;
    return nullptr;
  }
  pod_status wait_running(const std::string& name) {
    const auto view = wait("running", [&](const auto& v) {
      const auto* p = find(v, name);
      return p != nullptr && p->state == pod_state::running;
    });
    return *find(view, name);
  }
  void wait_gone(const std::string& name) {
    wait("gone", [&](const auto& v) { return find(v, name) == nullptr; });
  }

  /// Kills the role and returns when its successor plays it.
  void replace(const std::string& name) {
    const auto old = roles->get(name);
    REQUIRE(old);
    const auto root_supervisor = roles->get("root");
    compat::send_exit(old, caf::make_error(caf::exit_reason::kill));
    caf::scoped_actor self{old->home_system()};
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (roles->get(name) == old) { // each turn waits for an answer of the supervisor
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      compat::request(&*self, root_supervisor, limit, count_children{})
          .receive([](const child_counts&) {}, [](const caf::error&) {});
    }
  }
};

} // namespace

TEST_CASE("a manifest that is dropped runs, and its pod ends with it") {
  world w;
  w.run();
  w.wait("the first look", [](const auto& v) { return v.synced; });
  w.drop("web");
  const auto web = w.wait_running("web");
  CHECK(web.host_pid == 1001);
  CHECK(fs::exists(w.dirs.pod_etc(web.uid) / "hosts"));
  fs::remove(w.file("web"));
  w.wait_gone("web");
  CHECK(fs::is_empty(w.dirs.pod_runs()));
}

TEST_CASE("whichever role is killed, another takes its place and pods do not notice") {
  for (const auto* name :
       {"image_store", "reconciler", "manifest_watcher", "observer", "janitor", "api"}) {
    CAPTURE(name);
    world w;
    w.drop("web");
    w.run();
    const auto before = w.wait_running("web");
    w.replace(name);
    w.drop("second"); // what comes later is served as before
    w.wait_running("second");
    const auto after = w.wait_running("web");
    CHECK(after.host_pid == before.host_pid);
    CHECK(after.restarts == 0);
    CHECK(w.port->starts() == 2);
    fs::remove(w.file("web"));
    w.wait_gone("web");
    CHECK(fs::exists(w.dirs.control_socket()));
  }
}

TEST_CASE("a watcher's successor still has the last good version of a file that is wrong") {
  world w;
  w.drop("web");
  w.run();
  w.wait_running("web");
  std::ofstream(w.file("web")) << "kind: [";
  w.replace("manifest_watcher");
  w.drop("second");
  w.wait_running("second");
  CHECK(w.find(w.tank->look(), "web") != nullptr);
  CHECK(w.find(w.tank->look(), "web")->state == pod_state::running);
}

TEST_CASE("an order to stop is carried out whoever fails meanwhile, and nothing is left") {
  world w;
  w.port->deaf = true;
  w.drop("web", ", volumeMounts: []");
  w.run();
  w.wait_running("web");
  w.tank->stop(std::nullopt);
  w.wait("stopping", [&](const auto& v) {
    return w.find(v, "web") != nullptr && w.find(v, "web")->state == pod_state::stopping;
  });
  w.replace("reconciler");
  w.replace("observer");
  CHECK_FALSE(w.tank->look().stopped);
  w.tank->stop(0s); // it does not hear the signal
  w.wait("stopped", [](const auto& v) { return v.stopped; });
  CHECK(w.port->starts() == 1);
  w.tank.reset();
  CHECK_FALSE(fs::exists(w.dirs.run_dir));
  CHECK_FALSE(fs::exists(w.dirs.pod_states()));
}

TEST_CASE("an instance that ends with pods alive ends them, and keeps what it did not make") {
  world w;
  fs::create_directory(w.dirs.run_dir);
  w.drop("web");
  w.run();
  w.wait_running("web");
  w.tank.reset();
  CHECK(fs::is_empty(w.dirs.run_dir));
}

TEST_CASE("a second instance with the same run directory is refused and harms nothing") {
  world w;
  w.run();
  const auto second = w.start();
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == errc::conflict);
  CHECK(fs::exists(w.dirs.control_socket()));
  CHECK(fs::exists(w.dirs.lock_file()));
  w.drop("web");
  w.wait_running("web");
}

TEST_CASE("a lock that outlives its owner, in a process it was starting, is waited for") {
  world w;
  fs::create_directories(w.dirs.run_dir);
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  REQUIRE(::waitpid(gone, nullptr, 0) == gone);
  std::ofstream(w.dirs.lock_file()) << gone;
  unique_fd copy{::open(w.dirs.lock_file().c_str(), O_RDWR | O_CLOEXEC)};
  REQUIRE(::flock(copy.get(), LOCK_EX) == 0);
  std::thread its_exec{[&] { copy.reset(); }};
  w.run();
  its_exec.join();
  CHECK_FALSE(w.start().has_value()); // this one lives
}

TEST_CASE("what an instance that is gone has left is removed at the start") {
  world w;
  fs::create_directories(w.dirs.pod_run("old") / "etc");
  fs::create_directories(w.dirs.pod_state("old") / "volumes/data");
  w.run();
  CHECK(fs::is_empty(w.dirs.pod_runs()));
  CHECK(fs::is_empty(w.dirs.pod_states()));
}

TEST_CASE("a role that fails again and again makes Tank give up, and say so") {
  world w;
  w.run();
  w.wait("the first look", [](const auto& v) { return v.synced; });
  for (int i = 0; i < 10; ++i)
    w.replace("janitor");
  compat::send_exit(w.roles->get("janitor"), caf::make_error(caf::exit_reason::kill));
  const auto view = w.wait("giving up", [](const auto& v) { return !v.failed.empty(); });
  CHECK(view.failed.find("fail too often") != std::string::npos);
}

TEST_CASE("two instances with one state directory share images and nothing else") {
  world a;
  world b;
  b.dirs.state_dir = a.dirs.state_dir;
  CHECK(b.dirs.pod_states() != a.dirs.pod_states());
  CHECK(b.dirs.images() == a.dirs.images());
  for (const bool adopts : {false, true}) {
    a.adopt = adopts;
    a.run();
    fs::create_directories(a.dirs.pod_state("mine"));
    b.run();
    b.tank.reset();
    CHECK(fs::exists(a.dirs.pod_state("mine")));
    CHECK_FALSE(fs::exists(b.dirs.pod_states()));
    CHECK_FALSE(fs::exists(b.dirs.pod_states_owner()));
    a.tank.reset();
  }
}

TEST_CASE("what an instance that nobody succeeds has left is ended by whoever starts next") {
  world a;
  world b;
  b.dirs.state_dir = a.dirs.state_dir;
  const auto boot = boot_id().value();
  struct given {
    const char* what;
    state_owner owner;
    bool goes;
  };
  const auto run_dir = a.dirs.run_dir;
  for (const auto& [what, owner, goes] :
       {given{"it was to end its pods itself", {run_dir, true, false, boot}, true},
        given{"it was before this boot", {run_dir, true, true, "another"}, true},
        given{"its successor may come", {run_dir, true, true, boot}, false}}) {
    CAPTURE(what);
    fs::create_directories(a.dirs.pod_state("its") / "volumes/data");
    fs::create_directories(a.dirs.pod_run("its") / "etc");
    fs::create_directories(a.dirs.pod_volumes());
    REQUIRE(write_state_owner(a.dirs, owner));
    b.run();
    CHECK(fs::exists(a.dirs.pod_state("its")) != goes);
    CHECK(fs::exists(a.dirs.run_dir) != goes);
    CHECK(fs::exists(a.dirs.pod_states_owner()) != goes);
    b.tank.reset();
  }
  // Whatever its file says, one that lives keeps what it has.
  a.run();
  fs::create_directories(a.dirs.pod_state("its"));
  REQUIRE(write_state_owner(a.dirs, {run_dir, true, false, boot}));
  b.run();
  CHECK(fs::exists(a.dirs.pod_state("its")));
  CHECK(fs::exists(a.dirs.control_socket()));
}

TEST_CASE("a pod of an earlier version keeps what it wrote, where such instances have it now") {
  world w;
  w.adopt = true;
  w.drop("web");
  w.run();
  const auto web = w.wait_running("web");
  w.tank.reset();
  fs::create_directories(w.dirs.volume_state(web.uid, "data"));
  fs::rename(w.dirs.pod_state(web.uid), w.dirs.all_pod_states() / web.uid);
  w.run();
  CHECK(w.wait_running("web").host_pid == web.host_pid);
  CHECK(fs::exists(w.dirs.volume_state(web.uid, "data")));
  CHECK_FALSE(fs::exists(w.dirs.all_pod_states() / web.uid));
}

// --- adoption ------------------------------------------------------------------------------------

TEST_CASE("pods outlive an instance that adopts: the next one has the same ones, counted alike") {
  world w;
  w.adopt = true;
  w.drop("web");
  w.drop("job");
  w.run();
  const auto web = w.wait_running("web");
  const auto job = w.wait_running("job");
  w.tank.reset();
  CHECK(fs::exists(w.dirs.pod_record(web.uid)));
  w.port->exits(job.uid, 3); // nobody listens
  w.run();
  CHECK(w.wait_running("web").host_pid == web.host_pid);
  CHECK(w.wait_running("web").started_ns == web.started_ns);
  const auto view = w.wait("the exit is collected", [&](const auto& v) {
    const auto* p = w.find(v, "job");
    return p != nullptr && p->state == pod_state::backing_off;
  });
  CHECK(w.find(view, "job")->last->exit_code == 3);
  CHECK(w.find(view, "job")->retries == 1);
  CHECK(w.port->starts() == 2);
  CHECK(w.port->adoptions() == 2);
  w.tank.reset();
  w.run(); // the back-off goes on where it was
  const auto again = w.wait("restored", [&](const auto& v) { return v.synced; });
  CHECK(w.find(again, "job")->state == pod_state::backing_off);
  CHECK(w.find(again, "job")->restart_at_ns == w.find(view, "job")->restart_at_ns);
  CHECK(w.find(again, "job")->retries == 1);
  w.tank->stop(std::nullopt);
  w.wait("stopped", [](const auto& v) { return v.stopped; });
  w.tank.reset();
  for (const auto& dir : {w.dirs.pod_runs(), w.dirs.pod_records(), w.dirs.pod_states()})
    CHECK((!fs::exists(dir) || fs::is_empty(dir))); // who was stopped leaves nothing
}

TEST_CASE(
    "each container of a pod is as it was, for the next instance too; an end leaves the other") {
  world w;
  w.adopt = true;
  w.drop("web",
         "}, {name: log, image: 'rootfs:" + (w.root / "rootfs").string() + "', command: [/run]");
  w.run();
  const auto before = w.wait_running("web");
  REQUIRE(before.containers.size() == 2);
  CHECK(before.containers[0].host_pid == 1001);
  CHECK(before.containers[1].host_pid == 11001);
  w.port->exits(before.uid, 3, "log");
  const auto log_waits = [&](const instance::view& v, std::uint32_t restarts) {
    const auto* p = w.find(v, "web");
    return p != nullptr && p->containers.size() == 2 &&
           p->containers[1].reason == "CrashLoopBackOff" && p->containers[1].restarts == restarts;
  };
  w.wait("the end of one", [&](const auto& v) { return log_waits(v, 1); });
  CHECK(w.wait_running("web").containers[0].host_pid == 1001);
  w.tank.reset();
  w.run();
  w.wait("the same", [&](const auto& v) { return log_waits(v, 1); });
  CHECK(w.wait_running("web").containers[0].host_pid == 1001);
  w.tank.reset();
  w.port->exits(before.uid, 4); // nobody listens
  w.run();
  const auto after = w.wait("both have ended", [&](const auto& v) {
    return log_waits(v, 1) && w.find(v, "web")->containers[0].reason == "CrashLoopBackOff";
  });
  CHECK(w.find(after, "web")->containers[0].last->exit_code == 4);
  CHECK(w.find(after, "web")->containers[1].last->exit_code == 3);
  CHECK(w.port->starts() == 1);
  CHECK(w.port->adoptions() == 2);
  w.tank->stop(0s);
  w.wait("stopped", [](const auto& v) { return v.stopped; });
}

TEST_CASE("what was removed or edited meanwhile is stopped or replaced, what is broken runs on") {
  world w;
  w.adopt = true;
  for (const auto* name : {"removed", "edited", "broken"})
    w.drop(name);
  w.run();
  const auto broken = w.wait_running("broken");
  const auto edited = w.wait_running("edited");
  w.wait_running("removed");
  w.tank.reset();
  fs::remove(w.file("removed"));
  w.drop("edited", ", env: [{name: A, value: b}]");
  std::ofstream(w.file("broken")) << "kind: [";
  w.run();
  w.wait("the edited one is another", [&](const auto& v) {
    const auto* p = w.find(v, "edited");
    return p != nullptr && p->uid != edited.uid && p->state == pod_state::running;
  });
  w.wait_gone("removed");
  CHECK(w.wait_running("broken").host_pid == broken.host_pid);
  CHECK(w.port->starts() == 4);
  const auto files = w.wait("files", [](const auto& v) { return v.files.size() == 2; }).files;
  CHECK(files[0].last_good_kept);
  CHECK_FALSE(fs::exists(w.dirs.pod_record(edited.uid)));
}

TEST_CASE("a runtime that fails leaves its pod to another one, and nothing is restarted") {
  world w;
  w.adopt = true;
  w.drop("web");
  w.run();
  const auto before = w.wait_running("web");
  for (int n = 1; n <= 3; ++n) {
    w.port->throws(before.uid);
    w.wait("adopted", [&](const auto&) { return w.port->adoptions() == n; }); // a report follows
  }
  const auto after = w.wait_running("web");
  CHECK(after.host_pid == before.host_pid);
  CHECK(after.restarts == 0);
  CHECK(w.port->starts() == 1);
  w.port->throws(before.uid); // once more is too often: its end is the run's
  w.wait("backing off", [&](const auto& v) {
    return w.find(v, "web") != nullptr && w.find(v, "web")->state == pod_state::backing_off;
  });
}

TEST_CASE("an instance with a record that is broken adopts the others, and ends what it is about") {
  world w;
  w.adopt = true;
  w.drop("web");
  w.drop("lost");
  w.run();
  const auto web = w.wait_running("web");
  const auto lost = w.wait_running("lost");
  w.tank.reset();
  std::ofstream(w.dirs.pod_record(lost.uid)) << R"({"version":1,"boot":)";
  w.run();
  CHECK(w.wait_running("web").host_pid == web.host_pid);
  CHECK(w.wait_running("lost").host_pid !=
        lost.host_pid); // its record is gone, its manifest is not
  CHECK(w.port->starts() == 3);
}

} // namespace start_test

#include "actors/reconcile/janitor.hpp"
#include "pod/pod_storage.hpp"
#include "pod/sweep.hpp"

#include "tests/actor/fake_port.hpp"
#include "tests/actor/script.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

namespace pod_storage_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A port whose remove_tree is real enough for a test, and whose shims can be adopted.
class disk_port final : public cgroup_recorder {
 public:
  std::vector<fs::path> adopted;
  std::shared_ptr<session_script> shim;

  result<std::unique_ptr<kernel::session>> adopt_session(const fs::path& run_dir) override {
    adopted.push_back(run_dir);
    if (!shim) return fail(errc::not_found, "adopt", run_dir, "nobody listens");
    return std::make_unique<fake_session>(shim);
  }
  result<void> remove_tree(const fs::path& path) override {
    fs::remove_all(path);
    return {};
  }
};

struct world {
  directories dirs;
  std::shared_ptr<disk_port> port = std::make_shared<disk_port>();
  std::shared_ptr<pod_storage> storage;
  fs::path root;

  world() {
    std::string name = (fs::temp_directory_path() / "tank-storage-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
    dirs.state_dir = root / "state";
    dirs.run_dir = root / "run";
    storage = std::make_shared<pod_storage>(dirs, port, std::make_shared<inline_runner>());
  }
  ~world() { fs::remove_all(root); }
  fs::path make(const std::string& uid) const {
    const auto path = dirs.pod_state(uid) / "volumes" / "scratch";
    fs::create_directories(path);
    return path;
  }
  [[nodiscard]] bool empty() const { return fs::is_empty(dirs.pod_states()); }
};

} // namespace

TEST_CASE("storage outlives a run and goes with the pod") {
  world w;
  const auto path = w.make("u-1");
  { const auto run = w.storage->hold("u-1"); }
  CHECK(fs::exists(path)); // restarted by policy: the emptyDir is still there
  w.storage->forget("u-1");
  CHECK(w.empty());
}

TEST_CASE("storage of a forgotten pod goes when its last run does") {
  world w;
  const auto path = w.make("u-1");
  auto run = w.storage->hold("u-1");
  w.storage->forget("u-1");
  CHECK(fs::exists(path));
  run.reset();
  CHECK(w.empty());
}

namespace {
/// Runs what it was given when it is told to.
struct patient_runner final : job_runner {
  std::vector<std::function<void()>> waiting;
  void submit(std::function<void()> job) override { waiting.push_back(std::move(job)); }
  void run() {
    while (!waiting.empty())
      for (auto& job : std::exchange(waiting, {}))
        job();
  }
};
} // namespace

TEST_CASE("a pod's ids are free when nothing of it is left, not when it runs again by then") {
  world w;
  const auto jobs = std::make_shared<patient_runner>();
  const auto ids = std::make_shared<id_ranges>(w.dirs, id_pool{1'000'000, 9});
  const auto storage = std::make_shared<pod_storage>(w.dirs, w.port, jobs, nullptr, ids);
  const auto has_ids = [&](const std::string& uid) {
    std::ifstream file{w.dirs.id_ranges()};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    return text.find('"' + uid + '"') != std::string::npos;
  };
  for (const bool stored : {true, false}) {
    CAPTURE(stored);
    fs::create_directories(w.dirs.pod_states());
    if (stored) w.make("u-1");
    auto run = storage->hold("u-1");
    REQUIRE(ids->acquire("u-1"));
    run.reset();
    jobs->run();
    CHECK(has_ids("u-1")); // between two runs
    storage->forget("u-1");
    CHECK(has_ids("u-1"));      // until its files are gone
    run = storage->hold("u-1"); // the same manifest again
    jobs->run();
    CHECK(has_ids("u-1"));
    storage->forget("u-1");
    run.reset();
    jobs->run();
    CHECK_FALSE(has_ids("u-1"));
  }
}

TEST_CASE("a pod deleted and recreated while it runs keeps its storage") {
  world w;
  const auto path = w.make("u-1");
  auto run = w.storage->hold("u-1");
  w.storage->forget("u-1");
  w.storage->want("u-1");
  run.reset();
  CHECK(fs::exists(path));
}

TEST_CASE("the janitor hears of edits and removals, also from a second reconciler") {
  world w;
  const auto old_path = w.make("u-1");
  const auto new_path = w.make("u-2");
  script s;
  auto first = s.peer();
  auto current = std::make_shared<caf::actor>(first);
  auto janitor =
      spawn_janitor(s.sys, {.reconciler = [current] { return *current; }, .storage = w.storage});
  s.step(janitor); // starts, and asks
  s.expect(janitor, first, watch_pods{janitor});

  pod_status status;
  status.key = "default/web";
  status.uid = "u-1";
  s.send(first, janitor, pod_changed{status});
  s.settle();
  CHECK(fs::exists(old_path));
  status.uid = "u-2"; // edited: it is another pod now
  s.send(first, janitor, pod_changed{status});
  s.settle();
  CHECK_FALSE(fs::exists(old_path));
  CHECK(fs::exists(new_path));

  *current = s.peer();
  caf::anon_send_exit(first, caf::exit_reason::kill);
  s.settle();
  CHECK(s.advance(1s) == 1);
  s.step(janitor);
  s.expect(janitor, *current, watch_pods{janitor});
  s.send(*current, janitor, pod_removed{"default/web"});
  s.settle();
  CHECK(w.empty());
  caf::anon_send_exit(janitor, caf::exit_reason::kill);
}

TEST_CASE("a sweep ends shims of an earlier daemon and leaves no directory") {
  world w;
  w.make("u-1");
  fs::create_directories(w.dirs.pod_run("u-1") / "etc");
  w.port->shim = std::make_shared<session_script>();
  w.port->shim->say(kernel::session_down_event{"closed"});
  CHECK(sweep_pods(w.dirs, *w.port).empty());
  CHECK(w.port->adopted == std::vector<fs::path>{w.dirs.pod_run("u-1")});
  CHECK(w.port->shim->calls == std::vector<std::string>{"shutdown"});
  CHECK(w.empty());
  CHECK(fs::is_empty(w.dirs.pod_runs()));
  // and where nothing ever was, there is nothing to complain about
  directories nowhere;
  nowhere.state_dir = w.root / "no";
  nowhere.run_dir = w.root / "no";
  CHECK(sweep_pods(nowhere, *w.port).empty());
}

} // namespace pod_storage_test

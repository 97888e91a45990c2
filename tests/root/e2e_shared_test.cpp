// Several Tanks with one state directory: they share its images, and each leaves the others' pods
// what they have.
#include "tests/root/host_fixture.hpp"

#include <csignal>
#include <fstream>

namespace e2e_shared_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

/// A pod that writes into its emptyDir and its writable layer, and notes its start in `shared`.
std::string writer(const std::string& name, const fs::path& shared) {
  return manifest(
      {.name = name,
       .command = {"/bin/witness", "append", "/scratch/kept", "x", "--", "write", "/data/mine", "y",
                   "--", "append", "/shared/" + name, "start ", "--", "sleep"},
       .container_more = "    volumeMounts:\n    - {name: scratch, mountPath: /scratch}\n"
                         "    - {name: shared, mountPath: /shared}\n",
       .spec_more = "  volumes:\n  - {name: scratch, emptyDir: {}}\n"
                    "  - {name: shared, hostPath: {path: " +
                    shared.string() + "}}\n"});
}

/// How often pods of that name have started.
std::size_t starts(const host& h, const std::string& name) {
  const auto text = h.shared_text(name);
  std::size_t n = 0;
  for (auto at = text.find("start"); at != text.npos; at = text.find("start", at + 1))
    ++n;
  return n;
}

bool await_starts(const host& h, const std::string& name, std::size_t wanted) {
  return await_file(h.shared / name, [&](const auto&) { return starts(h, name) >= wanted; });
}

bool alive(pid_t pid) {
  return ::kill(pid, 0) == 0;
}

void end(child& other) {
  other.signal(SIGTERM);
  CHECK_MESSAGE(other.wait() == 0, other.err);
}

} // namespace

TEST_CASE("two Tanks with one state directory: every pair, same and different manifests") {
  host h{"stopPodsOnExit: false\n"};
  h.start_daemon();
  h.put("first.yaml", writer("first", h.shared));
  const auto first = h.await_running("first");
  REQUIRE(await_starts(h, "first", 1));
  const auto kept = h.dirs.volume_state(first.uid, "scratch") / "kept";
  const auto mine = h.dirs.container_state(first.uid, "main") / "upper/data/mine";
  const auto check_intact = [&] {
    CHECK(file_text(kept) == "x");
    CHECK(file_text(mine) == "y");
    CHECK(alive(first.host_pid));
  };
  check_intact();
  int round = 0;
  const auto beside = [&](const std::string& verb, const std::string& name) {
    CAPTURE(verb);
    CAPTURE(name);
    const auto own = h.root / ("other" + std::to_string(++round));
    fs::create_directories(own / "pods.d");
    std::ofstream{own / "pods.d/pod.yaml"} << writer(name, h.shared);
    std::vector<std::string> args{"--run-dir", own / "run", "--manifest-dir", own / "pods.d", verb};
    if (verb == "up")
      args.push_back(own / "pods.d");
    else
      args.emplace_back("--stop-pods-on-exit");
    const auto before = starts(h, name);
    const auto other = h.spawn(args);
    CHECK_MESSAGE(await_starts(h, name, before + 1), other->err);
    check_intact();
    end(*other);
    check_intact();
  };
  for (const auto* verb : {"daemon", "up"})
    for (const auto* name : {"first", "second"})
      beside(verb, name);
  // A daemon that died comes back, whoever was there meanwhile.
  h.kill_daemon();
  beside("daemon", "first");
  beside("up", "second");
  h.start_daemon();
  CHECK(h.await_running("first").host_pid == first.host_pid);
  check_intact();
  h.remove("first.yaml");
  h.await_gone("first");
  CHECK_FALSE(fs::exists(h.dirs.pod_state(first.uid)));
  h.stop_daemon();
}

TEST_CASE("what a killed `tank up` has left goes when the next Tank starts") {
  host h;
  auto before = h.snapshot();
  h.put("left.yaml", writer("left", h.shared));
  auto up = h.spawn({"up", h.dirs.manifest_dir / "left.yaml"});
  REQUIRE(await_starts(h, "left", 1));
  const auto run_dir = h.dirs.run_dir / ("up-" + std::to_string(up->pid()));
  CHECK(fs::exists(run_dir / "lock"));
  up->signal(SIGKILL);
  CHECK(up->wait() == -SIGKILL);
  CHECK(fs::exists(run_dir / "pods")); // nobody was there to end it
  h.remove("left.yaml");
  h.start_daemon();
  // Its list of cgroups stays as long as somebody else uses what they are in.
  CHECK_FALSE(fs::exists(run_dir / "pods"));
  CHECK_FALSE(fs::exists(run_dir / "tank.sock"));
  auto dirs = h.dirs;
  dirs.run_dir = run_dir;
  CHECK_FALSE(fs::exists(dirs.pod_states()));
  CHECK_FALSE(fs::exists(dirs.pod_states_owner()));
  h.stop_daemon();
  auto left = h.snapshot();
  CHECK(left["process"] == before["process"]);
}

} // namespace e2e_shared_test

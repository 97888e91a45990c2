// Who died for want of memory, as the shim tells it: in cgroups of this host's kind.
#include "kernel/cgroup_probe.hpp"
#include "tests/root/shim_fixture.hpp"

#include <sys/mman.h>

namespace shim_memory_test {

using namespace tank;
using namespace tank::kernel;
namespace fs = std::filesystem;

namespace {
constexpr std::uint64_t mib = 1u << 20;

std::string witness() {
  const char* path = std::getenv("TANK_WITNESS");
  REQUIRE(path != nullptr);
  return path;
}

/// A shim whose containers are in memory cgroups of their own.
struct memory_room : shim_room {
  cgroup_tree tree;
  std::vector<fs::path> made;
  const fs::path pod{"0123456789abcdef/pod"};

  memory_room() {
    auto found = probe_cgroups("/tank-shim-test-" + std::to_string(::getpid()));
    REQUIRE_MESSAGE(found, found.error().message());
    tree = *found;
    auto opened = kernel->open_cgroups(tree, pod.parent_path());
    REQUIRE_MESSAGE(opened, opened.error().message());
    made = *opened;
  }
  ~memory_room() {
    CHECK(kernel->remove_cgroup(tree, pod));
    for (auto at = made.rbegin(); at != made.rend(); ++at)
      CHECK(::rmdir(at->c_str()) == 0);
  }
  [[nodiscard]] bool counts() const {
    if (tree.has("memory")) return true;
    MESSAGE("skipped: this host has no memory cgroups");
    return false;
  }
  void make(std::vector<pod_cgroup::member> containers) const {
    const auto done = kernel->make_cgroup(tree, {pod, {}, std::move(containers)});
    REQUIRE_MESSAGE(done, done.error().message());
  }
  /// `script` runs with 24 MiB; `eat` in it takes 64.
  [[nodiscard]] launch_plan plan(const std::string& name, const std::string& script) const {
    const std::string eater = "eat() { " + witness() + " eat 64 || true; }; ";
    auto p = shell_plan(name, eater + script);
    for (const auto& h : tree.hierarchies)
      p.cgroups.push_back(h.directory / pod / name);
    return p;
  }
};

const cgroup_limits small{.memory = 24 * mib};

/// An exit code, or minus a signal.
struct ending {
  instance who;
  int code = 0;
  bool out_of_memory = false;
};
ending next_end(session& s) {
  const auto event = await(s);
  if (const auto* e = std::get_if<signaled_event>(&event))
    return {e->who, -e->signal, e->out_of_memory};
  REQUIRE(std::holds_alternative<exited_event>(event));
  const auto& e = std::get<exited_event>(event);
  return {e.who, e.code, e.out_of_memory};
}
} // namespace

TEST_CASE("an end says whether memory was why: of that attempt, and of that container") {
  memory_room room;
  if (!room.counts()) return;
  room.make({{"web", small}, {"other", {}}});
  auto s = room.start();
  run(*s, room.plan("other", "sleep 1000"));

  // Of v2 all processes of a container are killed together. Of v1 the first one copes with the
  // death of another, but ends badly: that counts.
  const bool together = room.tree.version == cgroup_version::v2;
  run(*s, room.plan("web", "eat; exit 3"));
  const auto first = next_end(*s);
  CHECK(first.who == instance{"web", 0});
  CHECK(first.code == (together ? -SIGKILL : 3));
  CHECK(first.out_of_memory);
  CHECK(s->info().at(1).out_of_memory);

  // What was killed in an earlier attempt, in the same cgroup, does not count again.
  run(*s, room.plan("web", "exit 3"));
  CHECK(!next_end(*s).out_of_memory);

  // A process was killed, and the workload ended well.
  run(*s, room.plan("web", "eat; exit 0"));
  const auto well = next_end(*s);
  CHECK(well.out_of_memory == (well.code != 0));
  CHECK(well.code == (together ? -SIGKILL : 0));

  // The neighbour's end has nothing to do with it.
  REQUIRE(s->kill({"other"}));
  const auto other = expect<signaled_event>(*s);
  CHECK(other.who == instance{"other"});
  CHECK(!other.out_of_memory);
  finish(*s);
}

TEST_CASE("the first process of a container that is killed for want of memory") {
  memory_room room;
  if (!room.counts()) return;
  room.make({{"web", small}});
  auto s = room.start();
  run(*s, room.plan("web", "exec " + witness() + " eat 64"));
  const auto end = expect<signaled_event>(*s);
  CHECK(end.signal == SIGKILL);
  CHECK(end.out_of_memory);
  s = room.adopt(); // also when nobody has listened
  CHECK(s->info().at(0).out_of_memory);
  finish(*s);
}

TEST_CASE(
    "a container gets a fresh cgroup for its next attempt, and nothing is left in the old one") {
  memory_room room;
  if (!room.counts()) return;
  room.make({{"web", small}, {"other", {}}});
  auto s = room.start();
  run(*s, room.plan("other", "sleep 1000"));
  auto plan = room.plan("web", "eat; sleep 1000 & exit 1");
  plan.new_pid_ns = false; // what it leaves behind lives on
  run(*s, plan);
  CHECK(next_end(*s).out_of_memory);
  const auto stats = [&](const char* name) {
    return room.kernel->read_cgroup(room.tree, room.pod / name);
  };
  CHECK(stats("web")->oom_kills.value_or(0) > 0);
  CHECK(stats("web")->pids == (room.tree.version == cgroup_version::v2 ? 0 : 1));
  const auto made = room.kernel->make_container_cgroup(room.tree, room.pod, {"web", small});
  REQUIRE_MESSAGE(made, made.error().message());
  CHECK(stats("web")->oom_kills == 0);
  CHECK(stats("web")->pids == 0);
  CHECK(stats("web")->memory_limit == 24 * mib);
  CHECK(stats("other")->pids.value_or(0) >= 1);
  run(*s, room.plan("web", "eat; exit 1"));
  CHECK(next_end(*s).out_of_memory);
  CHECK(room.kernel->remove_container_cgroup(room.tree, room.pod, "web"));
  CHECK(stats("web").error().code == errc::not_found);
  CHECK(
      room.kernel->remove_container_cgroup(room.tree, room.pod, "web")); // a missing one is success
  finish(*s);
}

TEST_CASE("a container whose cgroups count no memory is never said to be out of it") {
  memory_room room;
  auto s = room.start();
  auto plan = shell_plan("web", "kill -9 $$");
  plan.new_pid_ns = false;
  run(*s, plan);
  CHECK(!expect<signaled_event>(*s).out_of_memory);
  finish(*s);
}

} // namespace shim_memory_test

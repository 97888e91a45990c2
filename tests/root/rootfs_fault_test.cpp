#include "tests/root/host_snapshot.hpp"
#include "tests/root/rootfs_fixture.hpp"

namespace rootfs_fault_test {

using namespace tank;
using namespace tank::kernel;

namespace {

/// The children of `pid`, by its own account.
std::string children(pid_t pid) {
  return slurp("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
}

std::size_t descriptors(pid_t pid) {
  return entries("/proc/" + std::to_string(pid) + "/fd");
}

} // namespace

TEST_CASE("whichever step fails: it is named, and no process, mount or descriptor is left") {
  rootfs_room room;
  put(room.dir / "hosts", "pod's");
  std::filesystem::create_directory(room.dir / "volume");
  default_mounts_options options;
  options.hosts = room.dir / "hosts";
  const auto volumes = std::vector<step>{bind_step{room.dir / "volume", "/v"}};
  const auto count = room.plan({"exit", "0"}, {"base"}, options, volumes).steps.size();
  for (int i = 0; i < 4; ++i) // every name once: a shim keeps what it knows of the ended
    room.hear(room.plan({"exit", "0"}, {"base"}, options, volumes));
  const auto mounts = slurp("/proc/self/mountinfo");
  const auto image = snapshot(room.layer("base"));
  const auto shim = room.pod->shim_pid();
  const auto shim_fds = descriptors(shim);
  const auto fds = descriptors(::getpid());
  for (std::size_t i = 0; i <= count; ++i) {
    auto plan = room.plan({"exit", "0"}, {"base"}, options, volumes);
    plan.steps.insert(plan.steps.begin() + static_cast<std::ptrdiff_t>(i), fault_step{EDQUOT});
    const auto o = room.run_to_end(plan);
    REQUIRE(o.failed);
    CHECK(o.failed->sys == EDQUOT);
    CHECK(o.failed->code == launch_failure::plan_step);
    CHECK(o.failed->step_index == static_cast<int>(i));
    CHECK(children(shim) == "");
    CHECK(descriptors(shim) == shim_fds);
    CHECK(descriptors(::getpid()) == fds);
    // An overlay that is still mounted somewhere keeps its work directory.
    CHECK(room.kernel->remove_tree(room.home(plan)));
  }
  CHECK(slurp("/proc/self/mountinfo") == mounts);
  CHECK(snapshot(room.layer("base")) == image);
  CHECK(entries(room.dir / "volume") == 0);
  room.hear(room.plan({"exit", "0"}, {"base"}, options, volumes)); // and the next one runs
}

TEST_CASE("after a pod nothing of it is left on the host") {
  testing::become_subreaper();
  const auto before = testing::take_snapshot({});
  std::filesystem::path scratch;
  {
    rootfs_room room;
    scratch = room.dir;
    room.hear(room.plan({"write", "/x", "y"}));
    room.run_to_end(room.plan({"exit", "3"}, {"absent"}));
    CHECK(testing::difference(before, testing::take_snapshot({}, 0)).find("(tank-shim)") !=
          std::string::npos); // what is there can be seen
  }
  CHECK(!std::filesystem::exists(scratch));
  CHECK(testing::difference(before, testing::take_snapshot({})) == "");
}

TEST_CASE("plans that make no sense are refused by name, not carried out") {
  rootfs_room room;
  const auto refused = [&](std::vector<step> steps, int index, int sys) {
    auto plan = room.plan({"exit", "0"});
    plan.steps = std::move(steps);
    const auto o = room.run_to_end(plan);
    REQUIRE(o.failed);
    CHECK(o.failed->step_index == index);
    CHECK(o.failed->sys == sys);
  };
  const step root = overlay_step{.lower = {room.layer("base")}};
  refused({directory_step{"/x"}}, 0, EINVAL);
  refused({root, root}, 1, EBUSY);
  refused({root, pivot_step{}, directory_step{"/x"}}, 2, EINVAL);
  refused({root, filesystem_step{"nosuchfs", "/x"}}, 1, ENODEV);
  refused({root, filesystem_step{"tmpfs", "/x", 0, "no_such_option=1"}}, 1, EINVAL);
  refused({root, device_step{"/", 1, 3}}, 1, EINVAL);
  refused({overlay_step{}}, 0, EINVAL);
}

} // namespace rootfs_fault_test

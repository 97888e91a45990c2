// Where Tank's cgroups are, from what hosts say.
#include "kernel/cgroup_probe.hpp"

#include <doctest/doctest.h>
#include <set>
#include <string>

namespace cgroup_probe_test {

using namespace tank;
using namespace tank::kernel;

namespace {

constexpr const char* unified = "25 1 0:23 / /sys rw - sysfs sysfs rw\n"
                                "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 "
                                "rw,nsdelegate\n";
constexpr const char* hybrid =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

cgroup_tree lay_out(const char* mounts, const char* own, const std::string& root = {},
                    const std::set<std::string>& delegated = {}) {
  auto tree = lay_out_cgroups(
      {mounts, own, [&](const auto& dir) { return delegated.contains(dir.string()); }}, root);
  REQUIRE(tree);
  return *tree;
}

std::string only(const cgroup_tree& tree) {
  REQUIRE(tree.hierarchies.size() == 1);
  return tree.hierarchies.front().directory;
}

} // namespace

TEST_CASE("v2: /tank, or the root that was chosen") {
  const auto tree = lay_out(unified, "0::/user.slice/x.scope\n");
  CHECK(tree.version == cgroup_version::v2);
  CHECK(only(tree) == "/sys/fs/cgroup/tank");
  CHECK(tree.hierarchies.front().mount == "/sys/fs/cgroup");
  CHECK(tree.has("memory"));
  CHECK(!tree.chosen);
  const auto chosen = lay_out(unified, "0::/\n", "/a/b/");
  CHECK(only(chosen) == "/sys/fs/cgroup/a/b");
  CHECK(chosen.chosen);
}

TEST_CASE("v2: what systemd has delegated is used, with and without a subgroup of ours") {
  const std::set<std::string> given{"/sys/fs/cgroup/system.slice/tank.service"};
  CHECK(only(lay_out(unified, "0::/system.slice/tank.service\n", {}, given)) == *given.begin());
  CHECK(only(lay_out(unified, "0::/system.slice/tank.service/daemon\n", {}, given)) ==
        *given.begin());
  CHECK(only(lay_out(unified, "0::/system.slice/other.service\n", {}, given)) ==
        "/sys/fs/cgroup/tank");
  CHECK(only(lay_out(unified, "0::/system.slice/tank.service\n", "/mine", given)) ==
        "/sys/fs/cgroup/mine");
}

TEST_CASE("v2 in a container: only what the mount shows can be meant") {
  const char* inside = "30 25 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
  CHECK(only(lay_out(inside, "0::/docker/abc/x\n", {}, {"/sys/fs/cgroup/x"})) ==
        "/sys/fs/cgroup/x");
  CHECK(only(lay_out(inside, "0::/docker/abc\n", {}, {"/sys/fs/cgroup"})) == "/sys/fs/cgroup/tank");
  CHECK(only(lay_out(inside, "0::/elsewhere\n", {}, {"/sys/fs/cgroup"})) == "/sys/fs/cgroup/tank");
  CHECK(only(lay_out(inside, "0::/docker/abcd/x\n", {}, {"/sys/fs/cgroup/x"})) ==
        "/sys/fs/cgroup/tank");
}

TEST_CASE("v1 and hybrid: one hierarchy for each mount that has a controller we use") {
  const auto tree = lay_out(hybrid, "4:memory:/\n");
  CHECK(tree.version == cgroup_version::v1);
  REQUIRE(tree.hierarchies.size() == 3);
  CHECK(tree.hierarchies[0].controllers == std::vector<std::string>{"cpu", "cpuacct"});
  CHECK(tree.hierarchies[0].directory == "/sys/fs/cgroup/cpu,cpuacct/tank");
  CHECK(tree.hierarchies[1].directory == "/sys/fs/cgroup/memory/tank");
  CHECK(tree.hierarchies[2].directory == "/sys/fs/cgroup/pids/tank");
  for (const char* c : {"cpu", "cpuacct", "memory", "pids"})
    CHECK(tree.has(c));
  CHECK(!tree.has("cpuset"));
}

TEST_CASE("a controller that is mounted twice is used once") {
  std::string twice{hybrid};
  twice += "50 31 0:32 / /mnt/memory rw - cgroup cgroup rw,memory\n";
  CHECK(lay_out(twice.c_str(), "").hierarchies.size() == 3);
}

TEST_CASE("v1: a delegated service has its place in each hierarchy") {
  const char* own = "4:memory:/system.slice/tank.service\n8:pids:/system.slice/tank.service\n"
                    "1:cpu,cpuacct:/system.slice/tank.service\n"
                    "9:name=systemd:/system.slice/tank.service\n0::/\n";
  const auto tree = lay_out(hybrid, own, {}, {"/sys/fs/cgroup/systemd/system.slice/tank.service"});
  REQUIRE(tree.hierarchies.size() == 3);
  CHECK(tree.hierarchies[0].directory == "/sys/fs/cgroup/cpu,cpuacct/system.slice/tank.service");
  CHECK(tree.hierarchies[1].directory == "/sys/fs/cgroup/memory/system.slice/tank.service");
  CHECK(lay_out(hybrid, own).hierarchies[1].directory == "/sys/fs/cgroup/memory/tank");
}

TEST_CASE("a host without cgroups has none; names with blanks are read") {
  CHECK(lay_out("25 1 0:23 / /sys rw - sysfs sysfs rw\n", "").version == cgroup_version::none);
  CHECK(lay_out("", "").version == cgroup_version::none);
  CHECK(lay_out("a line of nothing\n - \n1 2 3 - cgroup2\n", "x:y\n").version ==
        cgroup_version::none);
  const char* odd = "30 25 0:26 / /a\\040b\\134c rw - cgroup2 cgroup2 rw\n";
  CHECK(only(lay_out(odd, "")) == "/a b\\c/tank");
}

TEST_CASE("a root that is no path in the hierarchies is refused") {
  for (const char* root : {"tank", "/", "/a/../b", "//", "./x"}) {
    const auto tree = lay_out_cgroups({unified, "", {}}, root);
    REQUIRE_MESSAGE(!tree, root);
    CHECK(tree.error().code == errc::invalid);
    CHECK(tree.error().message().find("cgroupRoot") != std::string::npos);
  }
}

} // namespace cgroup_probe_test

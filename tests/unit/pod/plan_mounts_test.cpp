// Volumes in their places: in memory, claims, parts of volumes, mounts that follow the host's.
#include "tests/unit/pod/plan_world.hpp"

#include <doctest/doctest.h>

#include <sys/mount.h>

namespace plan_mounts_test {

using namespace tank;
using namespace tank::testing;
using world = plan_world;

TEST_CASE("an emptyDir in memory has no more than it, its pod and the host have") {
  world w;
  w.host.memory = 64u << 20;
  auto memory = empty_volume("m");
  memory.empty_dir->medium = "Memory";
  w.mount(memory, "/m");
  const auto size = [&] { return w.plan().value().memory_dirs.at(0).what.size; };
  CHECK(w.plan()->memory_dirs[0].path == "/r/volumes/u-1/memory/m");
  CHECK(w.plan()->memory_dirs[0].what.mode == 0777);
  CHECK(size() == 64u << 20);
  w.container().resources.limits["memory"] = config::quantity::parse("32Mi").value();
  CHECK(size() == 32u << 20);
  w.pod.spec.volumes[0].empty_dir->size_limit = config::quantity::parse("5000").value();
  CHECK(size() == 8192); // whole pages
  w.pod.spec.security_context->fs_group = 7;
  w.users = {100000, 65536};
  CHECK(w.plan()->memory_dirs[0].what.mode == 02777);
  CHECK(w.plan()->memory_dirs[0].what.uid == 100000);
  CHECK(w.plan()->memory_dirs[0].what.gid == 100007);
  CHECK(all<kernel::bind_step>(w.plan().value()).back().source == "/r/volumes/u-1/memory/m");
}

TEST_CASE("a claim is a directory of its namespace, whose files hold ids as they are") {
  world w;
  w.pod.metadata.ns = "prod";
  config::volume v;
  v.name = "d";
  v.persistent_volume_claim.emplace().claim_name = "data.1";
  w.mount(v, "/d");
  w.users = {100000, 65536};
  w.pod.spec.security_context->fs_group = 9;
  auto in = w.plan().value();
  CHECK(in.claims == std::vector<managed_volume>{{{"prod", "data.1"}, 02777, 9}});
  auto bind = all<kernel::bind_step>(in).back();
  CHECK(bind.source == "/s/volumes/prod_data.1/data");
  CHECK(bind.mapped);
  CHECK_FALSE(bind.read_only);
  w.pod.spec.volumes[0].persistent_volume_claim->read_only = true;
  CHECK(all<kernel::bind_step>(w.plan().value()).back().read_only);
}

TEST_CASE("a part of a volume is found by the shim, within the volume") {
  world w;
  w.mount(host_volume("v", "/srv"), "/x", true);
  w.container().volume_mounts[0].sub_path = "a/b";
  auto steps = all<kernel::volume_step>(w.plan().value());
  REQUIRE(steps.size() == 1);
  CHECK(steps[0] == kernel::volume_step{.source = "/srv",
                                        .sub_path = "a/b",
                                        .make = true,
                                        .target = "/x",
                                        .read_only = true,
                                        .flags = MS_NODEV});
  w.container().volume_mounts[0].sub_path.clear();
  w.container().volume_mounts[0].sub_path_expr = "$(A)/logs";
  CHECK(all<kernel::volume_step>(w.plan().value()).at(0).sub_path == "1/logs");
  w.container().volume_mounts[0].sub_path_expr = "$(NO)/logs";
  CHECK(w.plan().error().message() ==
        "cannot expand subPathExpr of volume 'v': there is no variable 'NO'");
  for (const auto* bad : {"A=../x", "A=/x", "A=a/../../x", "A=.."}) {
    w.params.env = {bad};
    w.container().volume_mounts[0].sub_path_expr = "$(A)";
    CHECK(w.plan().error().message() ==
          "cannot expand subPathExpr of volume 'v': it is not a relative path without '..'");
  }
}

TEST_CASE("a volume that follows the host's mounts, and one of documents, which makes nothing") {
  world w;
  w.mount(host_volume("v", "/srv"), "/x");
  w.container().volume_mounts[0].mount_propagation = "HostToContainer";
  config::volume v;
  v.name = "c";
  v.config_map.emplace().optional = true;
  w.mount(v, "/c");
  w.container().volume_mounts[1].sub_path = "key";
  const auto steps = all<kernel::volume_step>(w.plan().value());
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].follow);
  CHECK(steps[0].sub_path.empty());
  CHECK_FALSE(steps[1].make);
  CHECK(steps[1].read_only);
}

} // namespace plan_mounts_test

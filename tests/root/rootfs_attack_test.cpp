// Images and volumes that want out. The numbers are the attack classes of the threat model.
#include "tests/root/rootfs_fixture.hpp"

#include <stop_token>
#include <thread>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>

namespace rootfs_attack_test {

using namespace tank;
using namespace tank::kernel;

namespace {

/// The host as far as an escape would show: mounts, and a directory the attacks aim at.
struct bystander {
  std::filesystem::path dir;
  std::string mounts = slurp("/proc/self/mountinfo");
  std::map<std::string, std::string> files;

  explicit bystander(const rootfs_room& room) : dir(room.dir / "outside") {
    put(dir / "file", "untouched");
    std::filesystem::create_directory(dir / "sub");
    files = snapshot(dir);
  }
  void check() const {
    CHECK(slurp("/proc/self/mountinfo") == mounts);
    CHECK(snapshot(dir) == files);
  }
};

} // namespace

TEST_CASE("class 5: an image with /proc, /sys or /dev as a symbolic link is refused by name") {
  for (const std::string name : {"proc", "sys", "dev"}) {
    rootfs_room room;
    const bystander host{room};
    for (const std::string& link : {host.dir.string(), std::string("bin"), std::string("/"),
                                    std::string("../../../..") + host.dir.string()}) {
      const auto layer = "linked" + std::to_string(room.containers);
      room.make_layer(layer);
      std::filesystem::create_symlink(link, room.layer(layer) / name);
      const auto o = room.run_to_end(room.plan({"exit", "0"}, {layer}));
      REQUIRE(o.failed);
      CHECK(o.failed->object == "/" + name);
      CHECK(o.failed->sys == ELOOP);
      CHECK(o.failed->step_index >= 1);
    }
    host.check();
  }
}

TEST_CASE("class 3: an image whose /etc is the root gets its files in its own root") {
  rootfs_room room;
  const bystander host{room};
  std::filesystem::create_symlink("/", room.layer("base") / "etc");
  put(room.dir / "hosts", "pod's");
  default_mounts_options options;
  options.hosts = room.dir / "hosts";
  const auto plan = room.plan({"read", "/hosts"}, {"base"}, options);
  CHECK(room.hear(plan) == "pod's");
  CHECK(!std::filesystem::exists("/hosts"));
  host.check();
}

TEST_CASE("class 3: links of an image that point far outside end inside") {
  rootfs_room room;
  const bystander host{room};
  put(room.dir / "hosts", "pod's");
  default_mounts_options options;
  options.hosts = room.dir / "hosts";
  for (const std::string& link :
       {std::string("/../../tank-x"), host.dir.string() + "/made", host.dir.string() + "/file",
        std::string("../../../../../../..") + host.dir.string() + "/sub/made"}) {
    const auto layer = "linked" + std::to_string(room.containers);
    room.make_layer(layer);
    std::filesystem::create_directory(room.layer(layer) / "etc");
    std::filesystem::create_symlink(link, room.layer(layer) / "etc/hosts");
    CHECK(room.hear(room.plan({"read", "/etc/hosts"}, {layer}, options)) == "pod's");
  }
  CHECK(!std::filesystem::exists("/tank-x"));
  host.check();
}

TEST_CASE("class 3: a link that points at itself is an error, not a loop") {
  rootfs_room room;
  put(room.dir / "hosts", "pod's");
  default_mounts_options options;
  options.hosts = room.dir / "hosts";
  std::filesystem::create_directory(room.layer("base") / "etc");
  std::filesystem::create_symlink("hosts", room.layer("base") / "etc/hosts");
  const auto o = room.run_to_end(room.plan({"exit", "0"}, {"base"}, options));
  REQUIRE(o.failed);
  CHECK(o.failed->sys == ELOOP);
  CHECK(o.failed->object == "/etc/hosts");
}

TEST_CASE("class 3: device nodes and links land below the root even where the image lies") {
  rootfs_room room;
  const bystander host{room};
  std::filesystem::create_symlink(host.dir / "sub", room.layer("base") / "made");
  const auto plan = room.plan({"mode", "/made/null"}, {"base"}, {},
                              {device_step{"/made/null", 1, 3}, symlink_step{"x", "/made/link"},
                               directory_step{"/made/dir"}});
  CHECK(room.hear(plan) == "20666\n");
  host.check();
}

TEST_CASE("class 6: nothing but proc itself is mounted on the root or inside proc") {
  rootfs_room room;
  const bystander host{room};
  std::filesystem::create_symlink("/proc/sys", room.layer("base") / "inside");
  for (const char* target : {"/proc/sys", "/proc", "/", "/..", "/inside", "/proc/1/attr"}) {
    for (const step& s : {step{bind_step{host.dir, target}},
                          step{filesystem_step{"tmpfs", target, 0, "size=4k"}}}) {
      const auto o = room.run_to_end(room.plan({"exit", "0"}, {"base"}, {}, {s}));
      REQUIRE(o.failed);
      CHECK(o.failed->object == target);
      CHECK((o.failed->sys == EPERM || o.failed->sys == ENOENT));
    }
  }
  host.check();
}

TEST_CASE("class 4: a null device that is not one masks nothing, and nothing is started") {
  rootfs_room room;
  const bystander host{room};
  put(room.dir / "fake", "not null");
  const auto o = room.run_to_end(
      room.plan({"exit", "0"}, {"base"}, {}, {bind_step{room.dir / "fake", "/dev/null"}}));
  REQUIRE(o.failed);
  CHECK(o.failed->sys == ENODEV);
  CHECK(o.failed->step == "mask with /dev/null");
  host.check();
}

TEST_CASE("class 2: no descriptor is a working directory") {
  rootfs_room room;
  std::filesystem::create_symlink("/proc/self/fd/3", room.layer("base") / "three");
  std::vector<std::string> attempts = {"/three", "/dev/fd/3", "/proc/1/cwd", "/proc/self/root"};
  for (int n = 0; n < 16; ++n)
    attempts.push_back("/proc/self/fd/" + std::to_string(n));
  for (const auto& cwd : attempts) {
    auto plan = room.plan({"exit", "0"});
    plan.process.cwd = cwd;
    const auto o = room.run_to_end(plan);
    REQUIRE_MESSAGE(o.failed, cwd);
    CHECK(o.failed->step == "change directory to");
    CHECK(o.failed->object == cwd);
  }
}

TEST_CASE("class 3: a volume's component that is exchanged all the time leads nowhere else") {
  rootfs_room room;
  const auto volume = room.dir / "volume";
  std::filesystem::create_directories(volume / "spot");
  put(room.dir / "file", "bound");
  const bystander host{room};
  // The link says where an escape would go if it were read in the host's root.
  std::filesystem::create_symlink(host.dir / "sub", volume / "other");
  const std::jthread swapper{[&](const std::stop_token& over) {
    const auto a = volume / "spot";
    const auto b = volume / "other";
    while (!over.stop_requested())
      ::syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), 2 /* RENAME_EXCHANGE */);
  }};
  int built = 0;
  for (int i = 0; i < 100; ++i) {
    const auto o = room.run_to_end(
        room.plan({"exit", "0"}, {"base"}, {},
                  {bind_step{volume, "/v"}, bind_step{room.dir / "file", "/v/spot/in/file"},
                   directory_step{"/v/spot/made"}}));
    built += o.failed ? 0 : 1;
  }
  CHECK(built > 0);
  host.check();
}

TEST_CASE("class 15: what the shim could inherit to the workload is empty") {
  rootfs_room room;
  const auto text = room.hear(room.plan({"read", "/proc/self/status"}));
  CHECK(text.find("CapInh:\t0000000000000000\n") != std::string::npos);
  CHECK(text.find("CapAmb:\t0000000000000000\n") != std::string::npos);
}

TEST_CASE("device nodes of an image are inert") {
  rootfs_room room;
  REQUIRE(::mknod((room.layer("base") / "zero").c_str(), S_IFCHR | 0666, makedev(1, 5)) == 0);
  CHECK(room.run_to_end(room.plan({"read", "/zero"})).err == "witness: read /zero: errno 13\n");
}

} // namespace rootfs_attack_test

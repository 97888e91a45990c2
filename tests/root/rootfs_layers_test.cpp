#include "tests/root/rootfs_fixture.hpp"

#include <sys/mount.h>
#include <sys/xattr.h>

namespace rootfs_layers_test {

using namespace tank;
using namespace tank::kernel;

namespace {

void whiteout(const std::filesystem::path& path) {
  REQUIRE(::mknod(path.c_str(), S_IFCHR, makedev(0, 0)) == 0);
}

std::vector<std::string> names_of(const std::string& listing) {
  std::istringstream in{listing};
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);)
    out.push_back(line);
  std::sort(out.begin(), out.end());
  return out;
}

/// base < middle < top: a whiteout, an opaque directory, a file replaced twice.
void make_three_layers(const rootfs_room& room) {
  put(room.layer("base") / "data/kept", "base");
  put(room.layer("base") / "data/gone", "base");
  put(room.layer("base") / "data/changed", "base");
  put(room.layer("base") / "opaque/old", "base");
  put(room.layer("middle") / "data/changed", "middle");
  whiteout(room.layer("middle") / "data/gone");
  put(room.layer("top") / "data/changed", "top");
  put(room.layer("top") / "opaque/new", "top");
  REQUIRE(::setxattr((room.layer("top") / "opaque").c_str(), "trusted.overlay.opaque", "y", 1, 0) ==
          0);
}

} // namespace

TEST_CASE("three layers are one tree: whiteouts hide, opaque directories replace, the top wins") {
  rootfs_room room;
  make_three_layers(room);
  const std::vector<std::string> layers = {"top", "middle", "base"};
  CHECK(names_of(room.hear(room.plan({"ls", "/data"}, layers))) ==
        std::vector<std::string>{"changed", "kept"});
  CHECK(room.hear(room.plan({"ls", "/opaque"}, layers)) == "new\n");
  CHECK(room.hear(room.plan({"read", "/data/changed"}, layers)) == "top");
}

TEST_CASE(
    "two containers of one image do not see each other's writes; the layers stay as they are") {
  rootfs_room room;
  make_three_layers(room);
  const auto before = snapshot(room.dir / "layers");
  const std::vector<std::string> layers = {"top", "middle", "base"};
  const auto first = room.plan({"write", "/data/kept", "mine", "--", "write", "/new", "mine", "--",
                                "rm", "/data/changed", "--", "chmod", "700", "/opaque/new"},
                               layers);
  CHECK(room.hear(first) == "");
  CHECK(room.hear(room.plan(
            {"read", "/data/kept", "--", "read", "/data/changed", "--", "mode", "/opaque/new"},
            layers)) == "basetop100644\n");
  CHECK(room.run_to_end(room.plan({"read", "/new"}, layers)).code == 1);
  CHECK(slurp(room.upper(first) / "data/kept") == "mine");
  CHECK(snapshot(room.dir / "layers") == before);
}

TEST_CASE("more than a hundred layers with long names are one tree") {
  rootfs_room room;
  std::vector<std::string> layers = {"base"};
  for (int i = 0; i < 120; ++i) {
    const auto name = std::string(200, 'x') + std::to_string(i);
    put(room.layer(name) / "f" / std::to_string(i), "");
    layers.push_back(name);
  }
  CHECK(names_of(room.hear(room.plan({"ls", "/f"}, layers))).size() == 120);
}

TEST_CASE("a read-only root refuses every write, and /dev and volumes stay writable") {
  rootfs_room room;
  std::filesystem::create_directory(room.dir / "volume");
  default_mounts_options options;
  options.read_only_root = true;
  const auto root = room.run_to_end(room.plan({"write", "/x", "y"}, {"base"}, options));
  CHECK(root.err == "witness: write /x: errno 30\n");
  const auto plan = room.plan({"write", "/dev/shm/x", "y", "--", "write", "/v/x", "y"}, {"base"},
                              options, {bind_step{room.dir / "volume", "/v"}});
  CHECK(room.hear(plan) == "");
  CHECK(slurp(room.dir / "volume/x") == "y");
}

TEST_CASE("a read-only volume refuses writes, also in what is mounted below it") {
  rootfs_room room;
  const auto volume = room.dir / "volume";
  std::filesystem::create_directories(volume / "below");
  put(volume / "file", "old");
  REQUIRE(::mount("tmpfs", (volume / "below").c_str(), "tmpfs", 0, "size=64k") == 0);
  for (const char* target : {"/v/new", "/v/file", "/v/below/new"}) {
    const auto plan = room.plan({"write", target, "x"}, {"base"}, {},
                                {bind_step{volume, "/v", true, true, MS_NOSUID | MS_NODEV}});
    CHECK(room.run_to_end(plan).err == "witness: write " + std::string(target) + ": errno 30\n");
  }
  CHECK(::umount((volume / "below").c_str()) == 0);
  CHECK(slurp(volume / "file") == "old");
}

TEST_CASE("a file is bound on a file, and missing parents are made in the container only") {
  rootfs_room room;
  const auto image = snapshot(room.layer("base"));
  put(room.dir / "key", "secret");
  const auto plan = room.plan({"read", "/deep/er/key"}, {"base"}, {},
                              {bind_step{room.dir / "key", "/deep/er/key", true}});
  CHECK(room.hear(plan) == "secret");
  CHECK(std::filesystem::is_regular_file(room.upper(plan) / "deep/er/key"));
  CHECK(snapshot(room.layer("base")) == image);
}

TEST_CASE("directory, symlink and tmpfs steps make what they say") {
  rootfs_room room;
  const auto plan = room.plan({"mode", "/a/b", "--", "mode", "/a", "--", "read", "/a/link", "--",
                               "write", "/scratch/x", "1"},
                              {"base"}, {},
                              {directory_step{"/a/b", 01770, 7, 8},
                               symlink_step{"../file", "/a/link"}, bind_step{"/dev/null", "/file"},
                               filesystem_step{"tmpfs", "/scratch", MS_NOSUID, "size=64k"}});
  CHECK(room.hear(plan) == "41770\n40755\n");
  struct stat st {};
  REQUIRE(::stat((room.upper(plan) / "a/b").c_str(), &st) == 0);
  CHECK(st.st_uid == 7);
  CHECK(st.st_gid == 8);
  CHECK(!std::filesystem::exists(room.upper(plan) / "scratch/x"));
}

TEST_CASE("a plain directory is a root filesystem, too") {
  rootfs_room room;
  auto plan = room.plan({"write", "/x", "y"});
  plan.steps[0] = overlay_step{.lower = {room.layer("base")}};
  CHECK(room.hear(plan) == "");
  CHECK(slurp(room.layer("base") / "x") == "y");
}

TEST_CASE("a layer that is missing is named") {
  rootfs_room room;
  const auto o = room.run_to_end(room.plan({"exit", "0"}, {"absent", "base"}));
  REQUIRE(o.failed);
  CHECK(o.failed->sys == ENOENT);
  CHECK(o.failed->step == "open the image layer");
  CHECK(o.failed->object == room.layer("absent"));
  CHECK(o.failed->step_index == 0);
}

TEST_CASE("a volume whose source is missing is named") {
  rootfs_room room;
  const auto o = room.run_to_end(
      room.plan({"exit", "0"}, {"base"}, {}, {bind_step{room.dir / "absent", "/v"}}));
  REQUIRE(o.failed);
  CHECK(o.failed->sys == ENOENT);
  CHECK(o.failed->object == room.dir / "absent");
}

} // namespace rootfs_layers_test

/// The half of unpacking that needs root: owners, set-uid bits, capabilities, overlay's own marks;
/// looked at through a real overlay mount.
#include "oci/ingest.hpp"
#include "tests/unit/oci/support.hpp"
#include "tests/unit/oci/tar_builder.hpp"

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace oci_test {

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;
namespace fs = std::filesystem;

namespace {

struct stat stat_of(const fs::path& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) st = {};
  return st;
}

image import(store& images, const scratch& s, const std::string& name, const std::string& tar) {
  put(s.dir / "in.tar", tar);
  auto done = images.import_rootfs(s.dir / "in.tar", parse_reference(name).value(), {}, "");
  REQUIRE_MESSAGE(done, done.error().message());
  return *std::move(done);
}

/// Mounts the layers in a mount namespace of a child, and gives what `look` prints there.
std::string through_overlay(const image& i, const fs::path& at, const std::string& command) {
  std::string lower;
  for (auto it = i.layers.rbegin(); it != i.layers.rend(); ++it)
    lower += (lower.empty() ? "" : ":") + it->string();
  const auto out = at.string() + ".out";
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("overlay", at.c_str(), "overlay", MS_RDONLY, ("lowerdir=" + lower).c_str()) != 0)
      ::_exit(1);
    const auto line = "cd '" + at.string() + "' && { " + command + "; } > '" + out + "' 2>&1";
    ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
    ::_exit(2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  return slurp(out);
}

} // namespace

TEST_CASE("owners, set-uid bits and capabilities arrive as the layer says") {
  const scratch s;
  auto images = store::open(s.dir / "images").value();
  std::string capability(
      "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
      20); // cap_net_bind_service, effective
  tar_builder tar;
  tar.add({.name = "d", .type = '5', .mode = 0700, .uid = 7, .gid = 8})
      .add({.name = "d/su", .content = "x", .mode = 06755, .uid = 1000, .gid = 1001})
      .add({.name = "d/l", .type = '2', .link = "su", .uid = 9, .gid = 10})
      .add({.name = "p", .type = '6', .mode = 0640, .uid = 11, .gid = 12})
      .add({.name = "cap",
            .content = "x",
            .mode = 0755,
            .uid = 5,
            .pax = {{"SCHILY.xattr.security.capability", capability}}});
  const auto made = import(images, s, "a", tar.bytes());
  const auto root = made.layers.at(0);
  CHECK(stat_of(root / "d").st_uid == 7);
  CHECK(stat_of(root / "d").st_gid == 8);
  CHECK((stat_of(root / "d").st_mode & 07777) == 0700);
  CHECK(stat_of(root / "d/su").st_uid == 1000);
  CHECK((stat_of(root / "d/su").st_mode & 07777) == 06755);
  CHECK(stat_of(root / "d/l").st_uid == 9);
  CHECK(stat_of(root / "p").st_gid == 12);
  CHECK((stat_of(root / "p").st_mode & 07777) == 0640);
  char value[64] = {};
  CHECK(::lgetxattr((root / "cap").c_str(), "security.capability", value, sizeof value) == 20);
  CHECK((stat_of(root).st_mode & 07777) == 0755);
  CHECK((stat_of(s.dir / "images").st_mode & 07777) == 0700);
}

TEST_CASE("a hard link's entry changes neither owner nor mode of what it links to") {
  const scratch s;
  auto images = store::open(s.dir / "images").value();
  put(s.dir / "outside", "keep");
  const auto before = stat_of(s.dir / "outside");
  tar_builder tar;
  tar.symlink("l", (s.dir / "outside").string())
      .add({.name = "h", .type = '1', .link = "l", .mode = 06777, .uid = 1234, .gid = 1234});
  import(images, s, "a", tar.bytes());
  const auto after = stat_of(s.dir / "outside");
  CHECK(before.st_mode == after.st_mode);
  CHECK(before.st_uid == after.st_uid);
  CHECK(before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

TEST_CASE(
    "an overlay of the layers shows whiteouts and opaque directories as the image means them") {
  const scratch s;
  auto images = store::open(s.dir / "images").value();
  const auto base = tar_builder{}
                        .dir("etc")
                        .file("etc/gone", "1")
                        .file("etc/kept", "1")
                        .dir("cache")
                        .file("cache/old", "1")
                        .dir("tree/sub")
                        .file("tree/sub/f", "1")
                        .bytes();
  const auto top = tar_builder{}
                       .dir("etc")
                       .file("etc/.wh.gone", "")
                       .dir("cache")
                       .file("cache/new", "2")
                       .file("cache/.wh..wh..opq", "")
                       .file(".wh.tree", "")
                       .bytes();
  const auto config = R"({"os":"linux","rootfs":{"type":"layers","diff_ids":[")" +
                      digest_of(base).to_string() + R"(",")" + digest_of(top).to_string() +
                      R"("]}})";
  put(s.dir / "save.tar",
      tar_builder{}
          .file("1", base)
          .file("2", top)
          .file("c", config)
          .file("manifest.json", R"([{"Config":"c","RepoTags":["a:1"],"Layers":["1","2"]}])")
          .bytes());
  const auto loaded = images.load(s.dir / "save.tar", nullptr);
  REQUIRE_MESSAGE(loaded, loaded.error().message());
  fs::create_directory(s.dir / "mnt");
  CHECK(through_overlay(loaded->at(0), s.dir / "mnt", "find . | sort") ==
        ".\n./cache\n./cache/new\n./etc\n./etc/kept\n");
}

TEST_CASE("attributes that would steer overlay are not taken from a layer") {
  const scratch s;
  auto images = store::open(s.dir / "images").value();
  tar_builder tar;
  tar.add({.name = "d",
           .type = '5',
           .pax = {{"SCHILY.xattr.trusted.overlay.opaque", "y"},
                   {"SCHILY.xattr.trusted.overlay.redirect", "/etc"},
                   {"SCHILY.xattr.security.selinux", "junk"}}});
  const auto made = import(images, s, "a", tar.bytes());
  char names[256] = {};
  CHECK(::llistxattr((made.layers.at(0) / "d").c_str(), names, sizeof names) == 0);
}

TEST_CASE("no device node of a layer exists in the store") {
  const scratch s;
  auto images = store::open(s.dir / "images").value();
  tar_builder tar;
  tar.add({.name = "dev/mem", .type = '3', .mode = 0666, .device_major = 1, .device_minor = 1})
      .add({.name = "dev/vda", .type = '4', .mode = 0666, .device_major = 254})
      .file("f");
  const auto made = import(images, s, "a", tar.bytes());
  for (const auto& e : fs::recursive_directory_iterator{made.layers.at(0)})
    CHECK(!S_ISBLK(stat_of(e.path()).st_mode));
  CHECK(stat_of(made.layers.at(0) / "dev/mem").st_mode == 0);
  CHECK(stat_of(made.layers.at(0) / "f").st_mode != 0);
}

TEST_CASE("a disk that fills up at any write is a clear error and leaves the store as it was") {
  const scratch s;
  const auto disk = s.dir / "disk";
  fs::create_directory(disk);
  REQUIRE(::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=4m,mode=700") == 0);
  auto opened = store::open(disk / "images", {.limits = {}, .rootless = {}, .durable = true});
  REQUIRE(opened);
  auto& images = *opened;
  import(images, s, "first:1", tar_builder{}.dir("etc").file("etc/conf", "kept").bytes());
  tar_builder big;
  for (int i = 0; i < 8; ++i)
    big.dir("d" + std::to_string(i)).file("d" + std::to_string(i) + "/f", std::string(20'000, 'x'));
  put(s.dir / "big.tar", big.bytes());
  const auto name = parse_reference("second:1").value();
  unsigned failures = 0;
  bool fits = false;
  for (std::size_t left = 0; !fits; left += 8192) {
    CAPTURE(left);
    struct statvfs now {};
    REQUIRE(::statvfs(disk.c_str(), &now) == 0);
    const std::size_t available = now.f_bavail * now.f_frsize;
    REQUIRE(available > left); // else it never fits
    put(disk / "filler", std::string(available - left, 'f'));
    const auto done = images.import_rootfs(s.dir / "big.tar", name, {}, "");
    fs::remove(disk / "filler");
    fits = done.has_value();
    if (fits) break;
    ++failures;
    CHECK(done.error().message().find("No space left on device") != std::string::npos);
    // What it had finished is given back too: it would keep the disk full.
    CHECK(fs::is_empty(disk / "images/tmp"));
    for (const auto& [kind, entries] :
         {std::pair{"layers", 1}, {"records", 1}, {"blobs/sha256", 3}})
      CHECK(std::distance(fs::directory_iterator{disk / "images" / kind}, {}) == entries);
    CHECK(images.list()->size() == 1);
    CHECK(!images.resolve("second:1"));
    CHECK(slurp(images.resolve("first:1")->layers.at(0) / "etc/conf") == "kept");
  }
  CHECK(failures > 20);
  CHECK(images.list()->size() == 2);
  CHECK(images.remove("second:1"));
  CHECK(std::distance(fs::directory_iterator{disk / "images/layers"}, {}) == 1);
  CHECK(::umount2(disk.c_str(), MNT_DETACH) == 0);
}

} // namespace oci_test

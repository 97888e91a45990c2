/// Archives that try to reach what lies outside of the directory they are unpacked into. Every case
/// ends in one of two ways: an error, or everything written inside; the outside never changes.
#include "oci/tree.hpp"
#include "oci/unpack.hpp"
#include "support.hpp"
#include "tar_builder.hpp"

#include <doctest/doctest.h>
#include <functional>
#include <vector>

namespace breakout_test {

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;

namespace {

struct breakout {
  const char* what;
  std::function<void(tar_builder&, const std::string& outside)> build;
  /// "" when it must fail; else a path that must then exist inside.
  const char* inside;
};

const std::vector<breakout>& cases() {
  using tb = tar_builder;
  using str = const std::string&;
  static const std::vector<breakout> all{
      {"file with ..", [](tb& t, str) { t.file("../outside/new"); }, ""},
      {"file with .. in the middle", [](tb& t, str) { t.dir("a").file("a/../../outside/new"); },
       ""},
      {"file named ..", [](tb& t, str) { t.file(".."); }, ""},
      {"directory named ..", [](tb& t, str) { t.dir("../", 0); }, ""},
      {"absolute file", [](tb& t, str o) { t.file(o + "/new"); }, "*/new"},
      {"link to absolute directory, file below",
       [](tb& t, str o) { t.symlink("l", o).file("l/new"); }, ""},
      {"same, the directory existing inside too",
       [](tb& t, str o) { t.dir(o).symlink("l", o).file("l/new"); }, "*/new"},
      {"relative link up, file below",
       [](tb& t, str) { t.symlink("l", "../outside").file("l/new"); }, ""},
      {"relative link up into an inner directory of that name",
       [](tb& t, str) { t.dir("outside").symlink("l", "../../outside").file("l/new"); },
       "outside/new"},
      {"chain of links",
       [](tb& t, str) { t.symlink("a", "b").symlink("b", "../outside").file("a/new"); }, ""},
      {"link loop as parent", [](tb& t, str) { t.symlink("a", "a").file("a/new"); }, ""},
      {"file over a link to a file outside",
       [](tb& t, str o) { t.symlink("f", o + "/file").file("f", "mine"); }, "f"},
      {"file over a dangling link",
       [](tb& t, str o) { t.symlink("f", o + "/new").file("f", "mine"); }, "f"},
      {"directory over a link to a directory outside, then a file in it",
       [](tb& t, str o) { t.symlink("d", o).dir("d", 0700).file("d/new"); }, "d/new"},
      {"fifo over a link",
       [](tb& t, str o) { t.symlink("p", o + "/new").add({.name = "p", .type = '6'}); }, "p"},
      {"hard link to an absolute name outside", [](tb& t, str o) { t.hardlink("h", o + "/file"); },
       ""},
      {"hard link with ..", [](tb& t, str) { t.hardlink("h", "../outside/file"); }, ""},
      {"hard link through a link to a directory outside",
       [](tb& t, str o) { t.symlink("l", o).hardlink("h", "l/file"); }, ""},
      {"hard link through a relative link",
       [](tb& t, str) { t.symlink("l", "../outside").hardlink("h", "l/file"); }, ""},
      {"hard link to a link to a file outside, then written over",
       [](tb& t, str o) { t.symlink("l", o + "/file").hardlink("h", "l").file("h", "mine"); }, "h"},
      {"hard link to a link to a file outside, with another mode and owner",
       [](tb& t, str o) {
         t.symlink("l", o + "/file")
             .add({.name = "h", .type = '1', .link = "l", .mode = 04777, .uid = 7});
       },
       "h"},
      {"hard link to a directory", [](tb& t, str) { t.dir("d").hardlink("h", "d"); }, ""},
      {"hard link to the root", [](tb& t, str) { t.hardlink("h", "/"); }, ""},
      {"hard link to what is not there", [](tb& t, str) { t.hardlink("h", "none"); }, ""},
      {"hard link below a link outside",
       [](tb& t, str o) { t.file("f").symlink("l", o).hardlink("l/new", "f"); }, ""},
      {"link below a link outside", [](tb& t, str o) { t.symlink("l", o).symlink("l/new", "x"); },
       ""},
      {"directory below a link outside", [](tb& t, str o) { t.symlink("l", o).dir("l/new"); }, ""},
      {"directory that exists outside, other mode and time, through a link",
       [](tb& t, str o) {
         t.symlink("l", o).add({.name = "l/dir", .type = '5', .mode = 0, .mtime = 1});
       },
       ""},
      {"directory replaced by a link before its time is set",
       [](tb& t, str o) {
         t.add({.name = "d", .type = '5', .mode = 0, .mtime = 1}).symlink("d", o);
       },
       "d"},
      {"parent of a directory replaced by a link before its time is set",
       [](tb& t, str o) {
         t.dir("p").add({.name = "p/dir", .type = '5', .mode = 0, .mtime = 1}).symlink("p", o);
       },
       "p"},
      {"remembered parent replaced by a link",
       [](tb& t, str o) { t.file("d/one").symlink("d", o).file("d/new"); }, ""},
      {"parent of the remembered parent replaced by a link",
       [](tb& t, str) { t.file("a/dir/one").symlink("a", "../outside").file("a/dir/new"); }, ""},
      {"root as a link", [](tb& t, str o) { t.symlink("/.", o).file("new"); }, ""},
      {"root as a link, other spelling", [](tb& t, str o) { t.symlink("./", o); }, ""},
      {"root as a file", [](tb& t, str) { t.file("."); }, ""},
      {"root as a hard link", [](tb& t, str o) { t.hardlink("/", o); }, ""},
      {"whiteout of ..", [](tb& t, str) { t.file(".wh...", ""); }, ""},
      {"whiteout with .. before it", [](tb& t, str) { t.file("../outside/.wh.file", ""); }, ""},
      {"whiteout through a link", [](tb& t, str o) { t.symlink("l", o).file("l/.wh.file", ""); },
       ""},
      {"opaque mark through a link",
       [](tb& t, str o) { t.symlink("l", o).file("l/.wh..wh..opq", ""); }, ""},
      {"link into proc", [](tb& t, str) { t.symlink("l", "/proc/self/cwd").file("l/new"); }, ""},
      {"pax path with ..",
       [](tb& t, str) {
         t.add({.name = "ok", .pax = {{"path", "../outside/new"}}});
       },
       ""},
      {"pax linkpath with ..",
       [](tb& t, str) {
         t.add({.name = "h", .type = '1', .link = "f", .pax = {{"linkpath", "../outside/file"}}});
       },
       ""},
  };
  return all;
}

} // namespace

TEST_CASE("no archive reaches outside of its directory") {
  for (const auto& c : cases()) {
    const scratch s;
    const auto outside = s.dir / "outside";
    put(outside / "file", "keep");
    std::filesystem::create_directory(outside / "dir");
    std::filesystem::create_directory(s.dir / "root");
    const auto before = snapshot(outside);
    struct stat file_before {};
    ::stat((outside / "file").c_str(), &file_before);
    tar_builder tar;
    c.build(tar, outside.string());
    const unique_fd fd{::open((s.dir / "root").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    text_source source{tar.bytes()};
    const auto report = unpack_tar(source, fd.get(), {.rootless = true});
    INFO(c.what << ": " << (report ? "unpacked" : report.error().message()));
    CHECK(snapshot(outside) == before);
    struct stat file_after {};
    ::stat((outside / "file").c_str(), &file_after);
    CHECK(file_after.st_nlink == file_before.st_nlink);
    CHECK(std::distance(std::filesystem::directory_iterator{s.dir}, {}) == 2);
    std::string inside = c.inside;
    CHECK(report.has_value() == !inside.empty());
    if (inside.empty() || !report) continue;
    if (inside.starts_with('*')) inside = outside.string().substr(1) + inside.substr(1);
    struct stat st {};
    CHECK(::lstat((s.dir / "root" / inside).c_str(), &st) == 0);
  }
}

TEST_CASE("opening in-root cannot be led out") {
  const scratch s;
  put(s.dir / "secret", "outside");
  put(s.dir / "root/etc/passwd", "inside");
  const auto link = [&](const char* target, const char* name) {
    REQUIRE(::symlink(target, (s.dir / "root" / name).c_str()) == 0);
  };
  link("/etc/passwd", "absolute");
  link("../../../etc/passwd", "up");
  link("../secret", "out");
  link("/proc/self/root/etc/passwd", "magic");
  const unique_fd root{::open((s.dir / "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  const auto read = [&](const char* path) {
    auto fd = open_in_root(root.get(), path, O_RDONLY);
    return fd ? read_all(fd->get(), 100, path).value() : "error";
  };
  CHECK(read("absolute") == "inside");
  CHECK(read("up") == "inside");
  CHECK(read("../../etc/passwd") == "inside");
  CHECK(read("out") == "error");
  CHECK(read("magic") == "error");
}

} // namespace breakout_test

/// What a layer takes from those below it: files that its hard links mean; and what an image's
/// configuration adds to all of them: the directories of its volumes.
#include "store_room.hpp"

#include <sys/stat.h>
#include <sys/xattr.h>

namespace lower_layers_test {

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;

namespace {

result<image> load(const room& r, const std::vector<std::string>& layers) {
  auto done = r.open().load(r.archive("a.tar", "a:1", layers), nullptr);
  if (!done) return tl::make_unexpected(done.error());
  return done->at(0);
}

/// What a container sees at `path`: the topmost layer that has it.
std::string shown(const image& i, const std::string& path) {
  for (auto it = i.layers.rbegin(); it != i.layers.rend(); ++it)
    if (fs::exists(fs::symlink_status(*it / path)))
      return fs::is_symlink(fs::symlink_status(*it / path))
                 ? "-> " + fs::read_symlink(*it / path).string()
                 : slurp(*it / path);
  return "none";
}

struct stat facts(const image& i, const std::string& path) {
  struct stat st {};
  for (const auto& layer : i.layers)
    if (::lstat((layer / path).c_str(), &st) == 0) break;
  return st;
}

/// An image of one layer with these volumes.
image with_volumes(const room& r, const std::string& tar, const std::vector<std::string>& volumes) {
  put(r.s.dir / "in.tar", tar);
  std::vector<std::string> changes;
  for (const auto& v : volumes)
    changes.push_back("VOLUME [\"" + v + "\"]");
  auto done = r.open().import_rootfs(r.s.dir / "in.tar", named("v:1"), changes, "");
  REQUIRE_MESSAGE(done, done.error().message());
  return *std::move(done);
}

} // namespace

TEST_CASE("a hard link to a file of a layer below is that file, and leaves the other layer alone") {
  room r;
  const auto base = tar_builder{}
                        .dir("bin")
                        .add({.name = "bin/tool", .content = "tool", .mode = 0755, .mtime = 1234})
                        .symlink("bin/link", "tool")
                        .symlink("sbin", "bin")
                        .bytes();
  const auto top = tar_builder{}
                       .dir("opt")
                       .hardlink("opt/tool", "bin/tool")
                       .hardlink("opt/again", "opt/tool") // which this archive has only by a link
                       .hardlink("opt/link", "/bin/link")
                       .hardlink("opt/through", "sbin/tool")
                       .bytes();
  const auto made = load(r, {base, top});
  REQUIRE_MESSAGE(made, made.error().message());
  CHECK(shown(*made, "opt/tool") == "tool");
  CHECK(shown(*made, "opt/again") == "tool");
  CHECK(shown(*made, "opt/link") == "-> tool");
  CHECK(shown(*made, "opt/through") == "tool");
  const auto st = facts(*made, "opt/tool");
  CHECK((st.st_mode & 07777) == 0755);
  CHECK(st.st_mtime == 1234);
  CHECK(st.st_nlink == 2);
  CHECK(facts(*made, "bin/tool").st_nlink == 1);
  CHECK(r.open().verify(true).value().empty());
  CHECK(load(r, {base, top}).value() == *made);
}

TEST_CASE("what such a link means depends on the layers below, not on what was loaded before") {
  room r;
  const auto one = tar_builder{}.file("f", "one").bytes();
  const auto two = tar_builder{}.file("f", "two").bytes();
  const auto gone = tar_builder{}.file(".wh.f").bytes();
  const auto top = tar_builder{}.hardlink("h", "f").bytes();
  CHECK(shown(load(r, {one, top}).value(), "h") == "one");
  CHECK(shown(load(r, {two, top}).value(), "h") == "two");
  CHECK(shown(load(r, {one, two, top}).value(), "h") == "two");
  CHECK(shown(load(r, {one, top}).value(), "h") == "one");
  for (const auto& layers : std::vector<std::vector<std::string>>{
           {top}, {top, one}, {one, gone, top}, {tar_builder{}.dir("f").bytes(), top}}) {
    const auto refused = load(r, layers);
    REQUIRE_FALSE(refused);
    CHECK_MESSAGE(refused.error().message().find("link to 'f'") != std::string::npos,
                  refused.error().message());
  }
  CHECK(r.entries("tmp") == 0);
}

TEST_CASE("such links lead to nothing outside of the layers") {
  room r;
  put(r.s.dir / "outside/secret", "secret");
  const auto outside = (r.s.dir / "outside").string();
  const auto base = tar_builder{}
                        .symlink("out", outside)
                        .symlink("up", "../../../../../.." + outside)
                        .symlink("file", outside + "/secret")
                        .add({.name = "pipe", .type = '6'})
                        .bytes();
  for (const auto* target : {"out/secret", "up/secret", "none", "pipe"})
    CHECK_MESSAGE(!load(r, {base, tar_builder{}.hardlink("h", target).bytes()}), target);
  // A link is linked to as a link.
  const auto made = load(r, {base, tar_builder{}.hardlink("h", "file").bytes()});
  REQUIRE_MESSAGE(made, made.error().message());
  CHECK(shown(*made, "h") == "-> " + outside + "/secret");
}

TEST_CASE("links to one file share one copy, and copies count into the image's measure") {
  room r;
  const auto base = tar_builder{}.file("f", std::string(1000, 'x')).bytes();
  tar_builder top;
  for (int i = 0; i < 20; ++i)
    top.hardlink("h" + std::to_string(i), "f");
  r.options.limits.max_bytes = 3000;
  const auto made = load(r, {base, top.bytes()});
  REQUIRE_MESSAGE(made, made.error().message());
  CHECK(facts(*made, "h0").st_nlink == 20);
  // A file that replaces the copy is not what the next link means.
  const auto again = tar_builder{}.hardlink("h", "f").file("h", "mine").hardlink("i", "f").bytes();
  const auto other = load(r, {base, again});
  REQUIRE_MESSAGE(other, other.error().message());
  CHECK(shown(*other, "h") == "mine");
  CHECK(shown(*other, "i").size() == 1000);
  std::vector<std::string> many{base};
  for (int i = 0; i < 5; ++i)
    many.push_back(tar_builder{}.hardlink("h" + std::to_string(i), "f").bytes());
  CHECK(load(r, many).error().code == errc::limit);
}

TEST_CASE("a volume of an image is a directory of it, also when no layer has it") {
  room r;
  const auto tar = tar_builder{}
                       .dir("srv", 0711)
                       .symlink("data", "srv/data")
                       .dir("here", 0700)
                       .file("file")
                       .symlink("out", "/../../etc")
                       .bytes();
  const auto made = with_volumes(
      r, tar, {"/var/lib/db", "/data/x", "/here", "/file/x", "/../../outside", "/out/y", "/"});
  REQUIRE(made.layers.size() == 2);
  const auto& top = made.layers[1];
  CHECK(fs::is_directory(top / "var/lib/db"));
  CHECK(fs::is_directory(top / "srv/data/x"));
  CHECK(fs::is_directory(top / "etc/y"));
  CHECK(!fs::exists(fs::symlink_status(top / "file")));
  CHECK(!fs::exists(r.s.dir / "outside"));
  struct stat st {};
  REQUIRE(::stat((top / "srv").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0711); // as it was
  REQUIRE(::stat((top / "var/lib/db").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0755);
  CHECK(r.open().verify(true).value().empty());
  CHECK(with_volumes(r, tar, {"/here"}).layers.size() == 1);
  CHECK(with_volumes(r, tar_builder{}.dir("srv").bytes(), {"/srv"}).layers.size() == 1);
}

TEST_CASE("a volume with a name that no directory can have is passed over") {
  room r;
  const auto made = with_volumes(r, tar_builder{}.dir("srv").bytes(),
                                 {"/srv/" + std::string(256, 'n'), "/" + std::string(255, 'n')});
  REQUIRE(made.layers.size() == 2);
  CHECK(fs::is_directory(made.layers[1] / std::string(255, 'n')));
  CHECK(!fs::exists(made.layers[1] / "srv"));
}

TEST_CASE("an image without layers has the directories of its volumes too") {
  room r;
  const auto made = with_volumes(r, "", {"/data"});
  CHECK(fs::is_directory(made.layers.back() / "data"));
}

} // namespace lower_layers_test

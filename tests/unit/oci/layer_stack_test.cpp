/// Layers that do not name the directories of their entries.
#include "oci/layer_stack.hpp"
#include "oci/store.hpp"
#include "oci/unpack.hpp"
#include "support.hpp"
#include "tar_builder.hpp"

#include <doctest/doctest.h>

namespace layer_stack_test {

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;
namespace fs = std::filesystem;

namespace {

using names = std::vector<std::string>;

unique_fd open_dir(const fs::path& path) {
  return unique_fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
}

/// An archive unpacked as a layer.
struct layer {
  scratch s;
  unpack_report report;
  explicit layer(const tar_builder& tar) {
    REQUIRE(::chmod(s.dir.c_str(), 0755) == 0);
    text_source source{tar.bytes()};
    auto done = unpack_tar(source, open_dir(s.dir).get(), {.rootless = true});
    REQUIRE_MESSAGE(done, done.error().message());
    report = *std::move(done);
  }
  [[nodiscard]] unique_fd fd() const { return open_dir(s.dir); }
};

tar_entry dir(const char* name, unsigned mode, std::uint64_t time) {
  return {.name = name, .type = '5', .mode = mode, .mtime = time};
}

tar_builder base() {
  return tar_builder{}
      .add(dir("a", 0700, 111))
      .add(dir("a/b", 0750, 222))
      .file("a/b/old")
      .symlink("l", "a/b")
      .symlink("up", "/l/../../../a");
}

std::string looks(layer_stack& stack) {
  std::string out;
  const auto all = stack.dressing().value();
  for (const auto& d : all) {
    char line[64];
    if (d.hidden) {
      out += d.path + " hidden;";
      continue;
    }
    std::snprintf(line, sizeof line, "%s %o %lld;", d.path.c_str(), d.permissions,
                  d.path.empty() ? 0LL : static_cast<long long>(d.mtime.tv_sec));
    out += line;
  }
  return out;
}

/// How directories look when `upper` lies on `base()`; "" when nothing is to be mended.
std::string on_base(const tar_builder& upper) {
  const layer below{base()};
  const layer above{upper};
  layer_stack stack;
  stack.push(below.fd(), below.report.implied, below.report.marked);
  stack.push(above.fd(), above.report.implied, above.report.marked);
  return looks(stack);
}

path_moves moves_on_base(const tar_builder& upper) {
  const layer below{base()};
  const layer above{upper};
  layer_stack stack;
  stack.push(below.fd(), below.report.implied, below.report.marked);
  return stack.moves_for(above.fd().get(), above.report.implied).value();
}

} // namespace

TEST_CASE("what an archive does not name is reported, by the way it really has") {
  CHECK(layer{tar_builder{}.file("a/b/c")}.report.implied == names{"", "a", "a/b"});
  CHECK(layer{tar_builder{}.dir(".").dir("a").file("a/b/c")}.report.implied == names{"a/b"});
  CHECK(layer{tar_builder{}.file("a/b/c").dir("a/b")}.report.implied == names{"", "a"});
  CHECK(layer{tar_builder{}.file("a/.wh.c", "")}.report.implied == names{"", "a"});
  CHECK(layer{tar_builder{}.file("a/.wh..wh..opq", "")}.report.implied == names{"", "a"});
  // One that replaces a removed directory is new: nothing below it counts.
  CHECK(layer{tar_builder{}.file(".wh.a", "").file("a/b/c")}.report.implied == names{"", "a/b"});
  CHECK(layer{tar_builder{}.dir("x").symlink("l", "x").file("l/y/z")}.report.implied ==
        names{"", "x/y"});
  CHECK(layer{tar_builder{}.file("a/b/c").file("a", "now a file")}.report.implied == names{""});
}

TEST_CASE("an unnamed directory looks as in the layer below, with those above it") {
  CHECK(on_base(tar_builder{}.file("a/b/new")) == " 755 0;a 700 111;a/b 750 222;");
  CHECK(on_base(tar_builder{}.add(dir("a/b", 0711, 9)).file("a/b/new")) == " 755 0;a 700 111;");
  CHECK(on_base(tar_builder{}.file("a/b/.wh..wh..opq", "").file("a/b/new")) ==
        " 755 0;a 700 111;a/b 750 222;");
  CHECK(on_base(tar_builder{}.file("new/x")).empty());
  CHECK(on_base(tar_builder{}.file("x")).empty());
  // What is removed and made again is new.
  CHECK(on_base(tar_builder{}.file(".wh.a", "").file("a/b/new")).empty());
  CHECK(on_base(tar_builder{}.file(".wh..wh..opq", "").file("a/b/new")).empty());
}

TEST_CASE("marks of nothing are not seen, nor directories that are there for them only") {
  CHECK(layer{tar_builder{}.file("a/.wh.c", "").file("d/.wh..wh..opq", "")}.report.marked ==
        names{"a"});
  CHECK(on_base(tar_builder{}.file("n/.wh.x", "")) == " 755 0;n hidden;");
  CHECK(on_base(tar_builder{}.file("n/m/.wh.x", "").file("n/o/.wh..wh..opq", "")) ==
        " 755 0;n hidden;");
  CHECK(on_base(tar_builder{}.add(dir("n", 0711, 7)).file("n/.wh.x", "")) == " 755 0;n 711 7;");
  CHECK(on_base(tar_builder{}.file("n/.wh.x", "").add(dir("n", 0711, 7))) == " 755 0;n 711 7;");
  CHECK(on_base(tar_builder{}.add(dir("a", 0700, 111)).file("a/.wh.b", "")).empty()); // merged
}

TEST_CASE("names below a link of a lower layer mean what it leads to") {
  CHECK(moves_on_base(tar_builder{}.file("l/new")) == path_moves{{"l", "a/b"}});
  CHECK(moves_on_base(tar_builder{}.file("up/b/new")) == path_moves{{"up", "a"}});
  CHECK(moves_on_base(tar_builder{}.file("l/x/new")) == path_moves{{"l", "a/b"}});
  CHECK(moves_on_base(tar_builder{}.dir("l").file("l/new")).empty());
  CHECK(moves_on_base(tar_builder{}.file(".wh.l", "").file("l/new")).empty());
  CHECK(moves_on_base(tar_builder{}.file("a/b/new").file("n/new")).empty());
}

TEST_CASE("only what lies below a moved path moves, by the longest one") {
  const path_moves moves{{"l", "usr/lib"}, {"l/x", "opt"}, {"r", ""}};
  CHECK(moved(moves, "l") == "l");
  CHECK(moved(moves, "l/a") == "usr/lib/a");
  CHECK(moved(moves, "l/x") == "usr/lib/x");
  CHECK(moved(moves, "l/x/y") == "opt/y");
  CHECK(moved(moves, "lx/a") == "lx/a");
  CHECK(moved(moves, "r/a/b") == "a/b");
}

TEST_CASE("links that lead in circles or nowhere end") {
  const layer below{tar_builder{}.symlink("c", "c").symlink("n", "no/where")};
  layer_stack stack;
  stack.push(below.fd(), below.report.implied, below.report.marked);
  const layer nowhere{tar_builder{}.file("n/x")};
  CHECK(stack.moves_for(nowhere.fd().get(), nowhere.report.implied).value() ==
        path_moves{{"n", "no/where"}});
  const layer circle{tar_builder{}.file("c/x")};
  CHECK(stack.moves_for(circle.fd().get(), circle.report.implied).error().sys == ELOOP);
}

namespace {

/// A store, and docker archives of these layers in it.
struct room {
  scratch s;
  store_options options{.rootless = true, .durable = false, .boot_id = "b"};
  store st = store::open(s.dir / "images", options).value();
  result<image> load(const std::string& name, const std::vector<tar_builder>& layers) const {
    tar_builder tar;
    std::string ids;
    std::string files;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const auto text = layers[i].bytes();
      const auto file = std::to_string(i) + ".tar";
      tar.file(file, text);
      ids += (i == 0 ? "\"" : ",\"") + digest_of(text).to_string() + "\"";
      files += (i == 0 ? "\"" : ",\"") + file + "\"";
    }
    tar.file("c.json", R"({"os":"linux","rootfs":{"type":"layers","diff_ids":[)" + ids + "]}}");
    tar.file("manifest.json",
             R"([{"Config":"c.json","RepoTags":[")" + name + R"("],"Layers":[)" + files + "]}]");
    put(s.dir / "in.tar", tar.bytes());
    auto loaded = st.load(s.dir / "in.tar", nullptr);
    if (!loaded) return tl::make_unexpected(loaded.error());
    return loaded->front();
  }
  [[nodiscard]] auto layers() const {
    return std::distance(fs::directory_iterator{s.dir / "images/layers"}, {});
  }
};

mode_t mode_of(const fs::path& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : 0;
}

} // namespace

TEST_CASE("a layer is stored once, whatever it lies on, and all goes with the last name") {
  const room r;
  const auto upper = tar_builder{}.file("a/b/new").file("l/linked");
  const auto one = r.load("one:1", {base(), upper}).value();
  const auto two =
      r.load("two:1", {tar_builder{}.dir("l", 0711).add(dir("a", 0751, 5)), upper}).value();
  // base, upper on the link, its looks; the other base, upper as it is, its looks
  CHECK(one.layers.size() == 3);
  CHECK(two.layers.size() == 3);
  CHECK(slurp(one.layers[1] / "a/b/linked") == "x");
  CHECK_FALSE(fs::exists(one.layers[1] / "l"));
  CHECK(mode_of(one.layers[2] / "a/b") == 0750);
  CHECK(slurp(two.layers[1] / "l/linked") == "x");
  CHECK(mode_of(two.layers[2] / "a") == 0751);
  CHECK(mode_of(two.layers[2] / "l") == 0711);
  CHECK(r.layers() == 6);
  CHECK(r.st.verify(true)->empty());
  CHECK(r.st.prune(false)->layers == 0);
  CHECK(r.st.resolve("one:1").value() == one);
  REQUIRE(r.st.remove("one:1"));
  CHECK(r.st.resolve("two:1").value() == two);
  REQUIRE(r.st.remove("two:1"));
  CHECK(r.layers() == 0);
}

TEST_CASE("a damaged directory of looks, or of a layer laid on a link, is made again") {
  const room r;
  const std::vector<tar_builder> layers{base(), tar_builder{}.file("a/b/new").file("l/linked")};
  const auto image = r.load("one:1", layers).value();
  for (const auto* hurt : {"1", "2"}) {
    const auto& path = image.layers[static_cast<std::size_t>(std::atoi(hurt))];
    REQUIRE(::chmod((path / "a/b").c_str(), 0777) == 0);
    CHECK(r.st.verify(false)->size() == 1);
    CHECK(r.st.resolve("one:1").error().code == errc::corrupt);
    CHECK(r.load("one:1", layers).value() == image);
    CHECK(r.st.verify(true)->empty());
  }
}

} // namespace layer_stack_test

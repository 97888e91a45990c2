/// Images that are brought from a file or a directory, by naming where it lies.
#include "oci/image_source.hpp"
#include "store_room.hpp"

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;

TEST_CASE("an archive is read where it lies; links in it lead to its members only") {
  room r;
  const auto tar = one_file("1");
  const auto config = R"({"os":"linux","rootfs":{"type":"layers","diff_ids":[")" +
                      digest_of(tar).to_string() + R"("]}})";
  const auto load = [&](tar_builder b, const std::string& layer) {
    b.file("manifest.json",
           R"([{"Config":"c.json","RepoTags":["a:1"],"Layers":[")" + layer + R"("]}])");
    put(r.s.dir / "in.tar", b.bytes());
    return r.open().load(r.s.dir / "in.tar", nullptr);
  };
  const auto base = [&] { return tar_builder{}.file("c.json", config).file("x/layer.tar", tar); };
  CHECK(load(base(), "x/layer.tar"));
  CHECK(load(base(), "./x/../x//layer.tar"));
  CHECK(load(base().symlink("y/l", "../x/layer.tar"), "y/l"));
  CHECK(load(base().symlink("l", "/x/layer.tar"), "l"));
  CHECK(load(base().hardlink("h", "x/layer.tar"), "h"));
  CHECK(load(base().file(std::string(180, 'n'), tar), std::string(180, 'n')));
  CHECK(load(base().file("x/layer.tar", "replaced").file("x/layer.tar", tar), "x/layer.tar"));
  REQUIRE(r.open().remove("a:1")); // what is here already would not be read at all
  CHECK(!load(base().file("x/layer.tar", "replaced"), "x/layer.tar")); // the later entry counts
  CHECK(!load(base().symlink("l", "l"), "l"));
  CHECK(!load(base().symlink("l", "none"), "l"));
  CHECK(!load(base().dir("d"), "d"));
  CHECK(r.entries("tmp") == 0);
  put(r.s.dir / "cut.tar", slurp(r.archive("whole.tar", "b:1", {tar})).substr(0, 3000));
  CHECK(!r.open().load(r.s.dir / "cut.tar", nullptr));
}

TEST_CASE("an image can be named by where it lies") {
  using form = image_source::form;
  CHECK(parse_image_source("oci:/a/b").value() == image_source{form::oci, "/a/b", ""});
  CHECK(parse_image_source("oci-archive:/a:q.io/x:1").value() ==
        image_source{form::oci_archive, "/a", "q.io/x:1"});
  CHECK(parse_image_source("docker-archive:/a.tar:t")->to_string() == "docker-archive:/a.tar:t");
  for (const auto* bad : {"oci:", "oci:a/b", "oci:/a/../b", "oci:/a:", "oci-archive:", "oci:/a\n"})
    CHECK_MESSAGE(parse_image_source(bad).error().code == errc::invalid, bad);
  CHECK(!is_image_source("ocix:/a"));
  CHECK(!is_image_source("rootfs:/a"));
  CHECK(!is_image_source("docker.io/oci:1"));
}

TEST_CASE("an image source is brought once, again when it changes, and found under its own name") {
  room r;
  auto images = r.open();
  const auto from = r.archive("a.tar", "a:1", {one_file("1")});
  const auto name = "docker-archive:" + from.string();
  CHECK(images.resolve(name).error().code == errc::not_found);
  const auto first = images.bring(name);
  REQUIRE_MESSAGE(first, first.error().message());
  CHECK(first->name == name);
  CHECK(images.resolve(name).value() == *first);
  CHECK(images.list()->front().name == name);
  CHECK(images.inspect(name)->layers.size() == 1);
  const auto record = r.layout().ref(name);
  struct stat before {};
  REQUIRE(::stat(record.c_str(), &before) == 0);
  CHECK(images.bring(name).value() == *first);
  struct stat after {};
  REQUIRE(::stat(record.c_str(), &after) == 0);
  CHECK(before.st_ino == after.st_ino); // not even written again
  (void)r.archive("a.tar", "a:1", {one_file("2")});
  CHECK(slurp(images.bring(name)->layers.at(0) / "etc/conf") == "2");
  fs::remove(from);
  CHECK(images.bring(name).error().code == errc::not_found);
  CHECK(slurp(images.resolve(name)->layers.at(0) / "etc/conf") == "2"); // what is here stays
  REQUIRE(images.save({name}, r.s.dir / "layout", save_format::oci_directory));
  const auto layout = images.bring("oci:" + (r.s.dir / "layout").string());
  REQUIRE_MESSAGE(layout, layout.error().message());
  CHECK(layout->layers == images.resolve(name)->layers);
  CHECK(images.bring("oci-archive:" + r.s.dir.string()).error().code == errc::not_found);
  REQUIRE(images.remove(name));
  CHECK(images.resolve(name).error().code == errc::not_found);
}

TEST_CASE("of several images in a source the reference picks one") {
  room r;
  auto images = r.open();
  (void)r.import("q.io/a:1", one_file("a"));
  (void)r.import("q.io/b:2", one_file("b"));
  const auto to = (r.s.dir / "both.tar").string();
  REQUIRE(images.save({"q.io/a:1", "q.io/b:2"}, to, save_format::oci_archive));
  const auto conf = [&](const std::string& ref) {
    const auto found = images.bring("oci-archive:" + to + ref);
    return found ? slurp(found->layers.at(0) / "etc/conf") : found.error().message();
  };
  CHECK(conf(":q.io/a:1") == "a");
  CHECK(conf(":2") == "b");
  CHECK(conf("").find("it holds 2 images (name one: ") != std::string::npos);
  CHECK(conf(":3").find("there is only q.io/a:1, q.io/a:1, q.io/b:2") != std::string::npos);
  const auto picked = room{}.open().load(to, nullptr, "q.io/b:2");
  REQUIRE(picked);
  CHECK(picked->size() == 1);
}

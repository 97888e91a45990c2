/// Images that are brought from a file or a directory, by naming where it lies.
#include "oci/image_source.hpp"
#include "store_room.hpp"

namespace image_source_test {

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
  CHECK(images.bring(name).error().code == errc::unavailable);
  CHECK(slurp(images.resolve(name)->layers.at(0) / "etc/conf") == "2"); // what is here stays
  REQUIRE(images.save({name}, r.s.dir / "layout", save_format::oci_directory));
  const auto layout = images.bring("oci:" + (r.s.dir / "layout").string());
  REQUIRE_MESSAGE(layout, layout.error().message());
  CHECK(layout->layers == images.resolve(name)->layers);
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

TEST_CASE("what is wrong with an image source is said as it is, not as an image that is missing") {
  room r;
  auto images = r.open();
  (void)r.import("q.io/a:1", one_file("a"));
  const auto archive = r.s.dir / "a.tar";
  REQUIRE(images.save({"q.io/a:1"}, archive, save_format::oci_archive));
  const auto layout = r.s.dir / "layout";
  REQUIRE(images.save({"q.io/a:1"}, layout, save_format::oci_directory));
  REQUIRE(images.remove("q.io/a:1"));
  const auto says = [&](const std::string& source, errc code, const std::string& part) {
    const auto got = images.bring(source);
    REQUIRE_MESSAGE(!got, source);
    const auto text = got.error().message();
    CHECK_MESSAGE(got.error().code == code, text);
    CHECK_MESSAGE(text.find(part) != std::string::npos, text);
    CHECK_MESSAGE(text.starts_with("cannot load image '" + source), text);
  };
  const auto at = [&](const char* name) { return (r.s.dir / name).string(); };
  says("oci:" + at("none"), errc::unavailable, "No such file or directory");
  fs::create_directory(at("empty"));
  says("oci:" + at("empty"), errc::corrupt, "there is no index.json");
  says("docker-archive:" + archive.string(), errc::corrupt, "there is no manifest.json");
  put(at("no.tar"), std::string(2000, 'n'));
  says("oci-archive:" + at("no.tar"), errc::corrupt, "read 'archive'");
  says("oci-archive:" + archive.string() + ":9", errc::unavailable, "there is only q.io/a:1");
  REQUIRE(::mkfifo(at("pipe").c_str(), 0600) ==
          0); // nobody writes into it: it must not be waited for
  says("oci-archive:" + at("pipe"), errc::corrupt, "neither a file nor a directory");
  says("oci-archive:/dev/zero", errc::corrupt, "neither a file nor a directory");
  for (const auto& blob : fs::directory_iterator{layout / "blobs/sha256"})
    if (slurp(blob.path()) == one_file("a")) fs::remove(blob.path());
  says("oci:" + layout.string(), errc::unavailable, digest_of(one_file("a")).to_string());
  const auto bad = tar_builder{}.file("../outside", "x").bytes();
  says("docker-archive:" + r.archive("bad.tar", "b:1", {bad}).string(), errc::corrupt,
       "it contains '..'");
}

TEST_CASE("a layer that comes twice in an archive, the second time as a link, is loaded and run") {
  room r;
  const auto a = one_file("a");
  const auto b = tar_builder{}.file("b").bytes();
  const auto id = [](const std::string& tar) { return "\"" + digest_of(tar).to_string() + "\""; };
  // As docker writes it.
  tar_builder tar;
  tar.file("1/layer.tar", a).file("2/layer.tar", b).symlink("3/layer.tar", "../1/layer.tar");
  tar.file("c.json", R"({"os":"linux","rootfs":{"type":"layers","diff_ids":[)" + id(a) + "," +
                         id(b) + "," + id(a) + "]}}");
  tar.file("manifest.json", R"([{"Config":"c.json","RepoTags":["a:1"],)"
                            R"("Layers":["1/layer.tar","2/layer.tar","3/layer.tar"]}])");
  put(r.s.dir / "a.tar", tar.bytes());
  const auto loaded = r.open().load(r.s.dir / "a.tar", nullptr);
  REQUIRE_MESSAGE(loaded, loaded.error().message());
  const auto& layers = loaded->at(0).layers;
  REQUIRE(layers.size() == 2);
  CHECK(slurp(layers[1] / "etc/conf") == "a");
}

TEST_CASE("a saved image is there when it is whole, and not at all before") {
  room r;
  auto images = r.open();
  const auto made = r.import("a:1", one_file("a"));
  const auto names = [&] {
    std::vector<std::string> out;
    for (const auto& e : fs::directory_iterator{r.s.dir / "to"})
      out.push_back(e.path().filename());
    return out;
  };
  fs::create_directory(r.s.dir / "to");
  const auto to = r.s.dir / "to/x";
  cancellation stop;
  stop.cancel();
  for (const auto format : {save_format::oci_archive, save_format::oci_directory}) {
    CHECK(images.save({"a:1"}, to, format, &stop).error().code == errc::cancelled);
    CHECK(names().empty());
    REQUIRE(images.save({"a:1"}, to, format));
    CHECK(names() == std::vector<std::string>{"x"});
    CHECK(images.save({"a:1"}, to, format).error().code == errc::exists);
    fs::remove_all(to);
  }
  const auto blob = r.layout().blob(digest_of(one_file("a")));
  put(blob, "damaged");
  for (const auto format : {save_format::oci_archive, save_format::oci_directory}) {
    CHECK_FALSE(images.save({"a:1"}, to, format));
    CHECK(names().empty());
  }
}

} // namespace image_source_test

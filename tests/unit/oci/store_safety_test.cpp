/// What keeps the store right: records, damage and its repair, several at once, removal, room.
#include "oci/image_source.hpp"
#include "oci/ingest.hpp"
#include "oci/store.hpp"
#include "oci/store_gc.hpp"
#include "oci/survey.hpp"
#include "support.hpp"
#include "tar_builder.hpp"

#include <atomic>
#include <condition_variable>
#include <doctest/doctest.h>
#include <mutex>
#include <sys/file.h>
#include <sys/xattr.h>
#include <thread>
#include <unistd.h>

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;
namespace fs = std::filesystem;

namespace {

store_options quick() {
  store_options out;
  out.rootless = true;
  out.durable = false;
  out.boot_id = "boot-1";
  return out;
}

reference named(std::string_view text) {
  return parse_reference(text).value();
}

std::string one_file(const std::string& content) {
  return tar_builder{}.dir("etc").file("etc/conf", content).bytes();
}

struct room {
  scratch s;
  store_options options = quick();
  [[nodiscard]] fs::path root() const { return s.dir / "images"; }
  [[nodiscard]] store_layout layout() const { return {root()}; }
  [[nodiscard]] store open() const {
    auto opened = store::open(root(), options);
    REQUIRE_MESSAGE(opened, opened.error().message());
    return *std::move(opened);
  }
  [[nodiscard]] image import(const std::string& name, const std::string& tar) const {
    put(s.dir / "in.tar", tar);
    auto done = open().import_rootfs(s.dir / "in.tar", named(name), {}, "");
    REQUIRE_MESSAGE(done, done.error().message());
    return *std::move(done);
  }
  [[nodiscard]] std::size_t entries(const char* below) const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator{root() / below}, {}));
  }
  /// A docker archive of these layers.
  [[nodiscard]] fs::path archive(const std::string& file, const std::string& name,
                                 const std::vector<std::string>& layers) const {
    tar_builder tar;
    std::string ids;
    std::string files;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const auto file_name = std::to_string(i) + ".tar";
      tar.file(file_name, layers[i]);
      ids += (i == 0 ? "\"" : ",\"") + digest_of(layers[i]).to_string() + "\"";
      files += (i == 0 ? "\"" : ",\"") + file_name + "\"";
    }
    tar.file("c.json",
             R"({"os":"linux","config":{"Cmd":["x"]},"rootfs":{"type":"layers","diff_ids":[)" +
                 ids + "]}}");
    tar.file("manifest.json",
             R"([{"Config":"c.json","RepoTags":[")" + name + R"("],"Layers":[)" + files + "]}]");
    put(s.dir / file, tar.bytes());
    return s.dir / file;
  }
};

ingest::wanted want(const std::string& tar) {
  return {{}, digest_of(tar), [tar](const std::stop_token&) {
            return result<std::unique_ptr<byte_source>>{std::make_unique<text_source>(tar, 1000)};
          }};
}

} // namespace

TEST_CASE("a survey tells any change of a tree") {
  const scratch s;
  put(s.dir / "t/a/b", "text");
  REQUIRE(::symlink("b", (s.dir / "t/a/l").c_str()) == 0);
  fs::create_hard_link(s.dir / "t/a/b", s.dir / "t/h");
  const unique_fd fd{::open((s.dir / "t").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const auto look = [&] { return survey_tree(fd.get()).value(); };
  auto last = look();
  CHECK(last.entries == 4);
  CHECK(last.bytes == 8);
  CHECK(look() == last);
  const auto changes = [&](const char* what, auto change) {
    change();
    const auto now = look();
    CHECK_MESSAGE(now.fingerprint != last.fingerprint, what);
    last = now;
  };
  const timespec times[2] = {{1, 0}, {1, 0}};
  changes("mode", [&] { ::chmod((s.dir / "t/a/b").c_str(), 0600); });
  changes("time", [&] { ::utimensat(AT_FDCWD, (s.dir / "t/a/b").c_str(), times, 0); });
  changes("directory time", [&] { ::utimensat(AT_FDCWD, (s.dir / "t/a").c_str(), times, 0); });
  changes("name", [&] {
    fs::rename(s.dir / "t/h", s.dir / "t/i");
    ::utimensat(AT_FDCWD, (s.dir / "t").c_str(), times, 0);
  });
  changes("lost", [&] { fs::remove(s.dir / "t/i"); });
  changes("target", [&] {
    fs::remove(s.dir / "t/a/l");
    REQUIRE(::symlink("x", (s.dir / "t/a/l").c_str()) == 0);
  });
  changes("opaque", [&] {
    REQUIRE(::setxattr((s.dir / "t/a").c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
  });
  changes("root", [&] { ::chmod((s.dir / "t").c_str(), 0700); });
}

TEST_CASE("a damaged layer is found, no longer used, and repaired by loading again") {
  room r;
  const auto from = r.archive("a.tar", "a:1", {one_file("1"), one_file("2")});
  auto images = r.open();
  const auto loaded = images.load(from, nullptr).value().front();
  CHECK(images.verify(true)->empty());
  put(loaded.layers[0] / "etc/conf", "changed");
  const auto found = images.verify(false).value();
  REQUIRE(found.size() == 1);
  CHECK(found[0].image == "docker.io/library/a:1");
  CHECK(found[0].object == "layer " + digest_of(one_file("1")).to_string());
  CHECK(images.resolve("a:1").error().code == errc::corrupt);
  const auto again = images.load(from, nullptr);
  REQUIRE_MESSAGE(again, again.error().message());
  CHECK(slurp(images.resolve("a:1")->layers[0] / "etc/conf") == "1");
  CHECK(images.verify(true)->empty());
  CHECK(r.entries("tmp") == 0);
  // Also without having been verified, and when a file is lost.
  fs::remove(again->front().layers[1] / "etc/conf");
  REQUIRE(images.load(from, nullptr));
  CHECK(slurp(images.resolve("a:1")->layers[1] / "etc/conf") == "2");
}

TEST_CASE("a damaged layer under a pod is not pulled away from it") {
  room r;
  const auto from = r.archive("a.tar", "a:1", {one_file("1")});
  const auto loaded = r.open().load(from, nullptr).value().front();
  put(loaded.layers[0] / "etc/conf", "changed");
  r.options.in_use = [&] { return loaded.layers; };
  const auto again = r.open().load(from, nullptr);
  REQUIRE(!again);
  CHECK(again.error().code == errc::conflict);
  CHECK(again.error().hint == "stop the pod first");
  CHECK(slurp(loaded.layers[0] / "etc/conf") == "changed");
}

TEST_CASE("a damaged blob is found by its contents, and brought again") {
  room r;
  const auto from = r.archive("a.tar", "a:1", {one_file("1")});
  auto images = r.open();
  REQUIRE(images.load(from, nullptr));
  const auto blob = r.layout().blob(digest_of(one_file("1")));
  auto text = slurp(blob);
  text[700] = 'X';
  put(blob, text);
  CHECK(images.verify(false)->empty());
  CHECK(!images.save({"a:1"}, r.s.dir / "saved.tar", save_format::oci_archive));
  CHECK(!fs::exists(r.s.dir / "saved.tar"));
  CHECK(images.verify(true)->size() == 1);
  REQUIRE(images.load(from, nullptr));
  CHECK(images.verify(true)->empty());
}

TEST_CASE("finished layers of a killed session count in the same boot, and only there") {
  room r;
  const auto tar = one_file("1");
  (void)r.open();
  {
    auto session = ingest::begin(r.layout(), r.options).value();
    const std::vector<ingest::wanted> all{want(tar)};
    REQUIRE(session.add_layers(all));
  } // no commit: as if it had been killed later
  CHECK(r.entries("layers") == 1);
  CHECK(ingest::begin(r.layout(), r.options)->knows(digest_of(tar), digest_of(tar)));
  auto later = r.options;
  later.boot_id = "boot-2";
  CHECK(!ingest::begin(r.layout(), later)->knows(digest_of(tar), digest_of(tar)));
  REQUIRE(store::open(r.root(), r.options));
  CHECK(r.entries("layers") == 1);
  REQUIRE(store::open(r.root(), later)); // looks the store through, once per boot
  CHECK(r.entries("layers") == 0);
  CHECK(r.entries("records") == 0);
  const auto kept = r.import("a:1", tar);
  later.boot_id = "boot-3";
  CHECK(ingest::begin(r.layout(), later)->knows(digest_of(tar), digest_of(tar))); // a name vouches
  REQUIRE(store::open(r.root(), later));
  CHECK(fs::exists(kept.layers[0]));
}

TEST_CASE("a layer without its record, as a kill may leave it, counts as none") {
  room r;
  const auto made = r.import("a:1", one_file("1"));
  fs::remove(r.layout().record(digest_of(one_file("1"))));
  CHECK(r.open().resolve("a:1").error().code == errc::corrupt);
  CHECK(slurp(r.import("a:1", one_file("1")).layers[0] / "etc/conf") == "1");
  CHECK(r.open().resolve("a:1"));
}

TEST_CASE("layers of one image are read at the same time, each once, and come in order") {
  room r;
  r.options.parallel_layers = 3;
  (void)r.open();
  struct meeting {
    std::mutex mutex;
    std::condition_variable changed;
    int there = 0;
    void wait_for(int n) {
      std::unique_lock lock{mutex};
      ++there;
      changed.notify_all();
      changed.wait(lock, [&] { return there >= n; });
    }
  } all_three;
  std::atomic<int> opened{0};
  std::vector<std::string> tars;
  std::vector<ingest::wanted> layers;
  for (int i = 0; i < 3; ++i) {
    tars.push_back(one_file(std::to_string(i)));
    layers.push_back({{}, digest_of(tars.back()), [&, tar = tars.back()](const std::stop_token&) {
                        ++opened;
                        all_three.wait_for(3); // ends only when all are open at once
                        return result<std::unique_ptr<byte_source>>{
                            std::make_unique<text_source>(tar, 100)};
                      }});
  }
  layers.push_back(want(tars[0])); // twice in one image
  auto session = ingest::begin(r.layout(), r.options).value();
  const auto done = session.add_layers(layers);
  REQUIRE_MESSAGE(done, done.error().message());
  CHECK(opened == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(done->at(i).diff_id == digest_of(tars[i]));
  CHECK(done->at(3).diff_id == digest_of(tars[0]));
}

TEST_CASE("two sessions that want one layer make it once, in one process or in two") {
  room r;
  (void)r.open();
  const auto tar = one_file("shared");
  std::atomic<int> opened{0};
  std::vector<ingest::wanted> layers{{{}, digest_of(tar), [&](const std::stop_token&) {
                                        ++opened;
                                        return result<std::unique_ptr<byte_source>>{
                                            std::make_unique<text_source>(tar, 10)};
                                      }}};
  std::vector<std::jthread> threads;
  std::atomic<int> failures{0};
  for (int i = 0; i < 6; ++i)
    threads.emplace_back([&] {
      auto session = ingest::begin(r.layout(), r.options);
      if (!session || !session->add_layers(layers)) ++failures;
    });
  threads.clear();
  CHECK(failures == 0);
  CHECK(opened == 1);
}

TEST_CASE("the first failure stops the other layers, and is what is told; so does cancelling") {
  room r;
  r.options.parallel_layers = 2;
  (void)r.open();
  struct endless final : byte_source {
    result<std::span<const std::byte>> next() override { return std::as_bytes(std::span{zeros}); }
    std::string zeros = std::string(4096, '\0');
  };
  std::vector<ingest::wanted> layers{{{}, digest_of("never"), [](const std::stop_token&) {
                                        return result<std::unique_ptr<byte_source>>{
                                            std::make_unique<endless>()};
                                      }}};
  std::stop_source cancel;
  SUBCASE("a failure") {
    layers.push_back({{}, digest_of("other"), [](const std::stop_token&) {
                        return result<std::unique_ptr<byte_source>>{
                            fail(errc::unavailable, "open", "layer", "gone")};
                      }});
    auto session = ingest::begin(r.layout(), r.options).value();
    CHECK(session.add_layers(layers).error().code == errc::unavailable);
  }
  SUBCASE("cancelling") {
    layers.push_back({{}, digest_of("other"), [&](const std::stop_token&) {
                        cancel.request_stop();
                        return result<std::unique_ptr<byte_source>>{std::make_unique<endless>()};
                      }});
    auto session = ingest::begin(r.layout(), r.options).value();
    CHECK(session.add_layers(layers, cancel.get_token()).error().code == errc::cancelled);
  }
  CHECK(r.entries("layers") == 0);
  CHECK(r.entries("tmp") == 0);
}

TEST_CASE("the limits are of an image, not of a layer") {
  room r;
  tar_builder one;
  tar_builder two;
  for (int i = 0; i < 10; ++i) {
    one.file("a" + std::to_string(i), "12345");
    two.file("b" + std::to_string(i), "12345");
  }
  const auto from = r.archive("a.tar", "a:1", {one.bytes(), two.bytes()});
  const auto refused = [&](const char* why) {
    const auto loaded = r.open().load(from, nullptr);
    REQUIRE(!loaded);
    CHECK(loaded.error().code == errc::limit);
    CHECK_MESSAGE(loaded.error().message().find(why) != std::string::npos,
                  loaded.error().message());
  };
  r.options.limits.max_entries = 19;
  refused("more than 19 entries");
  r.options.limits.max_entries = 20;
  REQUIRE(r.open().load(from, nullptr));
  r.options.limits.max_entries = 19; // layers that are here count too
  refused("more than 19 entries");
  r.options.limits.max_entries = 20;
  r.options.limits.max_bytes = 99;
  refused("contents exceed 99 bytes");
}

TEST_CASE("an image without layers is one") {
  room r;
  const auto loaded = r.open().load(r.archive("a.tar", "none:1", {}), nullptr);
  REQUIRE_MESSAGE(loaded, loaded.error().message());
  const auto found = r.open().resolve("none:1").value();
  REQUIRE(found.layers.size() == 1);
  CHECK(fs::is_empty(found.layers[0]));
  CHECK(r.open().verify(true)->empty());
}

TEST_CASE("what is saved is loaded again as the same image, from a tar and from a directory") {
  room r;
  auto images = r.open();
  const auto made =
      images.load(r.archive("a.tar", "q.io/a:1", {one_file("1"), one_file("2")}), nullptr)->front();
  (void)r.import("b:1", compressed(one_file("b")));
  const std::vector<std::string> both{"q.io/a:1", "b:1"};
  REQUIRE(images.save(both, r.s.dir / "saved.tar", save_format::oci_archive));
  REQUIRE(images.save(both, r.s.dir / "saved", save_format::oci_directory));
  CHECK(images.save(both, r.s.dir / "saved", save_format::oci_directory).error().code ==
        errc::exists);
  CHECK(images.save(both, r.s.dir / "saved.tar", save_format::oci_archive).error().code ==
        errc::exists);
  CHECK(images.save({"none"}, r.s.dir / "x", save_format::oci_archive).error().code ==
        errc::not_found);
  CHECK(!fs::exists(r.s.dir / "x"));
  for (const auto* saved : {"saved.tar", "saved"}) {
    room to;
    const auto loaded = to.open().load(r.s.dir / saved, nullptr);
    REQUIRE_MESSAGE(loaded, loaded.error().message());
    CHECK(loaded->size() == 2);
    CHECK(to.open().resolve("q.io/a:1")->manifest_digest == made.manifest_digest);
    CHECK(to.open().verify(true)->empty());
  }
}

TEST_CASE("inspect shows what there is") {
  room r;
  (void)r.import("a:1", one_file("12345"));
  const auto d = r.open().inspect("a:1").value();
  REQUIRE(d.layers.size() == 1);
  CHECK(d.layers[0].diff_id == digest_of(one_file("12345")).to_string());
  CHECK(d.layers[0].entries == 2);
  CHECK(d.layers[0].bytes == 5);
  CHECK(d.layers[0].blob_size == one_file("12345").size());
  CHECK(r.open().inspect("b:1").error().code == errc::not_found);
}

TEST_CASE("prune removes what no name reaches; of names only those no pod uses, and only if told") {
  room r;
  const auto a = r.import("a:1", one_file("a"));
  (void)r.import("b:1", one_file("b"));
  (void)r.import("b:1", one_file("c")); // the old b has no name now
  CHECK(r.entries("layers") == 3);
  r.options.in_use = [&] { return a.layers; };
  auto report = r.open().prune(false).value();
  CHECK(report.layers == 1);
  CHECK(report.blobs == 3);
  CHECK(report.bytes > one_file("b").size());
  CHECK(report.images.empty());
  report = r.open().prune(true).value();
  CHECK(report.images == std::vector<std::string>{"docker.io/library/b:1"});
  CHECK(r.open().list()->size() == 1);
  CHECK(r.open().resolve("a:1"));
}

TEST_CASE("a pod keeps its layers also when its image's name is gone") {
  room r;
  const auto a = r.import("a:1", one_file("a"));
  (void)r.import("b:1", one_file("b"));
  r.options.in_use = [&] { return a.layers; };
  REQUIRE(r.open().remove("a:1"));
  REQUIRE(r.open().remove("b:1"));
  REQUIRE(r.open().prune(true));
  CHECK(slurp(a.layers[0] / "etc/conf") == "a");
  CHECK(r.entries("layers") == 1);
  r.options.in_use = {};
  REQUIRE(r.open().prune(false));
  CHECK(r.entries("layers") == 0);
}

TEST_CASE("removing while others add takes the name, and leaves the rest to a prune") {
  room r;
  (void)r.import("a:1", one_file("a"));
  auto images = r.open();
  {
    const auto adding = ingest::begin(r.layout(), r.options);
    const auto report = images.remove("a:1").value();
    CHECK(report.deferred);
    CHECK(images.relieve({}, [] { return 99u; })->deferred);
  }
  CHECK(r.entries("layers") == 1);
  CHECK(images.resolve("a:1").error().code == errc::not_found);
  CHECK(images.prune(false)->layers == 1);
}

TEST_CASE("room is made from the longest unused image on, until the low mark, sparing pods") {
  room r;
  std::map<std::string, image> made;
  for (const auto* name : {"a:1", "b:1", "c:1", "d:1"})
    made[name] = r.import(name, one_file(name));
  std::int64_t at = 1000;
  for (const auto* name : {"b:1", "a:1", "d:1", "c:1"}) { // the order of their last use
    const timespec times[2] = {{++at, 0}, {at, 0}};
    REQUIRE(::utimensat(AT_FDCWD, r.layout().ref(named(name).to_string()).c_str(), times, 0) == 0);
  }
  r.options.in_use = [&] { return made["b:1"].layers; };
  auto images = r.open();
  const auto used = [&] { return static_cast<unsigned>(60 + 10 * images.list()->size()); };
  CHECK(images.relieve({100, 50}, used)->images.empty());
  const auto report = images.relieve({90, 80}, used).value();
  CHECK(report.images ==
        std::vector<std::string>{"docker.io/library/a:1", "docker.io/library/d:1"});
  CHECK(!fs::exists(made["a:1"].layers[0]));
  CHECK(images.relieve({70, 10}, used)->images.size() == 1);
  CHECK(images.resolve("b:1"));
}

TEST_CASE("asking for an image puts it behind the others in the order of removal") {
  room r;
  (void)r.import("a:1", one_file("a"));
  const auto ref = r.layout().ref(named("a:1").to_string());
  const timespec old[2] = {{1, 0}, {1, 0}};
  REQUIRE(::utimensat(AT_FDCWD, ref.c_str(), old, 0) == 0);
  REQUIRE(r.open().resolve("a:1"));
  struct stat st {};
  REQUIRE(::stat(ref.c_str(), &st) == 0);
  CHECK(st.st_mtim.tv_sec > 1);
  CHECK(eviction_order({{"x", 5, {}}, {"y", 3, {"/l"}}, {"z", 4, {}}}, {}) ==
        std::vector<std::string>{"y", "z", "x"});
  CHECK(eviction_order({{"x", 5, {}}, {"y", 3, {"/l"}}}, {"/l"}) == std::vector<std::string>{"x"});
}

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

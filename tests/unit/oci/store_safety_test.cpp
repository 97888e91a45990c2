/// What keeps the store right: records, damage and its repair, several at once, removal, room.
#include "oci/store_gc.hpp"
#include "oci/survey.hpp"
#include "store_room.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <sys/file.h>
#include <sys/xattr.h>
#include <thread>
#include <unistd.h>

namespace store_safety_test {

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;

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
    REQUIRE(add_all(session, all));
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
    layers.push_back({{}, digest_of(tars.back()), [&, tar = tars.back()](cancellation&) {
                        ++opened;
                        all_three.wait_for(3); // ends only when all are open at once
                        return result<std::unique_ptr<byte_source>>{
                            std::make_unique<text_source>(tar, 100)};
                      }});
  }
  layers.push_back(want(tars[0])); // twice in one image
  auto session = ingest::begin(r.layout(), r.options).value();
  const auto done = add_all(session, layers);
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
  std::vector<ingest::wanted> layers{{{}, digest_of(tar), [&](cancellation&) {
                                        ++opened;
                                        return result<std::unique_ptr<byte_source>>{
                                            std::make_unique<text_source>(tar, 10)};
                                      }}};
  std::vector<std::jthread> threads;
  std::atomic<int> failures{0};
  for (int i = 0; i < 6; ++i)
    threads.emplace_back([&] {
      auto session = ingest::begin(r.layout(), r.options);
      if (!session || !add_all(*session, layers)) ++failures;
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
  std::vector<ingest::wanted> layers{{{}, digest_of("never"), [](cancellation&) {
                                        return result<std::unique_ptr<byte_source>>{
                                            std::make_unique<endless>()};
                                      }}};
  cancellation cancel;
  SUBCASE("a failure") {
    layers.push_back({{}, digest_of("other"), [](cancellation&) {
                        return result<std::unique_ptr<byte_source>>{
                            fail(errc::unavailable, "open", "layer", "gone")};
                      }});
    auto session = ingest::begin(r.layout(), r.options).value();
    CHECK(add_all(session, layers).error().code == errc::unavailable);
  }
  SUBCASE("cancelling") {
    layers.push_back({{}, digest_of("other"), [&](cancellation&) {
                        cancel.cancel();
                        return result<std::unique_ptr<byte_source>>{std::make_unique<endless>()};
                      }});
    auto session = ingest::begin(r.layout(), r.options).value();
    CHECK(session.add_layers(layers, cancel, {}).error().code == errc::cancelled);
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

namespace {

/// An image as a pull leaves it.
image pulled(const room& r, const std::string& name) {
  auto made = r.import(name, one_file(name));
  auto record = read_record(r.layout(), made.name).value();
  record.pulled = true;
  put(r.layout().ref(made.name), to_json(record));
  return made;
}

} // namespace

TEST_CASE(
    "what a manifest names stays, also while no pod of it runs; what was imported, for ever") {
  room r;
  std::vector<std::string> manifests{"named:1"};
  bool readable = true;
  r.options.named_by_manifests = [&]() -> result<std::vector<std::string>> {
    if (!readable) return fail(errc::invalid, "read", "web.yaml", "broken");
    return manifests;
  };
  for (const auto* name : {"named:1", "pinned:1", "gone:1"})
    (void)pulled(r, name);
  (void)r.import("localhost/only:1", one_file("only"));
  const auto pin = r.open().resolve("pinned:1")->manifest_digest;
  manifests.push_back("pinned:2@" + pin);
  const auto full = [] { return 99u; };
  readable = false;
  CHECK_FALSE(r.open().relieve({90, 80}, full));
  unsigned used = 110;
  const auto freed = [&] { return used -= 15; }; // 95, then 80
  CHECK(r.open().relieve({90, 80}, freed));      // room was made without asking the manifests
  CHECK(r.open().prune(true).error().message().find("web.yaml") != std::string::npos);
  CHECK(r.open().prune(false));
  CHECK(r.open().list()->size() == 4);
  readable = true;
  CHECK(r.open().relieve({90, 80}, full)->images ==
        std::vector<std::string>{"docker.io/library/gone:1"});
  CHECK(r.open().relieve({90, 80}, full)->images.empty());
  CHECK(r.open().prune(true)->images == std::vector<std::string>{"localhost/only:1"});
  manifests.clear();
  CHECK(r.open().relieve({90, 80}, full)->images.size() == 2);
}

TEST_CASE("room is made from the longest unused image on, until the low mark, sparing pods") {
  room r;
  std::map<std::string, image> made;
  for (const auto* name : {"a:1", "b:1", "c:1", "d:1"})
    made[name] = pulled(r, name);
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
  CHECK(eviction_order({{"x", 5, {}}, {"y", 3, {"/l"}}}, {.in_use = {"/l"}}) ==
        std::vector<std::string>{"x"});
  CHECK(eviction_order({{"x", 5, {}}, {"y", 3, {}}}, {.asked_since_ns = 5}) ==
        std::vector<std::string>{"y"});
  CHECK(eviction_order({{"x", 5, {}}, {"y", 3, {}, true}}, {.only_copies = true}) ==
        std::vector<std::string>{"y"});
  CHECK(eviction_order({{"x", 5, {}}, {"y", 3, {}, true}}, {.named = {"y"}}) ==
        std::vector<std::string>{"x"});
}

TEST_CASE("a name is given only to layers that its blobs have made, and verify finds others") {
  room r;
  const auto mine = one_file("mine");
  const auto secret = one_file("secret");
  (void)r.import("private:1", secret);
  (void)r.import("mine:1", mine);
  auto record = read_record(r.layout(), named("mine:1").to_string()).value();
  record.layers[0].diff_id = digest_of(secret);
  {
    auto session = ingest::begin(r.layout(), r.options).value();
    const auto done = session.commit(record);
    REQUIRE_FALSE(done);
    CHECK(done.error().code == errc::corrupt);
  }
  CHECK(r.open().verify(true).value().empty());
  // As an earlier version may have left it.
  put(r.layout().ref(record.name), to_json(record));
  CHECK(slurp(r.open().resolve("mine:1").value().layers[0] / "etc/conf") == "secret");
  const auto found = r.open().verify(false).value();
  REQUIRE(found.size() == 1);
  CHECK(found[0].image == record.name);
  CHECK(found[0].cause == "it unpacks to " + digest_of(mine).to_string());
  CHECK(r.open().resolve("mine:1").error().code == errc::not_found);
  CHECK(r.open().resolve("private:1"));
}

TEST_CASE("a layer that is repaired from one blob is still known to be of its other ones") {
  room r;
  const auto tar = one_file("x");
  const auto plain = r.import("plain:1", tar);
  (void)r.import("packed:1", compressed(tar));
  put(plain.layers[0] / "etc/conf", "changed");
  CHECK(r.open().verify(false).value().size() == 2);
  (void)r.import("packed:2", compressed(tar));
  CHECK(r.open().verify(true).value().empty());
}

TEST_CASE("of a layer that comes twice, the topmost is what a container gets") {
  room r;
  const auto a = tar_builder{}.dir("d").file("d/f", "a").file("only-a", "1").bytes();
  const auto b = tar_builder{}.dir("d").file("d/f", "b").file("d/.wh.g").bytes();
  const auto loaded = r.open().load(r.archive("a.tar", "a:1", {a, b, a}), nullptr);
  REQUIRE_MESSAGE(loaded, loaded.error().message());
  const auto& layers = loaded->at(0).layers;
  REQUIRE(layers.size() == 2);
  CHECK(slurp(layers[0] / "d/f") == "b");
  CHECK(slurp(layers[1] / "d/f") == "a");
  CHECK(r.open().inspect("a:1").value().layers.size() == 3);
}

} // namespace store_safety_test

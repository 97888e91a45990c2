#include "oci/store.hpp"

#include "oci/ingest.hpp"
#include "support.hpp"
#include "tar_builder.hpp"

#include <doctest/doctest.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

namespace store_test {

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;
namespace fs = std::filesystem;

namespace {

constexpr auto created = "2024-01-02T03:04:05Z";
const store_options fast{.limits = {}, .rootless = true, .durable = false};

reference named(std::string_view text) {
  return parse_reference(text).value();
}

struct fixture {
  scratch s;
  store images = open();
  [[nodiscard]] fs::path root() const { return s.dir / "images"; }
  [[nodiscard]] store open() const {
    auto opened = store::open(root(), fast);
    REQUIRE_MESSAGE(opened, opened.error().message());
    return *std::move(opened);
  }
  [[nodiscard]] fs::path tar(const std::string& name, const std::string& bytes) const {
    put(s.dir / name, bytes);
    return s.dir / name;
  }
  image import(const std::string& name, const std::string& bytes,
               const std::vector<std::string>& changes = {}) {
    auto done = images.import_rootfs(tar("in.tar", bytes), named(name), changes, created);
    REQUIRE_MESSAGE(done, done.error().message());
    return *std::move(done);
  }
  [[nodiscard]] std::size_t count(const char* below) const {
    std::size_t n = 0;
    for (const auto& e : fs::recursive_directory_iterator{root() / below})
      n += e.is_regular_file() ? 1 : 0;
    return n;
  }
  [[nodiscard]] std::size_t entries(const char* below) const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator{root() / below}, {}));
  }
};

std::string one_file(const std::string& content) {
  return tar_builder{}.dir("etc").file("etc/conf", content).bytes();
}

/// The smallest exporter: the store's blobs with an index over one manifest.
fs::path layout_of(const fixture& f, const image& i, const std::string& ref_name,
                   const std::string& where = "layout") {
  const auto dir = f.s.dir / where;
  fs::create_directories(dir);
  fs::copy(f.root() / "blobs", dir / "blobs", fs::copy_options::recursive);
  put(dir / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  const auto manifest = slurp(dir / "blobs/sha256" / i.manifest_digest.substr(7));
  put(dir / "index.json",
      R"({"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" +
          i.manifest_digest + R"(","size":)" + std::to_string(manifest.size()) +
          R"(,"annotations":{"org.opencontainers.image.ref.name":")" + ref_name + R"("}}]})");
  return dir;
}

std::string tar_of(const fs::path& dir) {
  tar_builder tar;
  for (const auto& e : fs::recursive_directory_iterator{dir})
    if (e.is_regular_file()) tar.file(e.path().lexically_relative(dir).string(), slurp(e.path()));
  return tar.bytes();
}

std::string config_of(const std::vector<std::string>& tars, const std::string& config = "{}") {
  std::string ids;
  for (const auto& t : tars)
    ids += (ids.empty() ? "\"" : ",\"") + digest_of(t).to_string() + "\"";
  return R"({"os":"linux","architecture":"amd64","config":)" + config +
         R"(,"rootfs":{"type":"layers","diff_ids":[)" + ids + "]}}";
}

} // namespace

TEST_CASE("an image that uses the names of a removal's own moves can be removed") {
  fixture f;
  tar_builder tar;
  std::string deep;
  for (int i = 0; i < 40; ++i)
    deep += "/d";
  for (int i = 0; i < 8; ++i) {
    const auto n = std::to_string(i);
    tar.file("a" + n + deep + "/x", "x");
    tar.file(".deep-" + n + "/x", "x").file(".tank-removing-" + n + "/x", "x");
  }
  f.import("hostile:1", tar.bytes());
  const auto removed = f.images.remove("hostile:1");
  CHECK_MESSAGE(removed, removed.error().message());
  CHECK(f.entries("tmp") == 0);
  const auto again = store::open(f.root(), fast);
  CHECK_MESSAGE(again, again.error().message());
}

TEST_CASE("an imported archive becomes an image that is found by its name") {
  fixture f;
  const auto made = f.import("demo:1", one_file("hello"), {R"(CMD ["sh"])", "ENV A=1"});
  CHECK(made.name == "docker.io/library/demo:1");
  const auto found = f.images.resolve("demo:1");
  REQUIRE_MESSAGE(found, found.error().message());
  CHECK(*found == made);
  CHECK(found->config.cmd == std::vector<std::string>{"sh"});
  REQUIRE(found->layers.size() == 1);
  CHECK(slurp(found->layers[0] / "etc/conf") == "hello");
  CHECK(found->layers[0].filename() == digest_of(one_file("hello")).file_name());
  const auto rows = f.images.list();
  REQUIRE(rows);
  REQUIRE(rows->size() == 1);
  CHECK(rows->front().created == created);
  CHECK(rows->front().size == one_file("hello").size());
  CHECK(f.count("blobs") == 3); // layer, config, manifest
  CHECK(f.entries("tmp") == 0);
}

TEST_CASE("every blob of the store is what its name says") {
  fixture f;
  f.import("demo", compressed(one_file("x")));
  for (const auto& e : fs::directory_iterator{f.root() / "blobs/sha256"})
    CHECK(digest_of(slurp(e.path())).hex == e.path().filename());
}

TEST_CASE("the same import gives the same digest, with a given time") {
  fixture a;
  fixture b;
  CHECK(a.import("demo", one_file("x")).manifest_digest ==
        b.import("other", one_file("x")).manifest_digest);
  CHECK(a.import("demo", one_file("x"), {"USER 7"}).manifest_digest !=
        b.import("demo", one_file("x")).manifest_digest);
}

TEST_CASE("compressed and plain archives unpack into one shared layer") {
  fixture f;
  const auto plain = f.import("a", one_file("x"));
  const struct stat before = [&] {
    struct stat st {};
    ::stat(plain.layers[0].c_str(), &st);
    return st;
  }();
  const auto gzip = f.import("b", compressed(one_file("x")));
  const auto zstd = f.import("c", compressed(one_file("x"), ARCHIVE_FILTER_ZSTD));
  CHECK(plain.layers == gzip.layers);
  CHECK(plain.layers == zstd.layers);
  CHECK(f.entries("layers") == 1);
  struct stat after {};
  ::stat(plain.layers[0].c_str(), &after);
  CHECK(before.st_ino == after.st_ino); // made once, never replaced
}

TEST_CASE("an unknown image, and a bad name, say so") {
  fixture f;
  const auto none = f.images.resolve("nothing");
  REQUIRE(!none);
  CHECK(none.error().code == errc::not_found);
  CHECK(none.error().message().starts_with(
      "cannot find image 'docker.io/library/nothing:latest': it is not in the store"));
  CHECK(f.images.resolve("No Name").error().code == errc::invalid);
}

TEST_CASE("a directory can be an image") {
  fixture f;
  const auto found = f.images.resolve("rootfs:" + f.s.dir.string());
  REQUIRE(found);
  CHECK(found->layers == std::vector<fs::path>{f.s.dir});
  CHECK(found->config == image_config{});
  CHECK(f.images.resolve("rootfs:relative").error().code == errc::invalid);
  CHECK(f.images.resolve("rootfs:/a/../b").error().code == errc::invalid);
  CHECK(f.images.resolve("rootfs:/none-such").error().code == errc::not_found);
  CHECK(f.images.resolve("rootfs:" + f.tar("file", "x").string()).error().code == errc::invalid);
}

TEST_CASE("an OCI layout is loaded from a directory, a tar and a compressed tar") {
  fixture from;
  const auto original = from.import("q.io/demo:1", one_file("x"), {"USER 5"});
  const auto dir = layout_of(from, original, "q.io/demo:1");
  const fs::path sources[] = {dir, from.tar("a.tar", tar_of(dir)),
                              from.tar("a.tar.gz", compressed(tar_of(dir)))};
  for (const auto& source : sources) {
    fixture to;
    const auto loaded = to.images.load(source, nullptr);
    REQUIRE_MESSAGE(loaded, loaded.error().message());
    REQUIRE(loaded->size() == 1);
    CHECK(loaded->front().name == "q.io/demo:1");
    CHECK(loaded->front().manifest_digest == original.manifest_digest);
    CHECK(loaded->front().config == original.config);
    CHECK(slurp(loaded->front().layers[0] / "etc/conf") == "x");
    CHECK(to.images.resolve("q.io/demo@" + original.manifest_digest).has_value());
    CHECK(!to.images.resolve("q.io/other@" + original.manifest_digest));
    CHECK(to.entries("tmp") == 0);
  }
}

TEST_CASE("an archive without a usable name needs one") {
  fixture from;
  const auto dir = layout_of(from, from.import("a", one_file("x")), "latest");
  fixture to;
  CHECK(to.images.load(dir, nullptr).error().code == errc::invalid);
  const auto name = named("mine:2");
  REQUIRE(to.images.load(dir, &name));
  CHECK(to.images.resolve("mine:2"));
}

TEST_CASE("a corrupted blob, a wrong size and a wrong diff_id are refused and leave nothing") {
  fixture from;
  const auto original = from.import("demo:1", one_file("x"));
  const auto dir = layout_of(from, original, "demo:1");
  const auto layer = dir / "blobs/sha256" / digest_of(one_file("x")).hex;
  const auto expect_refused = [&](const std::string& why) {
    fixture to;
    const auto loaded = to.images.load(dir, nullptr);
    REQUIRE(!loaded);
    CHECK_MESSAGE(loaded.error().message().find(why) != std::string::npos,
                  loaded.error().message());
    CHECK(to.count("blobs") == 0);
    CHECK(to.entries("layers") == 0);
    CHECK(to.entries("refs") == 0);
    CHECK(to.entries("tmp") == 0);
  };
  put(layer, one_file("y"));
  expect_refused("cannot verify");
  put(layer, one_file("x") + std::string(512, '\0'));
  expect_refused("larger than");
  put(layer, one_file("x").substr(0, 2048));
  expect_refused("cannot");
  put(layer, one_file("x"));
  CHECK(fixture{}.images.load(dir, nullptr));
  const auto manifest = dir / "blobs/sha256" / original.manifest_digest.substr(7);
  put(manifest, slurp(manifest) + " ");
  expect_refused("content or size is another");
}

TEST_CASE("a docker-save archive is loaded with all its images and shared layers") {
  fixture f;
  const auto base = one_file("base");
  const auto top = tar_builder{}.dir("etc").file("etc/.wh.conf", "").file("etc/new", "n").bytes();
  const auto both = config_of({base, top}, R"({"Cmd":["run"]})");
  const auto only = config_of({base});
  tar_builder tar;
  tar.file("b1/layer.tar", base)
      .file("t/layer.tar", top)
      .symlink("b2/layer.tar", "../b1/layer.tar")
      .file("both.json", both)
      .file("only.json", only)
      .file(
          "manifest.json",
          R"([{"Config":"both.json","RepoTags":["two:1","two:2"],"Layers":["b1/layer.tar","t/layer.tar"]},)"
          R"({"Config":"only.json","RepoTags":["one:1"],"Layers":["b2/layer.tar"]}])");
  const auto loaded = f.images.load(f.tar("save.tar", tar.bytes()), nullptr);
  REQUIRE_MESSAGE(loaded, loaded.error().message());
  CHECK(loaded->size() == 3);
  CHECK(f.entries("layers") == 2);
  const auto two = f.images.resolve("two:2").value();
  CHECK(two.layers.size() == 2);
  CHECK(two.layers[0] == f.images.resolve("one:1").value().layers[0]);
  CHECK(two.config.cmd == std::vector<std::string>{"run"});
  struct stat st {};
  REQUIRE(::lstat((two.layers[1] / "etc/conf").c_str(), &st) == 0);
  CHECK(S_ISCHR(st.st_mode));
  const auto name = named("x");
  CHECK(f.images.load(f.s.dir / "save.tar", &name).error().code == errc::invalid);
}

TEST_CASE("a record that cannot be read stops nobody else, and can be removed by its name") {
  fixture f;
  f.import("good:1", one_file("good"));
  f.import("bad:1", one_file("bad"));
  for (const auto& e : fs::directory_iterator{f.root() / "refs"})
    if (slurp(e.path()).find("/bad:1") != std::string::npos) put(e.path(), R"({"version":2})");
  CHECK(f.images.resolve("good:1"));
  CHECK(f.images.resolve("bad:1").error().message().find("another version") != std::string::npos);
  f.import("new:1", one_file("new"));
  CHECK(!f.images.remove("new:1")); // whose layers are still needed nobody can tell
  const auto removed = f.images.remove("bad:1");
  CHECK_MESSAGE(removed, removed.error().message());
  CHECK(f.images.list()->size() == 1);
  CHECK(f.entries("layers") == 1);
}

TEST_CASE("an archive with very many names or a very large config is refused") {
  fixture f;
  const auto archive = [&](unsigned names, std::size_t label) {
    std::string tags;
    for (unsigned i = 0; i < names; ++i)
      tags += (i == 0 ? "\"a:" : ",\"a:") + std::to_string(i) + "\"";
    const auto config =
        config_of({one_file("x")}, R"({"Labels":{"l":")" + std::string(label, 'v') + R"("}})");
    tar_builder tar;
    tar.file("l.tar", one_file("x")).file("c.json", config);
    tar.file("manifest.json",
             R"([{"Config":"c.json","RepoTags":[)" + tags + R"(],"Layers":["l.tar"]}])");
    return f.images.load(f.tar("many.tar", tar.bytes()), nullptr);
  };
  CHECK(archive(257, 1).error().code == errc::limit);
  CHECK(archive(1, 2 << 20).error().code == errc::limit);
  CHECK(f.entries("refs") == 0);
  CHECK(archive(256, 1)->size() == 256);
}

TEST_CASE("paths of a docker-save archive stay inside of it") {
  fixture f;
  put(f.s.dir / "secret.json", config_of({one_file("x")}));
  for (const auto* path : {"../../../secret.json", "link.json", "/etc/passwd", "fifo", "."}) {
    tar_builder tar;
    tar.symlink("link.json", (f.s.dir / "secret.json").string())
        .add({.name = "fifo", .type = '6'})
        .file("l.tar", one_file("x"))
        .file("manifest.json", std::string{R"([{"Config":")"} + path +
                                   R"(","RepoTags":["a:1"],"Layers":["l.tar"]}])");
    CHECK_MESSAGE(!f.images.load(f.tar("evil.tar", tar.bytes()), nullptr), path);
  }
  CHECK(f.entries("refs") == 0);
}

TEST_CASE("an opaque root hides the layers below") {
  fixture f;
  const auto base = one_file("base");
  const auto top = tar_builder{}.file(".wh..wh..opq", "").file("new", "n").bytes();
  tar_builder tar;
  tar.file("1", base).file("2", top).file("c", config_of({base, top}));
  tar.file("manifest.json", R"([{"Config":"c","RepoTags":["a:1"],"Layers":["1","2"]}])");
  REQUIRE(f.images.load(f.tar("s.tar", tar.bytes()), nullptr));
  CHECK(f.images.resolve("a:1").value().layers.size() == 1);
}

TEST_CASE("a failed import leaves the store as it was") {
  fixture f;
  f.import("demo", one_file("x"));
  const auto before = snapshot(f.root() / "refs");
  const auto bad = tar_builder{}.file("ok").file("../evil").bytes();
  const auto failed = f.images.import_rootfs(f.tar("bad.tar", bad), named("demo"), {}, created);
  REQUIRE(!failed);
  CHECK(failed.error().message().find("../evil") != std::string::npos);
  CHECK(snapshot(f.root() / "refs") == before);
  CHECK(f.entries("layers") == 1);
  CHECK(f.entries("tmp") == 0);
  CHECK(!f.images.import_rootfs(f.s.dir, named("a"), {}, created));
  CHECK(!f.images.import_rootfs(f.s.dir / "in.tar", named("a"), {"RUN x"}, created));
}

TEST_CASE("removing a name removes what only it needed, except what is in use") {
  fixture f;
  const auto a = f.import("a", one_file("a"));
  const auto b = f.import("b", one_file("b"));
  f.import("b2", one_file("b"));
  REQUIRE(f.images.remove("a"));
  CHECK(!fs::exists(a.layers[0]));
  CHECK(f.images.resolve("a").error().code == errc::not_found);
  CHECK(f.count("blobs") == 3);
  REQUIRE(f.images.remove("b"));
  CHECK(fs::exists(b.layers[0])); // b2 has it
  auto careful = fast;
  careful.in_use = [&] { return b.layers; };
  REQUIRE(store::open(f.root(), careful)->remove("b2"));
  CHECK(fs::exists(b.layers[0])); // a pod has it
  CHECK(f.count("blobs") == 0);
  f.import("c", one_file("c"));
  REQUIRE(f.images.remove("c"));
  CHECK(f.entries("layers") == 0);
  CHECK(f.images.remove("c").error().code == errc::not_found);
}

TEST_CASE("a name moves to the new image; a record that lost its layer is told") {
  fixture f;
  f.import("a", one_file("1"));
  const auto second = f.import("a", one_file("2"));
  CHECK(f.images.resolve("a").value() == second);
  CHECK(f.images.list().value().size() == 1);
  fs::remove_all(second.layers[0]);
  const auto gone = f.images.resolve("a");
  REQUIRE(!gone);
  CHECK(gone.error().code == errc::corrupt);
  CHECK(gone.error().hint == "import, load or pull it again");
}

TEST_CASE("what a crash left is swept, but not what others work on") {
  fixture f;
  const store_layout layout{f.root()};
  put(f.root() / "tmp/crashed/d0/file", "x");
  put(f.root() / "refs/.half.json.tmp1", "{");
  {
    auto working = ingest::begin(layout, fast);
    REQUIRE(working);
    (void)f.open();
    CHECK(fs::exists(f.root() / "tmp/crashed"));
    CHECK(f.entries("tmp") == 2);
  }
  (void)f.open();
  CHECK(f.entries("tmp") == 0);
  CHECK(f.entries("refs") == 0);
}

TEST_CASE("a removal waits for those who add") {
  fixture f;
  f.import("a", one_file("a"));
  const store_layout layout{f.root()};
  auto working = ingest::begin(layout, fast);
  REQUIRE(working);
  CHECK(!*lock_store(layout, LOCK_EX, false));
  CHECK(*lock_store(layout, LOCK_SH, false));
}

TEST_CASE("many at once import the same and different images, with readers beside") {
  fixture f;
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  f.import("same", one_file("shared"));
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      auto mine = store::open(f.root(), fast);
      for (int i = 0; i < 5; ++i) {
        const auto name = named("own" + std::to_string(t));
        const auto path = f.s.dir / ("t" + std::to_string(t));
        if (!write_file_atomic(path, one_file("shared"))) ++failures;
        if (!mine || !mine->import_rootfs(path, named("same"), {}, created)) ++failures;
        if (!mine->resolve("same")) ++failures;
        if (!write_file_atomic(path, one_file(std::to_string(t * 100 + i)))) ++failures;
        if (!mine->import_rootfs(path, name, {}, created)) ++failures;
        if (!mine->remove(name.to_string())) ++failures;
        if (!mine->list()) ++failures;
      }
    });
  for (auto& t : threads)
    t.join();
  CHECK(failures == 0);
  CHECK(f.entries("layers") == 1);
  CHECK(f.entries("tmp") == 0);
  CHECK(f.images.list().value().size() == 1);
}

TEST_CASE("the store's directories are for their owner only") {
  const scratch s;
  fs::create_directory(s.dir / "images");
  ::chmod((s.dir / "images").c_str(), 0755);
  REQUIRE(store::open(s.dir / "images", fast));
  for (const auto* name : {"", "blobs", "blobs/sha256", "layers", "refs", "tmp"}) {
    struct stat st {};
    REQUIRE(::stat((s.dir / "images" / name).c_str(), &st) == 0);
    CHECK((st.st_mode & 0777) == 0700);
  }
  CHECK(store::open("relative", fast).error().code == errc::invalid);
}

TEST_CASE("a bomb is refused with bounded disk") {
  fixture f;
  auto small = fast;
  small.limits.max_bytes = 1 << 20;
  small.limits.max_entries = 1000;
  auto images = store::open(f.root(), small).value();
  const auto bomb = compressed(tar_builder{}.file("zeros", std::string(32u << 20, '\0')).bytes());
  CHECK(images.import_rootfs(f.tar("b1", bomb), named("b"), {}, created).error().code ==
        errc::limit);
  const auto tail = compressed(one_file("x") + std::string(32u << 20, '\0'));
  CHECK(images.import_rootfs(f.tar("b2", tail), named("b"), {}, created).error().code ==
        errc::limit);
  CHECK(f.count("blobs") == 0);
  CHECK(f.entries("tmp") == 0);
}

} // namespace store_test

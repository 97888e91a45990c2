#include "oci/unpack.hpp"

#include "oci/tree.hpp"
#include "support.hpp"
#include "tar_builder.hpp"

#include <doctest/doctest.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace unpack_test {

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;

namespace {

/// A directory to unpack into, with something beside it that must stay as it is.
struct target {
  scratch s;
  std::filesystem::path root = s.dir / "root";
  std::map<std::string, std::string> outside_before;
  result<unpack_report> report = unpack_report{};

  explicit target(const std::string& tar, unpack_options options = {}, std::size_t step = 1 << 16) {
    options.rootless = true;
    put(s.dir / "outside" / "file", "keep");
    std::filesystem::create_directories(s.dir / "outside" / "dir");
    outside_before = snapshot(s.dir / "outside");
    std::filesystem::create_directory(root);
    const unique_fd fd{::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    text_source source{tar, step};
    report = unpack_tar(source, fd.get(), options);
  }
  [[nodiscard]] struct stat stat(const std::string& name) const {
    struct stat st {};
    if (::lstat((root / name).c_str(), &st) != 0) st = {};
    return st;
  }
  [[nodiscard]] bool has(const std::string& name) const { return stat(name).st_mode != 0; }
  [[nodiscard]] bool whiteout(const std::string& name) const {
    const auto st = stat(name);
    return S_ISCHR(st.st_mode) && st.st_rdev == 0;
  }
  [[nodiscard]] bool opaque(const std::string& name) const {
    char value[8] = {};
    return ::lgetxattr((root / name).c_str(), "user.overlay.opaque", value, sizeof value) == 1 &&
           value[0] == 'y';
  }
  [[nodiscard]] std::string why() const { return report ? "" : report.error().message(); }
  [[nodiscard]] bool outside_untouched() const {
    return snapshot(s.dir / "outside") == outside_before &&
           std::distance(std::filesystem::directory_iterator{s.dir}, {}) == 2;
  }
};

} // namespace

TEST_CASE("a layer's files arrive with content, mode and time") {
  tar_builder tar;
  tar.dir("bin/", 0755)
      .add({.name = "bin/su", .content = "suid", .mode = 04755, .mtime = 1234567890})
      .symlink("bin/sh", "busybox")
      .hardlink("bin/su2", "bin/su")
      .add({.name = "pipe", .type = '6', .mode = 0620})
      .add({.name = "d", .type = '5', .mode = 0555, .mtime = 777})
      .file("d/empty", "", 0400)
      .file("./implied/deep/file", "z");
  const target t{tar.bytes()};
  REQUIRE_MESSAGE(t.report, t.why());
  CHECK(slurp(t.root / "bin/su") == "suid");
  CHECK((t.stat("bin/su").st_mode & 07777) == 04755);
  CHECK(t.stat("bin/su").st_mtime == 1234567890);
  CHECK(t.stat("bin/su").st_ino == t.stat("bin/su2").st_ino);
  CHECK(std::filesystem::read_symlink(t.root / "bin/sh") == "busybox");
  CHECK(t.stat("bin/sh").st_mtime == 1'000'000'000);
  CHECK(S_ISFIFO(t.stat("pipe").st_mode));
  CHECK((t.stat("pipe").st_mode & 07777) == 0620);
  CHECK((t.stat("d").st_mode & 07777) == 0555);
  CHECK(t.stat("d").st_mtime == 777); // although a file was made in it afterwards
  CHECK(slurp(t.root / "implied/deep/file") == "z");
  CHECK((t.stat("implied").st_mode & 07777) == 0755);
  CHECK(t.report->entries == 8);
  CHECK(t.report->bytes == 5);
}

TEST_CASE("names beyond the old header, beyond ASCII and beyond UTF-8 arrive byte for byte") {
  const std::string longest = std::string(200, 'n') + "/" + std::string(200, 'm');
  tar_builder tar;
  tar.file(longest, "long")
      .add({.name = "x", .content = "uni", .pax = {{"path", "gr\xc3\xbc\xc3\x9f/\xe2\x82\xac"}}})
      .file("raw\xff\xfe", "raw")
      .add({.name = "y",
            .type = '2',
            .link = "cut",
            .pax = {{"linkpath", "\xc3\xa4/" + std::string(150, 'l')}}});
  const target t{tar.bytes()};
  REQUIRE_MESSAGE(t.report, t.why());
  CHECK(slurp(t.root / longest) == "long");
  CHECK(slurp(t.root / "gr\xc3\xbc\xc3\x9f/\xe2\x82\xac") == "uni");
  CHECK(slurp(t.root / "raw\xff\xfe") == "raw");
  CHECK(std::filesystem::read_symlink(t.root / "y").string() ==
        "\xc3\xa4/" + std::string(150, 'l'));
}

TEST_CASE("whiteouts become what overlay reads as such") {
  tar_builder tar;
  tar.file(".wh.gone", "").file("a/b/.wh.c", "").dir("o").file("o/.wh..wh..opq", "");
  tar.file("late/x").file("late/.wh..wh..opq", "");
  tar.file("kept", "new").file(".wh.kept", "");
  tar.file("sub/f", "in sub").file(".wh.sub", "");
  tar.file(".wh.again", "").file("again/f", "through");
  tar.file(".wh.dir2", "").dir("dir2").file(".wh.file2", "").file("file2", "new");
  tar.file(".wh..wh.plnk", "").file(".wh..wh.aufs/x", "");
  const target t{tar.bytes()};
  REQUIRE_MESSAGE(t.report, t.why());
  CHECK(t.whiteout("gone"));
  CHECK(t.whiteout("a/b/c"));
  CHECK(t.opaque("o"));
  CHECK(t.opaque("late"));
  CHECK(slurp(t.root / "late/x") == "x");
  CHECK(slurp(t.root / "kept") == "new"); // a whiteout is about lower layers only
  CHECK(slurp(t.root / "sub/f") == "in sub");
  CHECK(t.opaque("sub"));
  CHECK(slurp(t.root / "again/f") == "through");
  CHECK(t.opaque("again"));
  CHECK(t.opaque("dir2"));
  CHECK(slurp(t.root / "file2") == "new");
  for (const auto& e : std::filesystem::recursive_directory_iterator{t.root})
    CHECK(!e.path().filename().string().starts_with(".wh."));
}

TEST_CASE("dangerous whiteout names are refused") {
  for (const auto* name : {".wh.", "a/.wh.", ".wh..", ".wh...", "a/.wh...", ".wh.a/b"}) {
    tar_builder tar;
    tar.dir("a").file("a/f").file(name, "");
    const target t{tar.bytes()};
    CHECK_MESSAGE(!t.report, name);
    CHECK(t.outside_untouched());
    CHECK(t.why().find(name) != std::string::npos);
  }
}

TEST_CASE("a whiteout through a link stays inside") {
  tar_builder tar;
  tar.symlink("out", "../outside").file("out/.wh.file", "");
  const target t{tar.bytes()};
  CHECK(!t.report);
  CHECK(t.outside_untouched());
  tar_builder opaque;
  opaque.dir("outside").symlink("l", "../outside").file("l/.wh..wh..opq", "");
  const target o{opaque.bytes()};
  REQUIRE_MESSAGE(o.report, o.why());
  CHECK(o.opaque("outside"));
  CHECK(o.outside_untouched());
}

TEST_CASE("the later entry of one name wins, whatever the two are") {
  const std::string kinds = "fdlpw";
  const auto put_kind = [](tar_builder& tar, char kind, const std::string& content) {
    switch (kind) {
    case 'f':
      tar.file("n", content);
      break;
    case 'd':
      tar.dir("n").file("n/in-" + content, content);
      break;
    case 'l':
      tar.symlink("n", "target-" + content);
      break;
    case 'p':
      tar.add({.name = "n", .type = '6'});
      break;
    default:
      tar.hardlink("n", "other");
    }
  };
  for (const char first : kinds)
    for (const char second : kinds) {
      tar_builder tar;
      tar.file("other", "linked");
      put_kind(tar, first, "1");
      put_kind(tar, second, "2");
      tar.file("last", "still works");
      const target t{tar.bytes()};
      INFO(first << " then " << second << ": " << t.why());
      REQUIRE(t.report);
      CHECK(slurp(t.root / "last") == "still works");
      const auto mode = t.stat("n").st_mode;
      if (second == 'f') CHECK(slurp(t.root / "n") == "2");
      if (second == 'd') CHECK(slurp(t.root / "n/in-2") == "2");
      if (second == 'd') CHECK(t.has("n/in-1") == (first == 'd'));
      if (second == 'l') CHECK(S_ISLNK(mode));
      if (second == 'p') CHECK(S_ISFIFO(mode));
      if (second == 'w') CHECK(t.stat("n").st_ino == t.stat("other").st_ino);
      CHECK(slurp(t.root / "other") == "linked");
    }
}

TEST_CASE("a hard link to itself keeps the file") {
  tar_builder tar;
  tar.file("a", "data").hardlink("a", "a").symlink("d", ".").hardlink("d/a", "a");
  const target t{tar.bytes()};
  REQUIRE_MESSAGE(t.report, t.why());
  CHECK(slurp(t.root / "a") == "data");
}

TEST_CASE("device nodes, and links to them, are left out") {
  tar_builder tar;
  tar.add({.name = "dev/null", .type = '3', .device_major = 1, .device_minor = 3})
      .add({.name = "dev/sda", .type = '4', .device_major = 8})
      .hardlink("dev/null2", "dev/null")
      .add({.name = "fake-whiteout", .type = '3'})
      .file("after");
  const target t{tar.bytes()};
  REQUIRE_MESSAGE(t.report, t.why());
  CHECK(t.report->skipped_devices == 4);
  CHECK(!t.has("dev/null"));
  CHECK(!t.has("dev/null2"));
  CHECK(!t.has("fake-whiteout"));
  CHECK(t.has("after"));
}

TEST_CASE("of extended attributes only the harmless are taken") {
  tar_builder tar;
  tar.add({.name = "f",
           .content = "x",
           .pax = {{"SCHILY.xattr.user.note", "hello"},
                   {"SCHILY.xattr.user.overlay.redirect", "/etc"},
                   {"SCHILY.xattr.trusted.overlay.opaque", "y"},
                   {"SCHILY.xattr.system.posix_acl_access", "junk"}}});
  tar.add({.name = "d", .type = '5', .pax = {{"SCHILY.xattr.user.overlay.opaque", "y"}}});
  const target t{tar.bytes()};
  REQUIRE_MESSAGE(t.report, t.why());
  char names[256] = {};
  const auto size = ::listxattr((t.root / "f").c_str(), names, sizeof names);
  CHECK(std::string(names, static_cast<std::size_t>(size)) == std::string("user.note\0", 10));
  CHECK(!t.opaque("d"));
}

TEST_CASE("limits end an archive with the entry's name") {
  unpack_options few;
  few.limits.max_entries = 2;
  tar_builder three;
  three.file("a").file("b").file("c");
  CHECK(target{three.bytes(), few}.report.error().code == errc::limit);
  CHECK(target{three.bytes(), few}.why().find("'c'") != std::string::npos);
  unpack_options small;
  small.limits.max_bytes = 10;
  tar_builder big;
  big.file("a", "12345").file("b", "123456");
  CHECK(target{big.bytes(), small}.why() ==
        "cannot unpack 'b': cannot write 'entry': contents exceed 10 bytes");
  unpack_options shallow;
  shallow.limits.max_depth = 3;
  CHECK(target{tar_builder{}.file("a/b/c").bytes(), shallow}.report);
  CHECK(target{tar_builder{}.file("a/b/c/d").bytes(), shallow}.report.error().code == errc::limit);
  unpack_options brief;
  brief.limits.max_path = 120;
  CHECK(
      target{tar_builder{}.file(std::string(100, 'p') + "/" + std::string(20, 'q')).bytes(), brief}
          .report.error()
          .code == errc::limit);
  unpack_options forgetful;
  forgetful.limits.max_metadata = 500;
  tar_builder dirs;
  for (int i = 0; i < 20; ++i)
    dirs.dir("d" + std::to_string(i));
  CHECK(target{dirs.bytes(), forgetful}.report.error().code == errc::limit);
  // The apparent size of a sparse file counts, not what it takes on disk.
  tar_builder sparse;
  sparse.add({.name = "s",
              .content = "1\n1099511627776\n0\n" + std::string(494, '\0'),
              .pax = {{"GNU.sparse.major", "1"},
                      {"GNU.sparse.minor", "0"},
                      {"GNU.sparse.name", "s"},
                      {"GNU.sparse.realsize", "1099511627776"}}});
  CHECK(target{sparse.bytes()}.report.error().code == errc::limit);
}

TEST_CASE("a header that says very much is refused before it fills the memory") {
  // libarchive keeps 48 bytes for each "0\n0\n" of a sparse file's map, and asks nobody.
  std::string map = "300000\n";
  for (int i = 0; i < 300'000; ++i)
    map += "0\n0\n";
  map.resize((map.size() + 511) / 512 * 512);
  tar_builder tar;
  tar.add({.name = "s",
           .content = std::move(map),
           .pax = {{"GNU.sparse.major", "1"},
                   {"GNU.sparse.minor", "0"},
                   {"GNU.sparse.name", "s"},
                   {"GNU.sparse.realsize", "0"}}});
  unpack_options careful;
  careful.limits.max_header = 1 << 20;
  const target refused{tar.bytes(), careful};
  REQUIRE(!refused.report);
  CHECK(refused.report.error().code == errc::limit);
  CHECK(refused.why().find("header") != std::string::npos);
  CHECK(target{tar.bytes()}.report);
  // Contents are no header, also those that are passed over.
  tar_builder whiteout;
  whiteout.file("big", std::string(2 << 20, 'x'));
  whiteout.file(".wh.gone", std::string(2 << 20, 'x')).file("last");
  const target fine{whiteout.bytes(), careful};
  CHECK_MESSAGE(fine.report, fine.why());
}

TEST_CASE("damaged archives are errors, not half a layer") {
  tar_builder tar;
  tar.file("a", std::string(2000, 'a'));
  CHECK(!target{tar.bytes().substr(0, 1200)}.report);
  CHECK(!target{"this is no tar at all, whatever it says" + std::string(2000, 'x')}.report);
  tar_builder liar;
  liar.add({.name = "a", .content = "x", .claimed_size = 1 << 20});
  CHECK(!target{liar.bytes()}.report);
  CHECK(target{std::string(1024, '\0')}.report);
  CHECK(target{""}.report);
}

TEST_CASE("pieces of any size give the same tree") {
  tar_builder tar;
  tar.dir("d").file("d/f", std::string(5000, 'q')).symlink("l", "d");
  const target whole{tar.bytes()};
  const target bytewise{tar.bytes(), {}, 1};
  REQUIRE(whole.report);
  REQUIRE(bytewise.report);
  CHECK(snapshot(whole.root) == snapshot(bytewise.root));
}

TEST_CASE("a plain archive is unpacked without a layer's meaning") {
  unpack_options plain;
  plain.layer = false;
  tar_builder tar;
  tar.dir("d", 0).file("d/.wh.x", "name only", 04777);
  const target t{tar.bytes(), plain};
  REQUIRE_MESSAGE(t.report, t.why());
  CHECK(slurp(t.root / "d/.wh.x") == "name only");
  CHECK((t.stat("d/.wh.x").st_mode & 07777) == 0600);
}

TEST_CASE("whiteouts below what this layer made a file hide nothing more") {
  for (const bool first : {false, true}) {
    tar_builder tar;
    if (first) tar.file("was-dir/.wh.a", "").file("was-dir/sub/.wh.b", "");
    tar.file("was-dir", "file");
    if (!first) tar.file("was-dir/.wh.a", "").file("was-dir/sub/.wh.b", "");
    const target t{tar.bytes()};
    REQUIRE_MESSAGE(t.report, t.why());
    CHECK(slurp(t.root / "was-dir") == "file");
  }
  CHECK(!target{tar_builder{}.file("f").file("f/below").bytes()}.report);
}

TEST_CASE("modes are the archive's whatever the umask, and whatever mode the parents have") {
  const auto before = ::umask(0077);
  tar_builder tar;
  tar.dir("d", 02775).dir("closed", 0).file("d/f", "x", 0664).file("d/s", "x", 06755);
  tar.file("closed/f", "x", 0666).dir("d/sub", 01777).file("d/sub/f", "x", 0);
  const target t{tar.bytes()};
  ::umask(before);
  REQUIRE_MESSAGE(t.report, t.why());
  CHECK((t.stat("d").st_mode & 07777) == 02775);
  CHECK((t.stat("d/f").st_mode & 07777) == 0664);
  CHECK((t.stat("d/s").st_mode & 07777) == 06755);
  CHECK((t.stat("d/sub").st_mode & 07777) == 01777);
  CHECK((t.stat("d/sub/f").st_mode & 07777) == 0);
  CHECK((t.stat("closed").st_mode & 07777) == 0);
  CHECK(std::distance(std::filesystem::directory_iterator{t.root}, {}) == 2); // no probe stays
}

TEST_CASE("several archives share one budget") {
  unpack_options options;
  unpack_budget budget;
  options.budget = &budget;
  options.limits.max_entries = 3;
  CHECK(target{tar_builder{}.file("a").file("b").bytes(), options}.report);
  CHECK(target{tar_builder{}.file("a").bytes(), options}.report);
  const target over{tar_builder{}.file("c").bytes(), options};
  CHECK(over.why() == "cannot unpack 'c': more than 3 entries");
  unpack_budget bytes;
  unpack_limits limits;
  limits.max_bytes = 10;
  CHECK(bytes.add(0, 6, limits, "write", "entry"));
  CHECK(!bytes.add(0, UINT64_MAX, limits, "write", "entry")); // and does not wrap
  CHECK(bytes.add(0, 4, limits, "write", "entry"));
  CHECK(!bytes.add(0, 1, limits, "write", "entry"));
}

} // namespace unpack_test

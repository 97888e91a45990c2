/// The escapes and whiteouts that other image tools test for (containerd's TestBreakouts, umoci's
/// unpack tests), made again. Where those resolve a name with "..", here the archive is refused;
/// either way nothing outside changes.
#include "oci/unpack.hpp"
#include "support.hpp"
#include "tar_builder.hpp"

#include <doctest/doctest.h>
#include <functional>
#include <vector>

namespace known_breakout_test {

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;
namespace fs = std::filesystem;

namespace {

using tb = tar_builder;
using build = std::function<void(tb&, const std::string& outside)>;
/// Looks below the root; nothing: the archive must be refused.
using look = std::function<bool(const fs::path& root)>;

struct known {
  const char* what;
  build make;
  look check;
};

tb& passwd(tb& t) {
  return t.dir("etc", 0770).file("/etc/passwd", "inside");
}

struct stat facts(const fs::path& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) st = {};
  return st;
}

/// The same file; `passwd` still has its content.
look same(const char* a, const char* b) {
  return [=](const fs::path& root) {
    const auto x = facts(root / a);
    return x.st_ino != 0 && x.st_ino == facts(root / b).st_ino && slurp(root / b) == "inside";
  };
}

look holds(const char* name, const char* content) {
  return [=](const fs::path& root) { return slurp(root / name) == content; };
}

look whiteout_at(const char* name) {
  return [=](const fs::path& root) {
    const auto st = facts(root / name);
    return S_ISCHR(st.st_mode) && st.st_rdev == 0;
  };
}

const look refused{};

std::vector<known> symlink_cases() {
  const auto up = [](const char* to) {
    return [=](tb& t, const std::string&) { t.symlink("link", to).file("link/file", "mine"); };
  };
  std::vector<known> out{
      {"absolute link to a directory",
       [](tb& t, auto&) { t.dir("etc").symlink("localetc", "/etc").file("/localetc/new", "x"); },
       holds("etc/new", "x")},
      {"link up and out by way of a directory",
       [](tb& t, auto&) {
         t.dir("etc").dir("dummy").symlink("localetc", "/dummy/../etc").file("/localetc/new", "x");
       },
       holds("etc/new", "x")},
      {"links to links, absolute",
       [](tb& t, auto&) {
         t.dir("etc").dir("dummy").symlink("/dummy/etc", "/etc").symlink("localetc", "/dummy/etc");
         t.file("/localetc/new", "x");
       },
       holds("etc/new", "x")},
      {"links to links, relative",
       [](tb& t, auto&) {
         t.dir("etc").dir("dummy").symlink("/dummy/etc", "/etc").symlink("localetc", "./dummy/etc");
         t.file("/localetc/new", "x");
       },
       holds("etc/new", "x")},
      {"a file emptied through a link",
       [](tb& t, auto&) {
         t.dir("etc").file("etc/emptied", "not").symlink("localetc", "/etc");
         t.file("/localetc/emptied", "");
       },
       holds("etc/emptied", "")},
      {"a link named ..", [](tb& t, auto&) { passwd(t).symlink("..", "/etc/"); }, refused},
      {"a link without a name", [](tb& t, auto&) { passwd(t).symlink("", "/etc/"); }, refused},
      {"a link whose name ends in ..",
       [](tb& t, auto&) { passwd(t).symlink("localetc/sub/..", "/etc/"); }, refused},
      {"a link over a directory",
       [](tb& t, auto&) {
         passwd(t).dir("/localetc/").symlink("localetc", "/etc");
         t.hardlink("/localetc/localpasswd", "/etc/passwd");
       },
       same("etc/localpasswd", "etc/passwd")},
      {"a relative link over a directory",
       [](tb& t, auto&) {
         passwd(t).dir("/localetc/").symlink("localetc", "../../etc");
         t.hardlink("/localetc/localpasswd", "/etc/passwd");
       },
       same("etc/localpasswd", "etc/passwd")},
      {"a directory over a link",
       [](tb& t, auto&) {
         passwd(t).symlink("localetc", "/etc").dir("/localetc/");
         t.hardlink("/localetc/localpasswd", "/etc/passwd");
       },
       same("localetc/localpasswd", "etc/passwd")},
      {"a directory over a link that a hard link went through",
       [](tb& t, auto&) {
         passwd(t).symlink("localetc", "etc").hardlink("/localetc/localpasswd", "/etc/passwd");
         t.dir("/localetc/").file("/localetc/localpasswd", "different");
       },
       [](const fs::path& root) {
         return slurp(root / "localetc/localpasswd") == "different" &&
                same("etc/localpasswd", "etc/passwd")(root);
       }},
      {"a name with .. in front", [](tb& t, auto&) { t.file("../file", "mine"); }, refused},
      {"a name with /.. in front", [](tb& t, auto&) { t.file("/../file", "mine"); }, refused},
      {"parents that the archive does not have", [](tb& t, auto&) { t.file("a/b/c/file", "x"); },
       holds("a/b/c/file", "x")},
  };
  for (const auto* to : {"/", "/../", "/../../../../../../../../../../../../../../../",
                         "/./.././.././.././.././.././.././.././.././../", ".."})
    out.push_back({to, up(to), holds("file", "mine")});
  return out;
}

std::vector<known> hardlink_cases() {
  return {
      {"through a relative link",
       [](tb& t, auto&) {
         passwd(t).dir("breakouts").symlink("breakouts/d1", "../../etc");
         t.hardlink("breakouts/mypasswd", "/breakouts/d1/passwd");
       },
       same("breakouts/mypasswd", "etc/passwd")},
      {"through a link down and out",
       [](tb& t, auto&) {
         passwd(t).dir("breakouts").dir("downandout");
         t.symlink("breakouts/d1", "../downandout/../../etc");
         t.hardlink("breakouts/mypasswd", "/breakouts/d1/passwd");
       },
       same("breakouts/mypasswd", "etc/passwd")},
      {"through an absolute link",
       [](tb& t, auto&) {
         passwd(t).symlink("localetc", "/etc").hardlink("localpasswd", "/localetc/passwd");
       },
       same("localpasswd", "etc/passwd")},
      {"through a long relative link",
       [](tb& t, auto&) {
         passwd(t).symlink("localetc", "../../../../../../../etc");
         t.hardlink("localpasswd", "/localetc/passwd");
       },
       same("localpasswd", "etc/passwd")},
      {"through a link by way of nothing: the kernel follows no missing directory",
       [](tb& t, auto&) {
         passwd(t).symlink("localetc", "upandout/../../../etc");
         t.hardlink("localpasswd", "/localetc/passwd");
       },
       refused},
      {"to a name with ..",
       [](tb& t, auto&) { passwd(t).hardlink("localpasswd", "../../../../../etc/passwd"); },
       refused},
      {"to an absolute name",
       [](tb& t, auto&) { passwd(t).hardlink("localpasswd", "/etc/passwd"); },
       same("localpasswd", "etc/passwd")},
      {"below a directory whose name ended in a slash",
       [](tb& t, auto&) {
         passwd(t).dir("localetc/", 0770).hardlink("/localetc/localpasswd", "/etc/passwd");
       },
       same("localetc/localpasswd", "etc/passwd")},
      {"to a link whose target comes later",
       [](tb& t, auto&) {
         t.dir("etc").symlink("localpasswd", "/etc/passwd").hardlink("dup", "localpasswd");
         t.file("/etc/passwd", "after");
       },
       [](const fs::path& root) {
         return facts(root / "dup").st_ino == facts(root / "localpasswd").st_ino &&
                S_ISLNK(facts(root / "dup").st_mode) && slurp(root / "etc/passwd") == "after";
       }},
      {"to a relative link: it is the link that is linked",
       [](tb& t, auto&) {
         passwd(t).symlink("l", "../../../../../etc/passwd").hardlink("h", "/l");
       },
       [](const fs::path& root) {
         return S_ISLNK(facts(root / "h").st_mode) &&
                facts(root / "h").st_ino == facts(root / "l").st_ino;
       }},
      {"to an absolute link",
       [](tb& t, auto&) { passwd(t).symlink("l", "/etc/passwd").hardlink("h", "/l"); },
       [](const fs::path& root) {
         return S_ISLNK(facts(root / "h").st_mode) &&
                facts(root / "h").st_ino == facts(root / "l").st_ino;
       }},
      {"to a link that bears the name of a file outside, with another mode",
       [](tb& t, const std::string& o) {
         t.symlink(o + "/file", o + "/dir");
         t.add({.name = "h", .type = '1', .link = o + "/file", .mode = 0777, .uid = 1337});
       },
       [](const fs::path& root) { return S_ISLNK(facts(root / "h").st_mode); }},
  };
}

std::vector<known> whiteout_cases() {
  std::vector<known> out{
      {"of the root's parent", [](tb& t, auto&) { passwd(t).file(".wh...", ""); }, refused},
      {"of a parent", [](tb& t, auto&) { passwd(t).file("etc/.wh...", ""); }, refused},
      {"of the root", [](tb& t, auto&) { passwd(t).file(".wh..", ""); }, refused},
      {"of the directory itself", [](tb& t, auto&) { passwd(t).file("etc/.wh..", ""); }, refused},
      {"of a link: what it points to stays",
       [](tb& t, auto&) { passwd(t).symlink("localetc", "/etc").file(".wh.localetc", ""); },
       holds("etc/passwd", "inside")},
      {"through a link: inside",
       [](tb& t, auto&) { passwd(t).symlink("localetc", "/etc").file("localetc/.wh.other", ""); },
       whiteout_at("etc/other")},
      {"as a directory's name",
       [](tb& t, auto&) { passwd(t).file(".wh.etc/somefile", "non-empty"); }, refused},
      {"through a dead link",
       [](tb& t, auto&) { passwd(t).symlink("localetc", "/dne").file("localetc/.wh.etc", ""); },
       refused},
      {"by way of ..", [](tb& t, auto&) { passwd(t).file("dne/../.wh.etc", ""); }, refused},
  };
  for (const auto* path :
       {"rootpath", ".hiddenroot", "some/path/file", "another/path/.hiddenfile"}) {
    const fs::path p{path};
    const auto mark = (p.parent_path() / (".wh." + p.filename().string())).string();
    out.push_back({path, [=](tb& t, auto&) { t.file(mark, ""); }, whiteout_at(path)});
  }
  return out;
}

void run(const std::vector<known>& cases) {
  for (const auto& c : cases) {
    const scratch s;
    const auto outside = s.dir / "outside";
    put(outside / "file", "keep");
    ::chmod((outside / "file").c_str(), 0400);
    fs::create_directory(outside / "dir");
    fs::create_directory(s.dir / "root");
    const auto before = snapshot(outside);
    tb tar;
    c.make(tar, outside.string());
    const unique_fd fd{::open((s.dir / "root").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    text_source source{tar.bytes()};
    const auto report = unpack_tar(
        source, fd.get(), {.limits = {}, .rootless = true, .layer = true, .budget = nullptr});
    INFO(c.what << ": " << (report ? "unpacked" : report.error().message()));
    CHECK(snapshot(outside) == before);
    CHECK(std::distance(fs::directory_iterator{s.dir}, {}) == 2);
    CHECK(report.has_value() == static_cast<bool>(c.check));
    if (report && c.check) CHECK(c.check(s.dir / "root"));
  }
}

} // namespace

TEST_CASE("known escapes by symbolic links stay inside") {
  run(symlink_cases());
}

TEST_CASE("known escapes by hard links stay inside") {
  run(hardlink_cases());
}

TEST_CASE("known escapes by whiteouts stay inside") {
  run(whiteout_cases());
}

} // namespace known_breakout_test

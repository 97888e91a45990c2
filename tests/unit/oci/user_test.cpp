#include "oci/layer_view.hpp"
#include "oci/run_params.hpp"
#include "support.hpp"

#include <doctest/doctest.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace user_test {

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;
namespace fs = std::filesystem;

namespace {

constexpr auto passwd = "root:x:0:0:root:/root:/bin/sh\n"
                        "# comment:x:1:1::/:\n"
                        "web:x:1000:1001::/srv/web:/bin/false\n"
                        "bad:x:4294967296:0::/:\n"
                        "minus:x:-1:0::/:\n"
                        "empty:x:::/:\n"
                        "badgid:x:12:99999999999::/:\n"
                        "short:x:13\n"
                        "nohome:x:14:14\n"
                        "relative:x:15:15::home/x:\n"
                        "web:x:0:0::/:\n";
constexpr auto group = "root:x:0:\n"
                       "web:x:1001:\n"
                       "disk:x:6:web,other\n"
                       "video:x:44:other,web\n"
                       "dup:x:6:web\n"
                       "near:x:45:website\n"
                       "bad:x:4294967295:web\n";

struct layers {
  scratch s;
  std::vector<fs::path> list;
  explicit layers(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      list.push_back(s.dir / std::to_string(i));
      fs::create_directory(list.back());
    }
  }
  void file(std::size_t layer, const std::string& name, std::string_view text) const {
    put(list[layer] / name, text);
  }
  void link(std::size_t layer, const std::string& name, const std::string& target) const {
    fs::create_directories((list[layer] / name).parent_path());
    REQUIRE(::symlink(target.c_str(), (list[layer] / name).c_str()) == 0);
  }
  void whiteout(std::size_t layer, const std::string& name) const {
    fs::create_directories((list[layer] / name).parent_path());
    REQUIRE(::mknod((list[layer] / name).c_str(), S_IFCHR, makedev(0, 0)) == 0);
  }
  void opaque(std::size_t layer, const std::string& name) const {
    fs::create_directories(list[layer] / name);
    REQUIRE(::setxattr((list[layer] / name).c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
  }
  [[nodiscard]] std::string read(const char* path) const {
    const auto text = layer_view{list}.read(path, 1000);
    return text ? *text : "error " + std::to_string(text.error().sys);
  }
};

struct image_files : layers {
  image_files() : layers(1) {
    file(0, "etc/passwd", passwd);
    file(0, "etc/group", group);
  }
};

std::string resolved(const layers& l, std::string_view user) {
  const auto r = resolve_user(user, l.list);
  if (!r) return r.error().cause;
  std::string out = std::to_string(r->uid) + ":" + std::to_string(r->gid);
  for (const auto g : r->groups)
    out += "+" + std::to_string(g);
  return out + " " + r->home;
}

} // namespace

TEST_CASE("a user is looked up in the image's own files") {
  const image_files l;
  CHECK(resolved(l, "") == "0:0 /root");
  CHECK(resolved(l, "root") == "0:0 /root");
  CHECK(resolved(l, "web") == "1000:1001+6+44 /srv/web"); // the first entry of a name counts
  CHECK(resolved(l, "1000") == "1000:1001+6+44 /srv/web");
  CHECK(resolved(l, "web:disk") == "1000:6 /srv/web");
  CHECK(resolved(l, "web:77") == "1000:77 /srv/web");
  CHECK(resolved(l, "5:web") == "5:1001 /");
  CHECK(resolved(l, "5") == "5:0 /");
  CHECK(resolved(l, "5:6") == "5:6 /");
  CHECK(resolved(l, "4294967294") == "4294967294:0 /");
  CHECK(resolved(l, "nohome") == "14:14 /");
  CHECK(resolved(l, "relative") == "15:15 /");
}

TEST_CASE("what is no user is refused and never becomes root") {
  const image_files l;
  using namespace std::string_view_literals;
  for (const auto user : {"4294967295"sv, "4294967296"sv,  "18446744073709551616"sv,
                          "-1"sv,         "+1"sv,          "1000:"sv,
                          ":web"sv,       ":"sv,           "01000"sv,
                          "00"sv,         "0x0"sv,         "1e3"sv,
                          " 1000"sv,      "1000 "sv,       "root\0"sv,
                          "\0"sv,         "1000:1001:1"sv, "nobody"sv,
                          "web:none"sv,   "web:-1"sv,      "web:4294967296"sv,
                          "bad"sv,        "minus"sv,       "empty"sv,
                          "badgid"sv,     "short"sv,       "web:bad"sv,
                          "#"sv,          "# comment"sv,   "web\n"sv}) {
    const auto r = resolve_user(user, l.list);
    CHECK_MESSAGE(!r, std::string{user});
  }
  CHECK(resolve_user("nobody", l.list).error().message() ==
        "cannot resolve user 'nobody': no user 'nobody' in the image's /etc/passwd");
  CHECK(resolve_user("web:none", l.list).error().code == errc::not_found);
}

TEST_CASE("an image without the files knows numbers and root") {
  const layers l{1};
  CHECK(resolved(l, "") == "0:0 /");
  CHECK(resolved(l, "root:root") == "0:0 /");
  CHECK(resolved(l, "7:8") == "7:8 /");
  CHECK(!resolve_user("web", l.list));
}

TEST_CASE("files that would hang, lead outside or fill memory are refused") {
  layers l{1};
  put(l.s.dir / "secret", "evil:x:0:0::/:\n");
  const auto file = l.list[0] / "etc/passwd";
  fs::create_directory(l.list[0] / "etc");
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  CHECK(resolve_user("1", l.list).error().code == errc::invalid);
  fs::remove(file);
  fs::create_directory(file);
  CHECK(resolve_user("1", l.list).error().sys == EISDIR);
  fs::remove(file);
  for (const auto& target : {std::string{"../../secret"}, (l.s.dir / "secret").string(),
                             std::string{"/proc/self/root"} + (l.s.dir / "secret").string()}) {
    l.link(0, "etc/passwd", target);
    CHECK(!resolve_user("evil", l.list));
    fs::remove(file);
  }
  l.link(0, "etc/passwd", "passwd");
  CHECK(resolve_user("1", l.list).error().sys == ELOOP);
  fs::remove(file);
  l.file(0, "etc/passwd", std::string((1 << 20) + 1, 'x'));
  CHECK(resolve_user("1", l.list).error().code == errc::limit);
}

TEST_CASE("layers are seen as overlay would merge them") {
  const layers l{3};
  l.file(0, "etc/low", "low");
  l.file(0, "etc/both", "old");
  l.file(2, "etc/both", "new");
  l.file(0, "etc/gone", "x");
  l.whiteout(1, "etc/gone");
  l.file(0, "etc/again", "x");
  l.whiteout(1, "etc/again");
  l.file(2, "etc/again", "back");
  l.file(0, "opaque/low", "x");
  l.file(1, "opaque/mid", "mid");
  l.opaque(1, "opaque");
  l.file(2, "opaque/top", "top");
  l.file(0, "replaced/x", "x");
  l.file(1, "replaced", "a file now");
  l.file(0, "covered", "x");
  l.file(1, "covered/in", "in");
  l.link(2, "link", "etc/low");
  l.link(2, "absolute", "/etc/low");
  l.link(2, "dir", "a/../etc");
  l.file(0, "a/x", "x");
  l.link(1, "up", "../../../etc/low");
  CHECK(l.read("etc/low") == "low");
  CHECK(l.read("etc/both") == "new");
  CHECK(l.read("etc/gone") == "error 2");
  CHECK(l.read("etc/again") == "back");
  CHECK(l.read("opaque/low") == "error 2");
  CHECK(l.read("opaque/mid") == "mid");
  CHECK(l.read("opaque/top") == "top");
  CHECK(l.read("replaced") == "a file now");
  CHECK(l.read("replaced/x") == "error 20");
  CHECK(l.read("covered/in") == "in");
  CHECK(l.read("link") == "low");
  CHECK(l.read("absolute") == "low");
  CHECK(l.read("dir/low") == "low");
  CHECK(l.read("up") == "low");
  CHECK(l.read("/../etc/../etc/low") == "low");
  CHECK(l.read("etc") == "error 21");
}

} // namespace user_test

#include "base/trusted_path.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

namespace trusted_path_test {

using namespace tank;
namespace fs = std::filesystem;

namespace {

struct tree {
  fs::path root;
  tree() {
    std::string name = (fs::temp_directory_path() / "tank-trust-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
  }
  ~tree() { fs::remove_all(root); }
  fs::path make(const std::string& name, mode_t mode = 0755) const {
    const auto path = root / name;
    fs::create_directories(path);
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    return path;
  }
};

std::string refusal(const fs::path& path, writers allowed = writers::owner) {
  const auto judged = check_trusted_directory(path, allowed);
  if (judged) return {};
  CHECK(judged.error().code == errc::denied);
  CHECK(judged.error().object == path);
  return judged.error().cause;
}

struct stat of(uid_t uid, gid_t gid, mode_t mode) {
  struct stat st {};
  st.st_uid = uid;
  st.st_gid = gid;
  st.st_mode = S_IFDIR | mode;
  return st;
}

} // namespace

TEST_CASE("what is root's or ours and nobody else writes is in no foreign hands") {
  const auto me = ::geteuid();
  const auto my_group = ::getegid();
  CHECK(foreign_hands(of(0, 0, 0755), writers::owner).empty());
  CHECK(foreign_hands(of(me, my_group, 0775), writers::owner).empty());
  CHECK(foreign_hands(of(me + 1, 0, 0700), writers::owner) ==
        "it belongs to user " + std::to_string(me + 1));
  CHECK(foreign_hands(of(me, my_group, 01777), writers::owner) == "everybody may write to it");
  CHECK(foreign_hands(of(me, my_group + 1, 0770), writers::owner) ==
        "group " + std::to_string(my_group + 1) + " may write to it");
  CHECK(foreign_hands(of(me, my_group + 1, 0770), writers::and_group).empty());
}

TEST_CASE("a directory is judged with all that is on the way, and named") {
  const tree t;
  const auto inner = t.make("a/b/c");
  CHECK(refusal(inner).empty());
  t.make("a/b", 0777);
  CHECK(refusal(inner) == "everybody may write to it: '" + (t.root / "a/b").string() + "'");
  t.make("a/b", 01777); // in /tmp nobody replaces what is ours
  CHECK(refusal(inner).empty());
  CHECK(refusal(t.root / "a/b") == "everybody may write to it");
}

TEST_CASE("a link leads to what is judged, too") {
  const tree t;
  t.make("open", 0777);
  const auto inner = t.make("open/inner");
  t.make("safe");
  fs::create_symlink(inner, t.root / "safe/link");
  CHECK(refusal(t.root / "safe/link").find((t.root / "open").string()) != std::string::npos);
  fs::create_symlink("../safe", t.root / "safe/here");
  CHECK(refusal(t.root / "safe/here").empty());
  fs::create_symlink("loop", t.root / "safe/loop");
  CHECK(check_trusted_directory(t.root / "safe/loop").error().sys == ELOOP);
  CHECK(check_trusted_directory(t.root / "missing").error().code == errc::not_found);
}

} // namespace trusted_path_test

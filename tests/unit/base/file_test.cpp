#include "base/file.hpp"

#include <cerrno>
#include <cstdlib>
#include <doctest/doctest.h>
#include <sys/stat.h>

namespace file_test {

using namespace tank;

namespace {
struct scratch {
  std::filesystem::path dir = [] {
    std::string name = (std::filesystem::temp_directory_path() / "tank-file-XXXXXX").string();
    return std::filesystem::path{::mkdtemp(name.data())};
  }();
  ~scratch() { std::filesystem::remove_all(dir); }
};
} // namespace

TEST_CASE("an atomic write replaces the content and leaves no temporary") {
  const scratch s;
  REQUIRE(write_file_atomic(s.dir / "a", "one"));
  REQUIRE(write_file_atomic(s.dir / "a", "two", 0600));
  CHECK(read_file(s.dir / "a", 100).value() == "two");
  struct stat st {};
  REQUIRE(::stat((s.dir / "a").c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  CHECK(std::distance(std::filesystem::directory_iterator{s.dir}, {}) == 1);
}

TEST_CASE("reading is limited and refuses what is no regular file") {
  const scratch s;
  REQUIRE(write_file_atomic(s.dir / "a", "12345"));
  CHECK(read_file(s.dir / "a", 5).value() == "12345");
  CHECK(read_file(s.dir / "a", 4).error().code == errc::limit);
  CHECK(read_file(s.dir, 4).error().sys == EISDIR);
  CHECK(read_file(s.dir / "none", 4).error().code == errc::not_found);
  REQUIRE(::mkfifo((s.dir / "fifo").c_str(), 0600) == 0);
  CHECK(read_file(s.dir / "fifo", 4).error().cause == "not a regular file");
}

TEST_CASE("directories are made with all parents, once") {
  const scratch s;
  REQUIRE(make_directories(s.dir / "a/b/c"));
  CHECK(make_directories(s.dir / "a/b/c"));
  REQUIRE(write_file_atomic(s.dir / "f", ""));
  CHECK(make_directories(s.dir / "f/x").error().code == errc::not_found);
}

TEST_CASE("directories get the mode that was asked for, whatever the umask") {
  const scratch s;
  const auto before = ::umask(0077);
  const auto made = make_directories(s.dir / "a/b", 0755);
  ::umask(before);
  REQUIRE(made);
  for (const auto& path : {s.dir / "a", s.dir / "a/b"}) {
    struct stat st {};
    REQUIRE(::stat(path.c_str(), &st) == 0);
    CHECK((st.st_mode & 07777) == 0755);
  }
}

TEST_CASE("what a killed writer left is removed, and nothing else") {
  const scratch s;
  for (const auto* name : {".a.tmp12.0", ".b.c.tmp7.13", "a.tmp12.0", ".a.tmpx", ".tmp1", ".a.tmp"})
    REQUIRE(write_new_file(s.dir / name, "x"));
  remove_unfinished(s.dir);
  CHECK(!std::filesystem::exists(s.dir / ".a.tmp12.0"));
  CHECK(!std::filesystem::exists(s.dir / ".b.c.tmp7.13"));
  CHECK(std::distance(std::filesystem::directory_iterator{s.dir}, {}) == 4);
}

} // namespace file_test

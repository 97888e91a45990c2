#include "base/remove_tree.hpp"
#include "base/unique_fd.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace remove_tree_test {

using namespace tank;
namespace fs = std::filesystem;

static fs::path scratch() {
  char name[] = "/tmp/tank-remove-test.XXXXXX";
  return ::mkdtemp(name);
}

TEST_CASE("a tree goes whole, and symlinks are removed, not followed") {
  const auto dir = scratch();
  const auto outside = scratch();
  std::ofstream{outside / "keep"} << "x";
  fs::create_directories(dir / "a" / "b");
  std::ofstream{dir / "a" / "file"} << "x";
  fs::create_symlink(outside, dir / "a" / "b" / "link");
  fs::create_symlink("/", dir / "root");
  ::mkfifo((dir / "fifo").c_str(), 0600);
  CHECK(tank::remove_tree(dir));
  CHECK(!fs::exists(dir));
  CHECK(fs::exists(outside / "keep"));
  // The tree itself being a symlink: the link goes.
  fs::create_symlink(outside, dir);
  CHECK(tank::remove_tree(dir));
  CHECK(!fs::is_symlink(dir));
  CHECK(fs::exists(outside / "keep"));
  CHECK(tank::remove_tree(outside));
}

TEST_CASE("a tree deeper than any path or descriptor limit goes whole") {
  const auto dir = scratch();
  int at = ::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < 3000; ++i) {
    REQUIRE(::mkdirat(at, "deeper", 0700) == 0);
    const int next = ::openat(at, "deeper", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ::close(at);
    at = next;
  }
  ::close(at);
  const auto removed = tank::remove_tree(dir);
  CHECK_MESSAGE(removed, removed.error().message());
  CHECK(!fs::exists(dir));
}

TEST_CASE("a missing tree is success, a path without a name is refused") {
  CHECK(tank::remove_tree("/tmp/tank-no-such-tree/at/all"));
  CHECK(tank::remove_tree("/tmp/..").error().code == errc::invalid);
  CHECK(tank::remove_tree("/").error().code == errc::invalid);
}

TEST_CASE("content that uses the names of the removal's own moves goes too") {
  const auto dir = scratch();
  fs::path deep;
  for (int i = 0; i < 70; ++i)
    deep /= "d";
  for (int i = 0; i < 8; ++i) {
    fs::create_directories(dir / ("a" + std::to_string(i)) / deep);
    fs::create_directories(dir / (".tank-removing-" + std::to_string(i)) / "full");
  }
  const auto removed = tank::remove_tree(dir);
  CHECK_MESSAGE(removed, removed.error().message());
  CHECK(!fs::exists(dir));
}

TEST_CASE("a directory of very many names, and one that keeps its owner out, go whole") {
  const auto dir = scratch();
  const unique_fd at{::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  for (int i = 0; i < 10'000; ++i)
    REQUIRE(::mknodat(at.get(), ("f" + std::to_string(i)).c_str(), S_IFREG | 0600, 0) == 0);
  fs::create_directories(dir / "closed" / "below" / "more");
  REQUIRE(::chmod((dir / "closed" / "below").c_str(), 0) == 0);
  REQUIRE(::chmod((dir / "closed").c_str(), 0500) == 0);
  const unique_fd above{::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const auto removed = tank::remove_tree(above.get(), dir.filename());
  CHECK_MESSAGE(removed, removed.error().message());
  CHECK(!fs::exists(dir));
  CHECK(tank::remove_tree(above.get(), dir.filename()));
  CHECK(tank::remove_tree(above.get(), "a/b").error().code == errc::invalid);
}

TEST_CASE("files made immutable or append-only do not stay") {
  const auto dir = scratch();
  fs::create_directories(dir / "sealed" / "in");
  std::ofstream{dir / "sealed" / "in" / "file"} << "x";
  bool settable = true;
  for (const auto& [path, flag] : {std::pair{dir / "sealed" / "in" / "file", FS_APPEND_FL},
                                   std::pair{dir / "sealed" / "in", FS_IMMUTABLE_FL},
                                   std::pair{dir / "sealed", FS_IMMUTABLE_FL}}) {
    const unique_fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    settable = ::ioctl(fd.get(), FS_IOC_SETFLAGS, &flag) == 0 && settable;
  }
  if (!settable) MESSAGE("skipped: this user or filesystem cannot set the flags");
  const auto removed = tank::remove_tree(dir);
  CHECK_MESSAGE(removed, removed.error().message());
  CHECK(!fs::exists(dir));
}

} // namespace remove_tree_test

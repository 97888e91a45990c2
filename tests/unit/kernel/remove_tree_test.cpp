#include "kernel/remove_tree.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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
  CHECK(kernel::remove_tree(dir));
  CHECK(!fs::exists(dir));
  CHECK(fs::exists(outside / "keep"));
  // The tree itself being a symlink: the link goes.
  fs::create_symlink(outside, dir);
  CHECK(kernel::remove_tree(dir));
  CHECK(!fs::is_symlink(dir));
  CHECK(fs::exists(outside / "keep"));
  CHECK(kernel::remove_tree(outside));
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
  const auto removed = kernel::remove_tree(dir);
  CHECK_MESSAGE(removed, removed.error().message());
  CHECK(!fs::exists(dir));
}

TEST_CASE("a missing tree is success, a path without a name is refused") {
  CHECK(kernel::remove_tree("/tmp/tank-no-such-tree/at/all"));
  CHECK(kernel::remove_tree("/tmp/..").error().code == errc::invalid);
  CHECK(kernel::remove_tree("/").error().code == errc::invalid);
}

// What tests/vm/init.cpp promises to the programs that run after this one.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace boot_test {

namespace fs = std::filesystem;

namespace {

struct statfs file_system_at(const std::string& path) {
  struct statfs what {};
  REQUIRE_MESSAGE(::statfs(path.c_str(), &what) == 0, path);
  return what;
}

std::set<std::string> words(const fs::path& file) {
  std::ifstream in{file};
  REQUIRE_MESSAGE(in.is_open(), file);
  std::set<std::string> all;
  for (std::string one; in >> one;)
    all.insert(one);
  return all;
}

/// Our membership as the kernel words it, one line a hierarchy.
std::set<std::string> memberships() {
  std::ifstream in{"/proc/self/cgroup"};
  std::set<std::string> all;
  for (std::string line; std::getline(in, line);)
    all.insert(line);
  return all;
}

} // namespace

TEST_CASE("the only hierarchy is v2, and passes cpu, memory and pids on") {
  REQUIRE(file_system_at("/sys/fs/cgroup").f_type == CGROUP2_SUPER_MAGIC);
  const std::set<std::string> v2_only{"0::/"};
  CHECK(memberships() == v2_only);
  const fs::path root = "/sys/fs/cgroup";
  const auto group = root / "boot-test";
  REQUIRE(fs::create_directory(group));
  const auto controllers = words(group / "cgroup.controllers");
  for (const auto* one : {"cpu", "memory", "pids"}) {
    CAPTURE(one);
    CHECK(controllers.contains(one));
  }
  for (const auto* file : {"memory.max", "memory.events", "memory.oom.group", "cpu.max",
                           "cpu.weight", "pids.max", "cgroup.kill", "cgroup.freeze"}) {
    CAPTURE(file);
    CHECK(fs::exists(group / file));
  }
  CHECK(::rmdir(group.c_str()) == 0);
}

TEST_CASE("temporary files are on a tmpfs, and the host's files cannot be written") {
  CHECK(file_system_at(fs::temp_directory_path()).f_type == TMPFS_MAGIC);
  CHECK((file_system_at("/").f_flags & ST_RDONLY) != 0);
}

TEST_CASE("the programs that are tested are those of the host") {
  for (const auto* name : {"TANK_PROGRAM", "TANK_SHIM", "TANK_WITNESS"}) {
    const char* program = std::getenv(name);
    REQUIRE_MESSAGE(program != nullptr, name);
    CHECK_MESSAGE(::access(program, X_OK) == 0, std::string{program});
  }
}

} // namespace boot_test

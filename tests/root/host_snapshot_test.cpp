// What the suites compare finds each kind of trace that an instance can leave, and nothing of what
// somebody else on the same host does meanwhile.
#include "base/unique_fd.hpp"
#include "tests/root/host_fixture.hpp"
#include "tests/root/host_namespaces.hpp"

#include <array>
#include <fstream>
#include <functional>

#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace host_snapshot_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

/// A process that does `first` and then waits to be killed; `parent` gets its pid by the pipe.
[[noreturn]] void linger(const std::function<void()>& first, int to) {
  first();
  const pid_t self = ::getpid();
  if (::write(to, &self, sizeof self) != sizeof self) ::_exit(1);
  for (;;)
    ::pause();
}

/// A process whose parent has ended, as a shim's has: after `first`. Its pid.
pid_t plant_process(const std::function<void()>& first) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const unique_fd from{ends[0]};
  const unique_fd to{ends[1]};
  const pid_t parent = ::fork();
  if (parent == 0) {
    if (::fork() == 0) linger(first, to.get());
    ::_exit(0);
  }
  REQUIRE(::waitpid(parent, nullptr, 0) == parent);
  pid_t planted = 0;
  REQUIRE(::read(from.get(), &planted, sizeof planted) == sizeof planted);
  return planted;
}

void end_process(pid_t pid) {
  ::kill(pid, SIGKILL);
  REQUIRE(::waitpid(pid, nullptr, 0) == pid); // adopted by us
}

/// The directories of the first hierarchy: what `dirs.cgroups` says of it.
const cgroup_hierarchy& some_hierarchy(const host& h) {
  REQUIRE(!h.dirs.cgroups.hierarchies.empty());
  return h.dirs.cgroups.hierarchies.front();
}

void plant_file(const fs::path& path) {
  fs::create_directories(path.parent_path());
  std::ofstream file{path};
  file << "left";
  REQUIRE(file.good());
}

/// What is planted here does not go by itself: no need to wait for it.
std::string left(const host& h, const host_snapshot& before) {
  return difference(before, h.snapshot(0));
}

} // namespace

TEST_CASE("a mount that is left is seen, wherever it is; that of another's namespace is not") {
  const host h;
  const auto inside = h.root / "planted";
  fs::create_directory(inside);
  const auto before = h.snapshot();
  for (const auto& at : {inside, fs::path{"/mnt"}, fs::path{"/var"}, fs::path{"/proc/sys/fs"}}) {
    CAPTURE(at.string());
    REQUIRE(::mount("tmpfs", at.c_str(), "tmpfs", 0, "size=4k") == 0);
    const auto seen = left(h, before);
    CHECK(seen.find("+mount ") == 0);
    CHECK(seen.find(" " + at.string() + " ") != std::string::npos);
    REQUIRE(::umount2(at.c_str(), MNT_DETACH) == 0);
    CHECK(left(h, before) == "");
  }
  const pid_t other = ::fork();
  if (other == 0) {
    const bool apart = ::unshare(CLONE_NEWNS) == 0 &&
                       ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    ::_exit(apart && ::mount("tmpfs", "/mnt", "tmpfs", 0, "size=4k") == 0 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(other, &status, 0) == other);
  REQUIRE(status == 0);
  CHECK(left(h, before) == "");
}

TEST_CASE(
    "a mount that gets out of a namespace of ours, because it was not made a slave, is seen") {
  const host h;
  const auto before = h.snapshot();
  const pid_t careless = ::fork();
  if (careless == 0)
    ::_exit(::unshare(CLONE_NEWNS) == 0 && ::mount("tmpfs", "/mnt", "tmpfs", 0, "size=4k") == 0
                ? 0
                : 1);
  int status = -1;
  REQUIRE(::waitpid(careless, &status, 0) == careless);
  REQUIRE(status == 0);
  CHECK(left(h, before).find("+mount ") == 0);
  REQUIRE(::umount2("/mnt", MNT_DETACH) == 0);
  CHECK(left(h, before) == "");
}

TEST_CASE("a process whose parent is gone is seen, with its namespaces") {
  const host h;
  const auto before = h.snapshot();
  const auto plain = plant_process([] {});
  auto seen = left(h, before);
  CHECK(seen.find("+process " + std::to_string(plain) + " ") == 0);
  CHECK(seen.find("+namespace") == std::string::npos);
  end_process(plain);
  const auto apart = plant_process([] { ::unshare(CLONE_NEWNET); });
  seen = left(h, before);
  CHECK(seen.find("+process " + std::to_string(apart) + " ") != std::string::npos);
  CHECK(seen.find("+namespace net:") != std::string::npos);
  end_process(apart);
  CHECK(left(h, before) == "");
}

TEST_CASE("a cgroup of this instance is seen wherever it is; that of another Tank is not") {
  const host h;
  const auto before = h.snapshot();
  const auto& hierarchy = some_hierarchy(h);
  const auto astray = hierarchy.mount / ("other-" + std::to_string(::getpid()));
  const std::array ours{hierarchy.directory / "pod", astray / h.dirs.instance()};
  for (const auto& dir : ours) {
    CAPTURE(dir.string());
    REQUIRE(fs::create_directories(dir));
    CHECK(left(h, before).find("+cgroup " + dir.string() + "\n") != std::string::npos);
    REQUIRE(::rmdir(dir.c_str()) == 0);
    ::rmdir(dir.parent_path().c_str());
    CHECK(left(h, before) == "");
  }
  REQUIRE(fs::create_directories(astray / "tank" / "0123456789abcdef" / "web"));
  CHECK(left(h, before) == "");
  for (auto dir = astray / "tank" / "0123456789abcdef" / "web"; dir != hierarchy.mount;
       dir = dir.parent_path())
    REQUIRE(::rmdir(dir.c_str()) == 0);
}

TEST_CASE("a file or a directory in the instance's own is seen") {
  const host h;
  const auto before = h.snapshot();
  for (const auto& path :
       {h.dirs.pod_runs() / "uid" / "shim.sock", h.dirs.pod_record("uid"),
        h.dirs.container_state("uid", "main") / "upper" / "x", h.dirs.images() / "tmp" / "x"}) {
    CAPTURE(path.string());
    plant_file(path);
    CHECK(left(h, before).find("+file " + path.string() + "\n") != std::string::npos);
    fs::remove(path);
  }
  CHECK(left(h, before).find("+file " + (h.dirs.pod_runs() / "uid").string() + "\n") !=
        std::string::npos);
}

TEST_CASE("a link and a descriptor that are left are seen") {
  const host h;
  const auto before = h.snapshot();
  {
    const unique_fd open{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
    CHECK(left(h, before).find("-> /dev/zero") != std::string::npos);
  }
  CHECK(left(h, before) == "");
  if (!make_link("planted0")) {
    MESSAGE("skipped: this kernel makes no links without hardware");
    return;
  }
  CHECK(left(h, before) == "+link planted0\n");
}

} // namespace host_snapshot_test

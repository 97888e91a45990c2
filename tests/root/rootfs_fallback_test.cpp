// What older or stricter kernels need, forced: the shim's own code, in a child with a private
// mount namespace.
#include "kernel/shim/builder.hpp"
#include "kernel/wire_encode.hpp"
#include "tests/root/rootfs_fixture.hpp"

#include <linux/capability.h>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace rootfs_fallback_test {

using namespace tank;
using namespace tank::kernel;

namespace {

/// A user namespace with 65536 of the host's ids, held.
unique_fd make_users(std::uint32_t first) {
  int stay[2];
  REQUIRE(::pipe(stay) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int status = ::unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
    ::dprintf(stay[1], "%c", status);
    for (;;)
      ::pause();
  }
  char said = 0;
  REQUIRE(::read(stay[0], &said, 1) == 1);
  ::close(stay[0]);
  ::close(stay[1]);
  const auto proc = "/proc/" + std::to_string(pid);
  for (const char* map : {"/uid_map", "/gid_map"})
    std::ofstream{proc + map} << "0 " << first << " 65536\n";
  unique_fd users{::open((proc + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC)};
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  REQUIRE(said == 'y');
  REQUIRE(users);
  return users;
}

struct scratch {
  std::filesystem::path dir;
  scratch() {
    char name[] = "/tmp/tank-fallback.XXXXXX";
    dir = ::mkdtemp(name);
    for (const char* d : {"upper", "work"})
      std::filesystem::create_directory(dir / d);
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() { std::filesystem::remove_all(dir); }
};

/// Runs `body` in a child alone in its mount namespace; its result is the child's status.
template <class Body>
int apart(Body body) {
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) {
      ::_exit(100);
    }
    ::_exit(body());
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

int open_dir(const std::filesystem::path& path) {
  return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

} // namespace

TEST_CASE("an overlay of 180 layers with long names fits into mount(2)'s one page") {
  scratch s;
  constexpr int layers = 180;
  const auto layer = [&](int i) { return s.dir / (std::string(240, 'x') + std::to_string(i)); };
  for (int i = 0; i < layers; ++i)
    put(layer(i) / std::to_string(i), "");
  const auto mounts = slurp("/proc/self/mountinfo");
  CHECK(apart([&] {
          std::vector<int> lower;
          for (int i = 0; i < layers; ++i)
            lower.push_back(open_dir(layer(i)));
          const int root = shim::mount_overlay_by_string(
              lower.data(), layers, open_dir(s.dir / "upper"), open_dir(s.dir / "work"));
          if (root < 0) return errno;
          for (int i = 0; i < layers; ++i) {
            if (::faccessat(root, std::to_string(i).c_str(), F_OK, 0) != 0) return 101;
          }
          // The descriptor is the new root's, not the host's.
          if (::faccessat(root, "proc", F_OK, 0) == 0) return 102;
          const int made = ::openat(root, "made", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
          return made < 0 ? 103 : 0;
        }) == 0);
  CHECK(std::filesystem::exists(s.dir / "upper/made"));
  CHECK(slurp("/proc/self/mountinfo") == mounts);
}

TEST_CASE("more layers than one page can name are refused, not cut") {
  scratch s;
  std::filesystem::create_directory(s.dir / "lower");
  CHECK(apart([&] {
          const std::vector<int> lower(400, open_dir(s.dir / "lower"));
          const int root = shim::mount_overlay_by_string(
              lower.data(), 400, open_dir(s.dir / "upper"), open_dir(s.dir / "work"));
          return root < 0 ? errno : 0;
        }) == E2BIG);
}

TEST_CASE("where mknod is refused, the host's device is bound, when it is the right one") {
  for (const auto& [minor, expected] : {std::pair{3U, 0}, std::pair{5U, ENODEV}}) {
    scratch s;
    std::filesystem::create_directories(s.dir / "image/dev");
    launch_plan plan{.container = "web"};
    plan.steps = {overlay_step{{s.dir / "image"}, s.dir / "upper", s.dir / "work"},
                  filesystem_step{"tmpfs", "/dev", MS_NOSUID, "mode=755"},
                  device_step{"/dev/null", 1, minor}, pivot_step{}};
    plan.process.argv = {"x"};
    const auto encoded = wire::encode_plan(plan);
    REQUIRE(encoded);
    const std::string& bytes = *encoded;
    std::vector<std::uint64_t> aligned(bytes.size() / 8 + 1);
    std::memcpy(aligned.data(), bytes.data(), bytes.size());
    CHECK(apart([&] {
            __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
            __user_cap_data_struct sets[2]{};
            ::syscall(SYS_capget, &header, sets);
            sets[0].effective &= ~(1U << CAP_MKNOD);
            sets[0].permitted &= ~(1U << CAP_MKNOD);
            if (::syscall(SYS_capset, &header, sets) != 0) return 110;
            wire::plan_view view;
            if (wire::parse_plan(reinterpret_cast<char*>(aligned.data()), bytes.size(), &view))
              return 111;
            shim::step_failure why;
            if (shim::run_steps(view, nullptr, &why) != 0)
              return why.step_index == 2 ? why.sys : 112;
            struct stat st {};
            if (::stat("/dev/null", &st) != 0 || st.st_rdev != makedev(1, 3)) return 113;
            // The inode is the host's: it must not be changeable through us.
            if (::chmod("/dev/null", 0600) == 0) return 114;
            const int fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
            return ::write(fd, "x", 1) == 1 ? 0 : 115;
          }) == expected);
  }
}

TEST_CASE("an overlay of mapped layers, by descriptors and as kernels before 6.13 want it") {
  constexpr std::uint32_t first = 0x7200'0000;
  const auto users = make_users(first);
  for (const bool by_string : {false, true}) {
    CAPTURE(by_string);
    scratch s;
    for (const char* layer : {"base", "top"}) {
      put(s.dir / layer / layer, layer);
      REQUIRE(::chown((s.dir / layer / layer).c_str(), 5, 6) == 0);
    }
    const auto mounts = slurp("/proc/self/mountinfo");
    launch_plan plan{.container = "web"};
    plan.steps = {overlay_step{
        {s.dir / "top", s.dir / "base"}, s.dir / "upper", s.dir / "work", /* mapped */ true}};
    plan.process.argv = {"x"};
    const auto bytes = wire::encode_plan(plan).value();
    std::vector<std::uint64_t> aligned(bytes.size() / 8 + 1);
    std::memcpy(aligned.data(), bytes.data(), bytes.size());
    wire::plan_view view;
    REQUIRE(wire::parse_plan(reinterpret_cast<char*>(aligned.data()), bytes.size(), &view) ==
            nullptr);
    wire::step_view step;
    auto steps = view.steps.walk();
    REQUIRE(steps.next(&step));
    shim::step_failure why;
    const unique_fd root{shim::make_mapped_overlay(step.overlay, users.get(), by_string, &why)};
    REQUIRE_MESSAGE(root, why.step << " " << why.object << " " << why.sys);
    for (const char* file : {"base", "top"}) {
      struct stat st {};
      REQUIRE(::fstatat(root.get(), file, &st, 0) == 0);
      CHECK(st.st_uid == first + 5);
      CHECK(st.st_gid == first + 6);
    }
    CHECK(slurp("/proc/self/mountinfo") == mounts);
  }
}

} // namespace rootfs_fallback_test

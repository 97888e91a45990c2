// Paths of images, volumes and manifests that lead elsewhere than they say: classes 2 to 6.
#include "tests/attack/attack_fixture.hpp"

#include <algorithm>
#include <fstream>
#include <stop_token>
#include <thread>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace paths_test {

using namespace tank;
using namespace tank::testing;
using oci::testing::tar_builder;
namespace fs = std::filesystem;

namespace {

/// A descriptor that an exec passes on, as a careless program leaves one behind.
struct leak {
  int fd;
  explicit leak(const fs::path& dir, int number = 40) : fd(number) {
    const unique_fd open{::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    REQUIRE(::dup2(open.get(), number) == number);
  }
  ~leak() { ::close(fd); }
  leak(const leak&) = delete;
  leak& operator=(const leak&) = delete;
};

bool is_proc(const fs::path& path) {
  struct statfs fs {};
  return ::statfs(path.c_str(), &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

void mount_proc(const fs::path& at) {
  ::mount("proc", at.c_str(), "proc", 0, nullptr);
}

void bind(const fs::path& from, const fs::path& to) {
  ::mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr);
}

std::string volumes(const std::string& list) {
  return "  volumes: [" + list + "]\n";
}
std::string host_path(const std::string& name, const fs::path& path) {
  return "{name: " + name + ", hostPath: {path: " + path.string() + "}}";
}

} // namespace

TEST_CASE("class 2: no working directory is a descriptor that somebody forgot to close") {
  // The daemon inherits one of the host's root directory, and so would all it starts.
  const leak forgotten{"/"};
  arena a;
  CHECK(fs::read_symlink("/proc/" + std::to_string(a.daemon().pid()) + "/fd/40") == "/");
  for (int n = 3; n <= 64; ++n) {
    const auto dir = "/proc/self/fd/" + std::to_string(n);
    const auto why = a.refusal({.command = {"/bin/witness", "ls", "."},
                                .container_more = "    workingDir: " + dir + "\n"});
    CHECK_MESSAGE(has(why, "cannot change directory to '" + dir + "'"), why);
  }
  // The image says it, or has a link to it.
  const auto link = a.image({tar_builder{}.symlink("three", "/proc/self/fd/40").bytes()},
                            {{"WorkingDir", "/proc/self/fd/40"}});
  for (const char* more : {"", "    workingDir: /three\n", "    workingDir: /proc/1/cwd\n"})
    CHECK(has(
        a.refusal({.command = {"/bin/witness", "ls", "."}, .image = link, .container_more = more}),
        "cannot change directory to"));
  // Nor is there one to find.
  const auto said = a.say({.command = {"/bin/witness", "report"}});
  CHECK(nlohmann::json::parse(said)["fds"].size() == 3);
  a.check_untouched();
}

TEST_CASE("class 2, without the defence: the host's root is the working directory") {
  arena a;
  const auto image = a.tree();
  const auto escaped = without_defence([&] {
    const leak forgotten{a.outside};
    mount_proc(image / "proc");
    if (::chroot(image.c_str()) != 0 || ::chdir("/proc/self/fd/40") != 0) return errno_name(-1);
    return file_text("secret");
  });
  CHECK(escaped == "the host's");
}

TEST_CASE("class 3: a volume's link leads no further mount out of the container") {
  arena a;
  const auto volume = a.root / "volume";
  fs::create_directory(volume);
  const std::string mounts = "    volumeMounts: [{name: outer, mountPath: /v}, "
                             "{name: inner, mountPath: /v/spot/made}]\n";
  int n = 0;
  for (const auto& target : {a.outside / "sub", fs::path{"../../../../../.." + a.outside.string()},
                             fs::path{"/../.."} / a.outside.relative_path() / "sub"}) {
    fs::remove(volume / "spot");
    fs::create_directory_symlink(target, volume / "spot");
    a.run({.command = {"/bin/witness", "write", "/v/spot/made/file", "x"},
           .container_more = mounts,
           .spec_more = volumes(host_path("outer", volume) + ", {name: inner, emptyDir: {}}")});
    a.check_untouched();
    ++n;
  }
  CHECK(n == 3);
  // The image's own link, and the file that is bound there.
  const auto image = a.image({tar_builder{}
                                  .dir("etc")
                                  .symlink("etc/hosts", (a.outside / "secret").string())
                                  .symlink("etc/hostname", (a.outside / "made").string())
                                  .bytes()});
  CHECK(has(
      a.say(
          {.name = "linked", .command = {"/bin/witness", "read", "/etc/hostname"}, .image = image}),
      "linked"));
  a.check_untouched();
}

TEST_CASE("class 3: a link that one pod plants in a host path leads no other pod's anywhere") {
  arena a;
  const auto shared = a.root / "volume";
  fs::create_directory(shared);
  const auto mount = std::string{"    volumeMounts: [{name: v, mountPath: /v}]\n"};
  a.say({.command = {"/bin/busybox", "ln", "-s", a.outside.string(), "/v/x"},
         .container_more = mount,
         .spec_more = volumes(host_path("v", shared))});
  REQUIRE(fs::is_symlink(shared / "x"));
  for (const auto* below : {"x", "x/sub", "x/made"})
    for (const auto* type : {"Directory", "DirectoryOrCreate", ""}) {
      const auto volume = "{name: v, hostPath: {path: " + (shared / below).string() +
                          (*type == '\0' ? "" : std::string{", type: "} + type) + "}}";
      const auto why = a.refusal({.command = {"/bin/witness", "write", "/v/secret", "mine"},
                                  .container_more = mount,
                                  .spec_more = volumes(volume)});
      CHECK_MESSAGE(has(why, "pods write to its directory"), why);
    }
  a.check_untouched();
  // What follows it as the host's own links are followed changes the host.
  CHECK(without_defence([&] { return errno_name(::mkdir((shared / "x/made").c_str(), 0755)); }) ==
        "ok");
  a.restore_outside();
}

TEST_CASE("class 3, without the defence: the mount's target is made on the host") {
  arena a;
  const auto image = a.tree();
  const auto volume = a.root / "volume";
  fs::create_directory(volume);
  fs::create_directory_symlink(a.outside / "sub", volume / "spot");
  CHECK(without_defence([&] {
          bind(volume, image / "v");
          return errno_name(::mkdir((image / "v/spot/made").c_str(), 0755));
        }) == "ok");
  CHECK(fs::exists(a.outside / "sub/made"));
  a.restore_outside();
}

TEST_CASE("class 3: links that are exchanged while pods start lead nowhere else") {
  arena a;
  const auto volume = a.root / "volume";
  fs::create_directories(volume / "spot");
  fs::create_directory_symlink(a.outside / "sub", volume / "other");
  std::atomic<long> swaps{0};
  int started = 0;
  {
    const std::jthread swapper{[&](const std::stop_token& over) {
      const auto one = (volume / "spot").string();
      const auto two = (volume / "other").string();
      while (!over.stop_requested())
        swaps += ::syscall(SYS_renameat2, AT_FDCWD, one.c_str(), AT_FDCWD, two.c_str(),
                           2 /* RENAME_EXCHANGE */) == 0;
    }};
    for (int i = 0; i < 40; ++i) {
      const auto pod = a.run(
          {.command = {"/bin/witness", "write", "/v/spot/made/file", "x"},
           .container_more = "    volumeMounts: [{name: outer, mountPath: /v}, "
                             "{name: inner, mountPath: /v/spot/made}]\n",
           .spec_more = volumes(host_path("outer", volume) + ", {name: inner, emptyDir: {}}")});
      started += pod.last->reason == "Completed";
    }
  }
  CHECK(swaps > 40);
  CHECK(started > 0);
  fs::remove_all(volume);
  a.check_untouched();
}

TEST_CASE("class 4: a volume's /dev/null that is none masks nothing") {
  arena a;
  const auto dev = a.root / "dev";
  int n = 0;
  for (const auto& fake : std::vector<std::function<void(const fs::path&)>>{
           [](const auto& at) { fs::create_symlink("/proc/sys/kernel/core_pattern", at); },
           [](const auto& at) { fs::create_symlink("/proc/sys", at); },
           [](const auto& at) { std::ofstream{at} << "not null"; },
           [](const auto& at) { REQUIRE(::mkfifo(at.c_str(), 0666) == 0); },
           [](const auto& at) { fs::create_directory(at); }}) {
    fs::remove_all(dev);
    fs::create_directory(dev);
    fake(dev / "null");
    const auto why =
        a.refusal({.command = {"/bin/witness", "read", "/proc/timer_list"},
                   .container_more = "    volumeMounts: [{name: dev, mountPath: /dev}]\n",
                   .spec_more = volumes(host_path("dev", dev))});
    CHECK_MESSAGE(has(why, "cannot mask with /dev/null"), why);
    ++n;
  }
  CHECK(n == 5);
  // What is masked reads as nothing where /dev is the container's own.
  CHECK(a.say({.command = {"/bin/witness", "read", "/proc/timer_list"}}).empty());
}

TEST_CASE("class 4, without the defence: a kernel parameter is bound over what should be masked") {
  arena a;
  const auto image = a.tree();
  fs::create_symlink("/proc/sys/kernel/core_pattern", image / "dev/null");
  const auto seen = without_defence([&] {
    mount_proc(image / "proc");
    if (::chroot(image.c_str()) != 0 || ::chdir("/") != 0) return errno_name(-1);
    bind("/dev/null", "/proc/timer_list");
    return file_text("/proc/timer_list");
  });
  CHECK(seen == file_text("/proc/sys/kernel/core_pattern"));
}

TEST_CASE("class 5: an image with /proc, /sys or /dev as a link is refused by name") {
  arena a;
  for (const std::string name : {"proc", "sys", "dev"})
    for (const auto& link : {(a.outside / "sub").string(), std::string{"bin"}, std::string{"/"},
                             "../../../../../.." + a.outside.string()}) {
      const auto why = a.refusal({.command = {"/bin/witness", "exit", "0"},
                                  .image = a.image({tar_builder{}.symlink(name, link).bytes()})});
      CHECK_MESSAGE((has(why, "'/" + name) && has(why, "symbolic links")), why);
    }
  a.check_untouched();
}

TEST_CASE("class 5, without the defence: proc is mounted on the host") {
  arena a;
  const auto image = a.tree();
  fs::remove(image / "proc");
  fs::create_directory_symlink(a.outside / "sub", image / "proc");
  CHECK(without_defence([&] {
          mount_proc(image / "proc");
          return std::string{is_proc(a.outside / "sub") ? "escaped" : "no"};
        }) == "escaped");
  CHECK(!is_proc(a.outside / "sub")); // in that namespace only
}

TEST_CASE("class 6: no volume takes the place of proc, of a part of it, or of the root") {
  arena a;
  const auto volume = a.root / "volume";
  fs::create_directories(volume / "sys/kernel");
  const auto linked = a.image({tar_builder{}.symlink("inside", "/proc/sys").bytes()});
  for (const std::string at : {"/proc", "/proc/sys", "/proc/self/attr", "/proc/1/attr", "/inside",
                               "/proc/sys/kernel", "/v/../proc"}) {
    const auto why =
        a.refusal({.command = {"/bin/witness", "exit", "0"},
                   .image = linked,
                   .container_more = "    volumeMounts: [{name: v, mountPath: " + at + "}]\n",
                   .spec_more = volumes(host_path("v", volume))});
    CHECK_MESSAGE(has(why, "cannot bind on"), at << ": " << why);
  }
}

TEST_CASE("class 6, without the defence: a kernel parameter is written into the volume") {
  arena a;
  const auto image = a.tree();
  const auto volume = a.root / "volume";
  fs::create_directories(volume / "sys/kernel");
  without_defence([&] {
    mount_proc(image / "proc");
    bind(volume, image / "proc");
    std::ofstream{image / "proc/sys/kernel/shm_rmid_forced"} << "1";
    return std::string{};
  });
  CHECK(file_text(volume / "sys/kernel/shm_rmid_forced") == "1");
}

} // namespace paths_test

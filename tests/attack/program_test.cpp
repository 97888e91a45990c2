// Class 1: overwriting the programs that start pods, by way of /proc/<pid>/exe.
#include "tests/attack/attack_fixture.hpp"

#include "oci/digest.hpp"

#include <cstdlib>
#include <fstream>

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace program_test {

using namespace tank;
using namespace tank::testing;
using oci::testing::tar_builder;
namespace fs = std::filesystem;

namespace {

std::string digest_of_file(const fs::path& path) {
  return oci::digest_of(file_text(path)).to_string();
}

/// CVE-2019-5736: whoever may open a process's program keeps it, waits until it no longer runs, and
/// writes. `end` makes the process end. What became of it, "ok" when it was written.
std::string overwrite_program(pid_t pid, const std::function<void()>& end) {
  const auto exe = "/proc/" + std::to_string(pid) + "/exe";
  const unique_fd held{::open(exe.c_str(), O_PATH | O_CLOEXEC)};
  REQUIRE(held);
  const unique_fd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  REQUIRE(process);
  const unique_fd busy{::open(exe.c_str(), O_WRONLY | O_CLOEXEC)};
  CHECK(!busy);
  CHECK(errno == ETXTBSY);
  end();
  pollfd ended{process.get(), POLLIN, 0};
  REQUIRE(::poll(&ended, 1, patience_ms) == 1);
  const auto again = "/proc/self/fd/" + std::to_string(held.get());
  const unique_fd program{::open(again.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!program) return errno_name(-1);
  return errno_name(::write(program.get(), "evil", 4));
}

} // namespace

TEST_CASE("class 1: a shim's program cannot be overwritten, not even by the host's root") {
  arena a;
  const fs::path shim = std::getenv("TANK_SHIM");
  const auto before = digest_of_file(shim);
  a.put({.name = "victim"});
  const auto pid = parent_of(a.await_running("victim").host_pid);
  CHECK(has(file_text("/proc/" + std::to_string(pid) + "/comm"), "tank-shim"));
  CHECK(overwrite_program(pid, [&] {
          a.remove("victim.yaml");
          a.await_gone("victim");
        }) == "EPERM");
  CHECK(digest_of_file(shim) == before);
  CHECK(a.say({.command = {"/bin/witness", "print", "well"}}) == "well\n");
}

TEST_CASE("class 1, without the defence: a program that runs from its file is overwritten") {
  arena a;
  const auto program = a.tree() / "bin/witness";
  child victim{{program.string(), "sleep"}, {}};
  CHECK(overwrite_program(victim.pid(), [&] {
          victim.signal(SIGKILL);
          victim.wait();
        }) == "ok");
  CHECK(file_text(program).starts_with("evil"));
}

TEST_CASE("class 1: a pod that runs the program it is started by gets nowhere") {
  arena a;
  const fs::path shim = std::getenv("TANK_SHIM");
  const auto before = digest_of_file(shim);
  const auto daemon = digest_of_file(a.program);
  const auto image = a.image({tar_builder{}
                                  .symlink("bin/linked", "/proc/self/exe")
                                  .file("bin/script", "#!/proc/self/exe\n", 0755)
                                  .bytes()});
  for (const auto* command : {"/proc/self/exe", "/proc/1/exe", "/bin/linked", "/bin/script"}) {
    const auto pod = a.run({.command = {command}, .image = image});
    CHECK_MESSAGE(pod.last->reason != "Completed", command);
  }
  // What runs as pid 1 by now is the image's own program.
  const auto said = a.say(
      {.command = {"/bin/witness", "try-write", "/proc/1/exe", "--", "try-write", "/proc/self/exe"},
       .container_more = "    securityContext: {privileged: true}\n"});
  CHECK(said == "try-write /proc/1/exe: errno 26\ntry-write /proc/self/exe: errno 26\n");
  CHECK(digest_of_file(shim) == before);
  CHECK(digest_of_file(a.program) == daemon);
  CHECK(a.say({.command = {"/bin/witness", "print", "well"}}) == "well\n");
}

} // namespace program_test

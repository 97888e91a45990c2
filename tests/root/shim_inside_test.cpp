// What the workload itself sees: the witness runs with the host's root and tells.
#include "tests/root/fault_port.hpp"
#include "tests/root/shim_fixture.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace shim_inside_test {

using namespace tank;
using namespace tank::kernel;
using nlohmann::json;

static std::string witness() {
  const char* path = std::getenv("TANK_WITNESS");
  REQUIRE(path != nullptr);
  return path;
}

static json report(shim_room& room, session& s, launch_plan plan) {
  plan.log.path = room.dir / "report.log";
  plan.log.max_bytes = 1 << 24;
  run(s, plan);
  CHECK(expect<exited_event>(s).code == 0);
  std::istringstream lines{slurp(plan.log.path)};
  std::string all; // "<stamp> stdout P|F <text>": joined as a reader joins them
  for (std::string line; std::getline(lines, line);)
    all += line.substr(30 + 10);
  return json::parse(all);
}

TEST_CASE("a workload gets three descriptors, no blocked, ignored or caught signal, no terminal") {
  shim_room room;
  // A leaky, signal-ignoring daemon: none of it may reach the workload.
  const int leak = ::open("/etc/passwd", O_RDONLY); // without CLOEXEC, on purpose
  auto* const old = ::signal(SIGPIPE, SIG_IGN);
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGUSR2);
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  auto s = room.start(false);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, old);
  const auto said = report(room, *s, host_plan("web", {witness(), "report"}));
  const auto shims_fds = "/proc/" + std::to_string(s->shim_pid()) + "/fd";
  for (const auto& fd : std::filesystem::directory_iterator(shims_fds))
    CHECK(std::filesystem::read_symlink(fd.path()) != "/etc/passwd");
  ::close(leak);
  std::vector<int> fds;
  for (const auto& fd : said["fds"])
    fds.push_back(fd["fd"].get<int>());
  CHECK(fds == std::vector<int>{0, 1, 2});
  CHECK(said["fds"][0]["target"] == "/dev/null");
  for (const std::string mask : {"SigBlk", "SigIgn", "SigCgt"}) {
    CAPTURE(mask);
    CHECK(said["status"][mask].get<std::string>().find_first_not_of('0') == std::string::npos);
  }
  CHECK(said["controlling_tty"] == false);
  CHECK(said["pid"] == 1);
  CHECK(said["sid"] == 1);
  CHECK(said["pdeathsig"] == SIGKILL);
  CHECK(said["env"] == json::array({"PATH=/bin:/usr/bin"}));
  finish(*s);
}

TEST_CASE("a pod's containers share the shim's network, IPC and host name, and nothing else") {
  shim_room room;
  auto s = room.start(false);
  const auto a = report(room, *s, host_plan("a", {witness(), "report"}));
  std::filesystem::remove(room.dir / "report.log");
  const auto b = report(room, *s, host_plan("b", {witness(), "report"}));
  for (const std::string type : {"net", "ipc", "uts"}) {
    CAPTURE(type);
    CHECK(a["ns"][type] == b["ns"][type]);
    CHECK(a["ns"][type] != std::filesystem::read_symlink("/proc/self/ns/" + type).string());
  }
  for (const std::string type : {"mnt", "pid", "cgroup"}) {
    CAPTURE(type);
    CHECK(a["ns"][type] != std::filesystem::read_symlink("/proc/self/ns/" + type).string());
  }
  CHECK(a["hostname"] == "pod");
  finish(*s);
}

TEST_CASE("the loopback interface of a pod is up") {
  shim_room room;
  auto s = room.start(false);
  auto plan = shell_plan("web", "ping -c 1 -W 5 127.0.0.1 >/dev/null 2>&1");
  run(*s, plan);
  CHECK(expect<exited_event>(*s).code == 0);
  finish(*s);
}

TEST_CASE("with the host's network and IPC asked for, none is made") {
  shim_room room;
  auto s = start(*room.kernel,
                 {.uid = "u", .run_dir = room.dir / "run", .host_network = true, .host_ipc = true});
  const auto said = report(room, *s, host_plan("a", {witness(), "report"}));
  for (const std::string type : {"net", "ipc", "uts"}) {
    CAPTURE(type);
    CHECK(said["ns"][type] == std::filesystem::read_symlink("/proc/self/ns/" + type).string());
  }
  finish(*s);
}

TEST_CASE("the running shim's program cannot be opened for writing (CVE-2019-5736)") {
  shim_room room;
  auto s = room.start();
  run(*s, shell_plan("web", "sleep 1000"));
  const auto exe = "/proc/" + std::to_string(s->shim_pid()) + "/exe";
  // The daemon is root and may open it, yet never write: the copy is sealed.
  const int fd = ::open(exe.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    CHECK(::write(fd, "x", 1) == -1);
    CHECK(errno == EPERM);
    ::close(fd);
  } else {
    CHECK((errno == ETXTBSY || errno == EACCES));
  }
  struct stat is {};
  REQUIRE(::stat((room.dir / "run" / "shim.sock").c_str(), &is) == 0);
  CHECK((is.st_mode & 0777) == 0600);
  finish(*s);
}

TEST_CASE("a fault at any step of a plan fails the container there and leaves the pod usable") {
  shim_room room;
  auto script = std::make_shared<fault_script>();
  fault_port faulty{std::shared_ptr<port>{make_port(shim_program())}, script};
  auto s = start(faulty, {.uid = "u", .run_dir = room.dir / "run", .host_network = true});
  script->fault_step_at(0, EIO);
  REQUIRE(s->create(shell_plan("web", "exit 0")));
  REQUIRE(s->build({"web"}));
  expect<ready_event>(*s);
  const auto failed = expect<failed_event>(*s);
  CHECK(failed.sys == EIO);
  CHECK(failed.code == launch_failure::plan_step);
  CHECK(failed.step_index == 0);
  script->clear();
  run(*s, shell_plan("web", "exit 0"));
  CHECK(expect<exited_event>(*s).code == 0);
  finish(*s);
}

TEST_CASE("a shim that dies after any request ends the session and leaves nothing") {
  for (unsigned n = 1; n <= 3; ++n) { // 0 is start_session; then create, build, proceed
    CAPTURE(n);
    shim_room room;
    auto script = std::make_shared<fault_script>();
    fault_port faulty{std::shared_ptr<port>{make_port(shim_program())}, script};
    script->kill_shim_after(n);
    auto s = start(faulty, {.uid = "u", .run_dir = room.dir / "run", .host_network = true});
    CHECK(s->create(shell_plan("web", "sleep 1000")));
    s->build({"web"});
    for (bool down = false; !down;) {
      const auto event = await(*s);
      down = std::holds_alternative<session_down_event>(event);
      if (std::holds_alternative<built_event>(event)) s->proceed({"web"});
    }
    siginfo_t how{};
    CHECK(::waitid(P_ALL, 0, &how, WEXITED | WNOHANG | WNOWAIT) != 0);
    CHECK(errno == ECHILD);
  }
}

} // namespace shim_inside_test

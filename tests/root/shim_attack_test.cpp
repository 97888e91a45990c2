// Workloads and hosts that make life hard for a shim: what must hold all the same.
#include "tests/root/shim_fixture.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace shim_attack_test {

using namespace tank;
using namespace tank::kernel;

static std::string witness() {
  const char* path = std::getenv("TANK_WITNESS");
  REQUIRE(path != nullptr);
  return path;
}

static unique_fd watch(pid_t pid) {
  unique_fd fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  REQUIRE(fd);
  return fd;
}

static bool ends(const unique_fd& process) {
  pollfd dead{process.get(), POLLIN, 0};
  return ::poll(&dead, 1, 10'000) == 1;
}

// prctl does it, and so does executing a set-user-ID program.
TEST_CASE("a workload that unties itself from its shim dies with it all the same") {
  for (const bool adopted : {false, true}) {
    CAPTURE(adopted);
    shim_room room;
    auto s = room.start();
    auto plan = host_plan("web", {witness(), "untie", "--", "print", "untied", "--", "sleep"});
    plan.log.path = room.dir / "0.log";
    const auto workload = watch(run(*s, plan));
    while (slurp(plan.log.path).find("untied") == std::string::npos)
      ::sched_yield();
    if (adopted) {
      s = room.adopt();
    }
    const auto shim = watch(s->shim_pid());
    ::kill(s->shim_pid(), SIGKILL);
    expect<session_down_event>(*s);
    CHECK(ends(workload));
    ::syscall(SYS_pidfd_send_signal, workload.get(), SIGKILL, nullptr, 0); // when it did not
    CHECK(ends(shim));
  }
}

TEST_CASE("an ended container holds no descriptor of its shim") {
  shim_room room;
  auto s = room.start();
  run(*s, shell_plan("first", "exit 0")); // the shim has all of its own by now
  expect<exited_event>(*s);
  const auto fds = "/proc/" + std::to_string(s->shim_pid()) + "/fd";
  const auto before = entries(fds);
  auto plan = shell_plan("web", "echo said");
  plan.log.path = room.dir / "0.log";
  run(*s, plan);
  expect<exited_event>(*s);
  auto broken = shell_plan("broken", "exit 0");
  broken.log.path = room.dir / "1.log";
  broken.process.cwd = "/no/such";
  REQUIRE(s->create(broken));
  REQUIRE(s->build({"broken"}));
  expect<ready_event>(*s);
  expect<built_event>(*s);
  REQUIRE(s->proceed({"broken"}));
  expect<failed_event>(*s);
  CHECK(entries(fds) == before);
  finish(*s);
}

TEST_CASE("a limit on the size of files costs log lines, not the shim") {
  shim_room room;
  finish(*room.start()); // the port has its copy of the program by now
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{4096, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  auto s = room.start();
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  auto plan = host_plan("web", {witness(), "lines", "1000", "--", "exit", "7"});
  plan.log.path = room.dir / "0.log";
  run(*s, plan);
  CHECK(expect<exited_event>(*s).code == 7);
  CHECK(std::filesystem::file_size(plan.log.path) == 4096);
  finish(*s);
}

TEST_CASE("a daemon that was started without standard streams starts shims too") {
  shim_room room;
  const auto run_dir = room.dir / "run";
  const auto program = shim_program();
  const pid_t daemon = ::fork();
  REQUIRE(daemon >= 0);
  if (daemon == 0) {
    for (unsigned fd = 0; fd < 3; ++fd)
      ::close(static_cast<int>(fd));
    auto s = make_port(program)->start_session({.uid = "u", .run_dir = run_dir});
    if (!s || !(*s)->shutdown()) ::_exit(2);
    for (;;) {
      pollfd readable{(*s)->poll_fd(), POLLIN, 0};
      if (::poll(&readable, 1, 10'000) != 1) ::_exit(3);
      const auto event = (*s)->next_event();
      if (!event || !*event) continue;
      const auto* down = std::get_if<session_down_event>(&**event);
      if (down != nullptr) ::_exit(down->why == "the shim ended" ? 0 : 4);
    }
  }
  int status = 0;
  REQUIRE(::waitpid(daemon, &status, 0) == daemon);
  CHECK(status == 0);
}

TEST_CASE("what a workload gets to stand on does not depend on the daemon's umask") {
  shim_room room;
  const auto before = ::umask(0077);
  const auto made = room.kernel->make_upper(room.dir / "web", 0);
  ::umask(before);
  REQUIRE(made);
  struct stat upper {};
  REQUIRE(::stat((room.dir / "web" / "upper").c_str(), &upper) == 0);
  CHECK((upper.st_mode & 0777) == 0755); // it becomes the container's "/", for every user
}

TEST_CASE("a shim that can open no file any more still tells what runs and how it ended") {
  shim_room room;
  auto s = room.start();
  REQUIRE(s->create(shell_plan("web", "exit 5")));
  REQUIRE(s->build({"web"}));
  expect<ready_event>(*s);
  expect<built_event>(*s);
  rlimit before{};
  REQUIRE(::prlimit(s->shim_pid(), RLIMIT_NOFILE, nullptr, &before) == 0);
  const rlimit none{6, before.rlim_max}; // poll(2) wants as many as it is asked about
  REQUIRE(::prlimit(s->shim_pid(), RLIMIT_NOFILE, &none, nullptr) == 0);
  REQUIRE(s->proceed({"web"}));
  expect<running_event>(*s);
  CHECK(expect<exited_event>(*s).code == 5);
  REQUIRE(::prlimit(s->shim_pid(), RLIMIT_NOFILE, &before, nullptr) == 0);
  finish(*s);
}

} // namespace shim_attack_test

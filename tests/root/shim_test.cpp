#include "tests/root/shim_fixture.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace shim_test {

using namespace tank;
using namespace tank::kernel;

static const instance web{"web"};

TEST_CASE("a workload's exit status is its exited event") {
  shim_room room;
  auto s = room.start();
  for (const int code : {0, 1, 42}) {
    const auto name = "c" + std::to_string(code);
    run(*s, shell_plan(name, "exit " + std::to_string(code)));
    const auto end = expect<exited_event>(*s);
    CHECK(end.who == instance{name});
    CHECK(end.code == code);
    CHECK(end.finished_ns > 1'600'000'000'000'000'000);
  }
  finish(*s);
}

TEST_CASE("a workload that kills itself is signaled, with the signal's number") {
  shim_room room;
  auto s = room.start();
  auto plan = shell_plan("web", "kill -9 $$");
  plan.new_pid_ns = false; // the init of a pid namespace cannot kill itself
  run(*s, plan);
  CHECK(expect<signaled_event>(*s).signal == SIGKILL);
  finish(*s);
}

TEST_CASE("a program that does not exist fails at 'execute' and is named") {
  shim_room room;
  auto s = room.start();
  REQUIRE(s->create(host_plan("web", {"/no/such/program"})));
  REQUIRE(s->build(web));
  expect<ready_event>(*s);
  expect<built_event>(*s);
  REQUIRE(s->proceed(web));
  const auto failed = expect<failed_event>(*s);
  CHECK(failed.sys == ENOENT);
  CHECK(failed.code == launch_failure::execute);
  CHECK(failed.step == "execute");
  CHECK(failed.object == "/no/such/program");
  CHECK(failed.step_index == -1);
  CHECK(s->info().at(0).at == stage::failed);
  finish(*s);
}

TEST_CASE("a failing step is told with its index, and the container is over") {
  shim_room room;
  auto s = room.start();
  auto plan = shell_plan("web", "exit 0");
  plan.steps = {fault_step{.sys = ENOSPC}};
  REQUIRE(s->create(plan));
  expect<ready_event>(*s);
  REQUIRE(s->build(web));
  const auto failed = expect<failed_event>(*s);
  CHECK(failed.sys == ENOSPC);
  CHECK(failed.step_index == 0);
  const auto refused = s->proceed(web);
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::conflict);
  CHECK(refused.error().cause == "no_process");
  finish(*s);
}

TEST_CASE("requests are refused by stage, with the documented causes") {
  shim_room room;
  auto s = room.start();
  const auto cause = [](const result<void>& r) { return r ? std::string{} : r.error().cause; };
  CHECK(s->build({"nobody"}).error().code == errc::not_found);
  REQUIRE(s->create(shell_plan("web", "read x")));
  CHECK(s->create(shell_plan("web", "exit 0")).error().code == errc::exists);
  CHECK(cause(s->proceed(web)) == "not_ready");
  expect<ready_event>(*s);
  CHECK(cause(s->proceed(web)) == "not_ready");
  CHECK(s->signal(web, 65).error().code == errc::invalid);
  CHECK(s->signal(web, 0).error().code == errc::invalid);
  REQUIRE(s->abort(web));
  expect<aborted_event>(*s);
  CHECK(cause(s->abort(web)) == "no_process");
  CHECK(cause(s->signal(web, 15)) == "no_process");
  CHECK(cause(s->kill(web)) == "no_process");
  run(*s, shell_plan("two", "sleep 1000"));
  CHECK(cause(s->abort({"two"})) == "running");
  CHECK(cause(s->proceed({"two"})) == "running");
  finish(*s);
}

TEST_CASE("an abort sent before ready still ends the container as aborted") {
  shim_room room;
  auto s = room.start();
  REQUIRE(s->create(shell_plan("web", "exit 0")));
  REQUIRE(s->abort(web));
  expect<ready_event>(*s);
  expect<aborted_event>(*s);
  finish(*s);
}

TEST_CASE("signals sent before running are delivered at running") {
  shim_room room;
  auto s = room.start();
  auto plan = shell_plan("web", "sleep 1000");
  plan.new_pid_ns = false;
  REQUIRE(s->create(plan));
  REQUIRE(s->signal(web, SIGUSR1));
  REQUIRE(s->signal(web, SIGTERM));
  REQUIRE(s->build(web));
  expect<ready_event>(*s);
  expect<built_event>(*s);
  REQUIRE(s->proceed(web));
  expect<running_event>(*s);
  const int number = expect<signaled_event>(*s).signal; // both pend: the lower number is taken
  CHECK(number == SIGUSR1);
  finish(*s);
}

TEST_CASE("kill ends the init of a pid namespace and all below it") {
  shim_room room;
  auto s = room.start();
  run(*s, shell_plan("web", "sleep 1000 & sleep 1000; exit 3"));
  REQUIRE(s->kill(web));
  CHECK(expect<signaled_event>(*s).signal == SIGKILL);
  finish(*s);
}

TEST_CASE("two containers of one shim end apart from each other") {
  shim_room room;
  auto s = room.start();
  run(*s, shell_plan("a", "sleep 1000"));
  run(*s, shell_plan("b", "exit 7"));
  const auto end = expect<exited_event>(*s);
  CHECK(end.who == instance{"b"});
  CHECK(end.code == 7);
  CHECK(s->info().at(0).at == stage::running);
  finish(*s);
}

TEST_CASE("a dead shim takes its workload with it and is the session's last event") {
  shim_room room;
  auto s = room.start();
  const pid_t pid = run(*s, shell_plan("web", "sleep 1000"));
  const int watched = static_cast<int>(::syscall(434 /* pidfd_open */, pid, 0));
  REQUIRE(watched >= 0);
  ::kill(s->shim_pid(), SIGKILL);
  CHECK(expect<session_down_event>(*s).why == "the shim was killed by signal 9");
  pollfd dead{watched, POLLIN, 0};
  CHECK(::poll(&dead, 1, 10'000) == 1);
  ::close(watched);
  CHECK(!s->next_event()->has_value());
  CHECK(s->kill(web).error().cause == "no_process");
}

TEST_CASE("a new daemon adopts the shim: same workload, nothing lost") {
  shim_room room;
  auto s = room.start();
  const pid_t shim = s->shim_pid();
  const pid_t pid = run(*s, shell_plan("web", "sleep 1000"));
  const auto fifo = room.dir / "fifo";
  ::mkfifo(fifo.c_str(), 0600);
  const pid_t job = run(*s, shell_plan("job", "read x < " + fifo.string() + "; exit 9"));
  const int watched = static_cast<int>(::syscall(434 /* pidfd_open */, job, 0));
  REQUIRE(watched >= 0);
  s.reset();
  std::ofstream{fifo} << "go\n"; // it ends while no daemon is there
  pollfd dead{watched, POLLIN, 0};
  REQUIRE(::poll(&dead, 1, 10'000) == 1);
  ::close(watched);
  const auto adopted = room.adopt();
  CHECK(adopted->shim_pid() == shim);
  const auto info = adopted->info();
  REQUIRE(info.size() == 2);
  CHECK(info[0].at == stage::running);
  CHECK(info[0].host_pid == pid);
  CHECK(info[0].started_ns > 0);
  REQUIRE(adopted->kill(web));
  for (;;) { // the job's end is either in info or its event comes
    const auto event = await(*adopted);
    if (const auto* end = std::get_if<signaled_event>(&event)) {
      CHECK(end->who == web);
      break;
    }
    CHECK(std::get<exited_event>(event).who == instance{"job"});
  }
  CHECK(adopted->info()[1].at == stage::exited);
  CHECK(adopted->info()[1].result == 9);
  finish(*adopted);
  const auto again = room.kernel->adopt_session(room.dir / "run");
  REQUIRE(!again);
  CHECK(again.error().code == errc::not_found);
}

TEST_CASE("the newest connection wins and the old one says why it is down") {
  shim_room room;
  auto s = room.start();
  run(*s, shell_plan("web", "sleep 1000"));
  const auto second = room.adopt();
  const auto down = expect<session_down_event>(*s);
  CHECK(down.why == "another daemon took over the shim");
  CHECK(down.shim_lives);
  finish(*second);
}

TEST_CASE("a shim without containers ends with its daemon's connection") {
  shim_room room;
  auto s = room.start();
  const int watched = static_cast<int>(::syscall(434, s->shim_pid(), 0));
  s.reset();
  pollfd dead{watched, POLLIN, 0};
  CHECK(::poll(&dead, 1, 10'000) == 1);
  ::close(watched);
  auto next = room.start(); // sweeps: no zombie stays
  finish(*next);
  siginfo_t how{};
  CHECK(::waitid(P_ALL, 0, &how, WEXITED | WNOHANG | WNOWAIT) != 0);
  CHECK(errno == ECHILD);
}

TEST_CASE("nothing is left after a session: no process, no descriptor") {
  const auto fds = entries("/proc/self/fd");
  {
    shim_room room;
    auto s = room.start(false);
    run(*s, shell_plan("web", "sleep 1000 & exit 0"));
    expect<exited_event>(*s);
    auto plan = shell_plan("stray", "sleep 1000 & exit 0"); // an orphan without a pid namespace
    plan.new_pid_ns = false;
    run(*s, plan);
    expect<exited_event>(*s);
    finish(*s);
  }
  CHECK(entries("/proc/self/fd") == fds);
  siginfo_t how{};
  CHECK(::waitid(P_ALL, 0, &how, WEXITED | WNOHANG | WNOWAIT) != 0);
  CHECK(errno == ECHILD);
}

TEST_CASE("a shim program that does not exist is named") {
  shim_room room;
  const auto broken = make_port("/no/such/tank-shim");
  const auto s = broken->start_session({.uid = "u", .run_dir = room.dir / "run"});
  REQUIRE(!s);
  CHECK(s.error().code == errc::not_found);
  CHECK(s.error().message() ==
        "cannot open the shim program '/no/such/tank-shim': No such file or directory");
}

TEST_CASE("a start that fails for want of descriptors leaves no process and no descriptor") {
  shim_room room;
  finish(*room.start()); // the port has its program by now
  const auto fds = entries("/proc/self/fd");
  const auto top = static_cast<rlim_t>(::fcntl(0, F_DUPFD_CLOEXEC, 0));
  ::close(static_cast<int>(top));
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  bool started = false;
  for (rlim_t room_for = 0; !started && room_for < 20; ++room_for) {
    CAPTURE(room_for);
    const rlimit few{top + room_for, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    auto s =
        room.kernel->start_session({.uid = "u", .run_dir = room.dir / "run", .host_network = true});
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    started = s.has_value();
    if (started) finish(**s);
    s = fail(errc::cancelled, "", "", "");
    CHECK(entries("/proc/self/fd") == fds);
  }
  CHECK(started);
  finish(*room.start()); // sweeps
  siginfo_t how{};
  CHECK(::waitid(P_ALL, 0, &how, WEXITED | WNOHANG | WNOWAIT) != 0);
  CHECK(errno == ECHILD);
}

} // namespace shim_test

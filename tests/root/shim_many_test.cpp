// Several containers in one shim, and one container several times.
#include "tests/root/shim_fixture.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace shim_many_test {

using namespace tank;
using namespace tank::kernel;

namespace {
/// A container that says its attempt when it has begun and ends with it when its fifo is written
/// to.
struct waiting_room : shim_room {
  launch_plan plan(const std::string& name) {
    const auto fifo = dir / (name + ".fifo");
    ::mkfifo(fifo.c_str(), 0600); // is there already for a second attempt
    return shell_plan(name, "read code < " + fifo.string() + "; exit $code");
  }
  void end(const std::string& name, int code) const {
    std::ofstream{dir / (name + ".fifo")} << code << "\n";
  }
};

ino_t inode(const std::filesystem::path& path) {
  struct stat st {};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  return st.st_ino;
}

bool lives(pid_t pid) {
  return ::kill(pid, 0) == 0;
}
} // namespace

TEST_CASE("the end of one container leaves the other as it is, whichever ends") {
  waiting_room room;
  auto s = room.start();
  for (const std::string first : {"a", "b"}) {
    CAPTURE(first);
    const std::string second = first == "a" ? "b" : "a";
    const pid_t a = run(*s, room.plan(first));
    const pid_t b = run(*s, room.plan(second));
    CHECK(a != b);
    room.end(first, 4);
    const auto end = expect<exited_event>(*s);
    CHECK(end.who == last(*s, first));
    CHECK(end.code == 4);
    CHECK(lives(b));
    REQUIRE(s->kill(last(*s, second)));
    const auto killed = expect<signaled_event>(*s);
    CHECK(killed.who == last(*s, second));
    CHECK(!killed.out_of_memory);
  }
  finish(*s);
}

TEST_CASE("a second attempt runs beside a container that knows nothing of it") {
  waiting_room room;
  auto s = room.start();
  const pid_t neighbour = run(*s, room.plan("neighbour"));
  run(*s, room.plan("web"));
  room.end("web", 1);
  CHECK(expect<exited_event>(*s).who == instance{"web", 0});
  const pid_t again = run(*s, room.plan("web"));
  CHECK(last(*s, "web") == instance{"web", 1});
  CHECK(s->info().size() == 2);
  CHECK(lives(neighbour));
  CHECK(lives(again));
  CHECK(s->kill({"web", 0}).error().cause == "no_process");
  CHECK(s->signal({"web", 2}, 15).error().code == errc::not_found);
  CHECK(lives(again));
  room.end("web", 2);
  const auto end = expect<exited_event>(*s);
  CHECK(end.who == instance{"web", 1});
  CHECK(end.code == 2);
  room.end("neighbour", 0);
  CHECK(expect<exited_event>(*s).who == instance{"neighbour", 0});
  finish(*s);
}

TEST_CASE("an attempt may have any number that is above those before") {
  shim_room room;
  auto s = room.start();
  auto plan = shell_plan("web", "exit 0");
  for (const std::uint32_t attempt : {3U, 4U, 4'000'000'000U}) {
    plan.attempt = attempt;
    REQUIRE(s->create(plan));
    CHECK(expect<ready_event>(*s).who == instance{"web", attempt});
    CHECK(s->create(as_next(*s, plan)).error().code == errc::exists); // it lives
    REQUIRE(s->abort({"web", attempt}));
    CHECK(expect<aborted_event>(*s).who == instance{"web", attempt});
    CHECK(s->create(plan).error().code == errc::exists); // it was
  }
  plan.attempt = 5;
  CHECK(s->create(plan).error().code == errc::exists);
  finish(*s);
}

TEST_CASE("a new daemon finds the attempts that there are, and goes on counting") {
  waiting_room room;
  auto s = room.start();
  const pid_t neighbour = run(*s, room.plan("neighbour"));
  for (int i = 0; i < 3; ++i) {
    run(*s, room.plan("web"));
    room.end("web", 10 + i);
    expect<exited_event>(*s);
  }
  s.reset();
  const auto next = room.adopt();
  const auto info = next->info();
  REQUIRE(info.size() == 2);
  CHECK(info[0].who == instance{"neighbour", 0});
  CHECK(info[0].host_pid == neighbour);
  CHECK(info[1].who == instance{"web", 2});
  CHECK(info[1].at == stage::exited);
  CHECK(info[1].result == 12);
  run(*next, room.plan("web"));
  CHECK(last(*next, "web") == instance{"web", 3});
  finish(*next);
}

TEST_CASE("the network namespace that comes with the first event is the pod's, for each daemon") {
  shim_room room;
  auto s = room.kernel->start_session({.uid = "u", .run_dir = room.dir / "run"});
  REQUIRE(s);
  const auto ready = expect<sandbox_ready_event>(**s);
  REQUIRE(ready.network);
  const auto handed = "/proc/self/fd/" + std::to_string(ready.network->get());
  const pid_t pid = run(**s, shell_plan("web", "sleep 1000"));
  const auto pods = inode("/proc/" + std::to_string(pid) + "/ns/net");
  CHECK(inode(handed) == pods);
  CHECK(pods != inode("/proc/self/ns/net"));
  s->reset();
  const auto next = room.kernel->adopt_session(room.dir / "run");
  REQUIRE(next);
  const auto again = expect<sandbox_ready_event>(**next);
  REQUIRE(again.network);
  CHECK(inode("/proc/self/fd/" + std::to_string(again.network->get())) == pods);
  expect<adopted_event>(**next);
  finish(**next);
}

TEST_CASE("the network namespace of a pod with users of its own is handed over too") {
  shim_room room;
  auto s = room.kernel->start_session(
      {.uid = "u", .run_dir = room.dir / "run", .users = {0x7300'0000, 65536}});
  REQUIRE(s);
  const auto ready = expect<sandbox_ready_event>(**s);
  REQUIRE(ready.network);
  CHECK(inode("/proc/self/fd/" + std::to_string(ready.network->get())) ==
        inode("/proc/" + std::to_string((*s)->shim_pid()) + "/ns/net"));
  finish(**s);
}

TEST_CASE("no container has a terminal so far, and each says so as an event") {
  shim_room room;
  auto s = room.start();
  CHECK(s->open_terminal({"web"}, {}).error().code == errc::not_found);
  run(*s, shell_plan("web", "sleep 1000"));
  REQUIRE(s->open_terminal({"web"}, {.rows = 24, .columns = 80}));
  const auto none = expect<refused_event>(*s);
  CHECK(none.who == instance{"web"});
  CHECK(none.about == request::open_terminal);
  CHECK(none.why == refusal::no_pty);
  REQUIRE(s->kill({"web"}));
  expect<signaled_event>(*s);
  REQUIRE(s->open_terminal({"web"}, {}));
  CHECK(expect<refused_event>(*s).why == refusal::no_process);
  finish(*s);
}

} // namespace shim_many_test

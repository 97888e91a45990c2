#include "tests/root/shim_fixture.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

namespace shim_log_test {

using namespace tank;
using namespace tank::kernel;

namespace {
/// The lines without their stamps, which are checked for their shape and order.
std::string without_stamps(const std::string& log) {
  std::istringstream lines{log};
  std::string out;
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    REQUIRE(line.size() > 31);
    const auto stamp = line.substr(0, 30);
    CHECK(stamp[10] == 'T');
    CHECK(stamp[29] == 'Z');
    CHECK(stamp >= last);
    last = stamp;
    out += line.substr(31) + "\n";
  }
  return out;
}

struct log_room : shim_room {
  std::filesystem::path log = dir / "0.log";
  launch_plan plan(std::string script) {
    auto p = shell_plan("web", std::move(script));
    p.log.path = log;
    return p;
  }
};
} // namespace

TEST_CASE("a workload's output is in its log, whole, before its end is told") {
  log_room room;
  auto s = room.start();
  run(*s, room.plan("echo one; echo two; printf three"));
  expect<exited_event>(*s);
  CHECK(without_stamps(slurp(room.log)) == "stdout F one\nstdout F two\nstdout P three\n");
  finish(*s);
}

TEST_CASE("both streams are told apart") {
  log_room room;
  auto s = room.start();
  run(*s, room.plan("echo out; echo err >&2"));
  expect<exited_event>(*s);
  const auto text = without_stamps(slurp(room.log));
  CHECK(text.find("stdout F out\n") != std::string::npos);
  CHECK(text.find("stderr F err\n") != std::string::npos);
  finish(*s);
}

TEST_CASE("a megabyte of output arrives complete through rotation") {
  log_room room;
  auto s = room.start();
  auto plan = room.plan("seq 1 100000");
  plan.log.max_bytes = 2 << 20;
  plan.log.max_files = 5;
  run(*s, plan);
  expect<exited_event>(*s);
  std::string all;
  int files = 0;
  for (int n = 4; n >= 0; --n) {
    const auto path = n == 0 ? room.log.string() : room.log.string() + "." + std::to_string(n);
    if (!std::filesystem::exists(path)) continue;
    CHECK(std::filesystem::file_size(path) <= (2u << 20));
    all += slurp(path);
    ++files;
  }
  CHECK(files == 3);
  std::string expected;
  for (int i = 1; i <= 100000; ++i)
    expected += "stdout F " + std::to_string(i) + "\n";
  CHECK(without_stamps(all) == expected);
  finish(*s);
}

TEST_CASE("a descendant that keeps the pipe open does not delay the end, and is still logged") {
  log_room room;
  auto s = room.start();
  const auto fifo = room.dir / "fifo";
  ::mkfifo(fifo.c_str(), 0600);
  auto plan = room.plan("(read x < " + fifo.string() + "; echo late; echo > " +
                        (room.dir / "fifo2").string() + ") & echo early");
  plan.new_pid_ns = false; // else it would die with the first process
  ::mkfifo((room.dir / "fifo2").c_str(), 0600);
  run(*s, plan);
  expect<exited_event>(*s);
  CHECK(without_stamps(slurp(room.log)) == "stdout F early\n");
  std::ofstream{fifo} << "go\n";
  slurp(room.dir / "fifo2"); // returns when the descendant has written and opened it
  finish(*s);
  CHECK(without_stamps(slurp(room.log)) == "stdout F early\nstdout F late\n");
}

TEST_CASE("output goes on while no daemon is there, and a new one finds the end") {
  log_room room;
  auto s = room.start();
  const auto fifo = room.dir / "fifo";
  ::mkfifo(fifo.c_str(), 0600);
  const pid_t pid = run(*s, room.plan("read x < " + fifo.string() + "; echo $x; exit 5"));
  const int watched = static_cast<int>(::syscall(434, pid, 0));
  s.reset();
  std::ofstream{fifo} << "alone\n";
  pollfd dead{watched, POLLIN, 0};
  REQUIRE(::poll(&dead, 1, 10'000) == 1);
  ::close(watched);
  const auto adopted = room.adopt();
  if (adopted->info().at(0).at == stage::running) expect<exited_event>(*adopted);
  const auto info = adopted->info().at(0);
  CHECK(info.at == stage::exited);
  CHECK(info.result == 5);
  CHECK(info.finished_ns > info.started_ns);
  CHECK(without_stamps(slurp(room.log)) == "stdout F alone\n");
  finish(*adopted);
}

TEST_CASE("a full disk drops output and never blocks or kills the workload") {
  log_room room;
  const auto small = room.dir / "small";
  std::filesystem::create_directory(small);
  REQUIRE(::mount("tank-test", small.c_str(), "tmpfs", 0, "size=64k") == 0);
  {
    auto s = room.start();
    auto plan = room.plan("seq 1 100000; exit 4");
    plan.log.path = small / "0.log";
    run(*s, plan);
    CHECK(expect<exited_event>(*s).code == 4);
    CHECK(std::filesystem::file_size(small / "0.log") <= 65536);
    finish(*s);
  }
  CHECK(::umount(small.c_str()) == 0);
}

TEST_CASE("a log that cannot be opened fails the container and names the file") {
  log_room room;
  auto s = room.start();
  auto plan = room.plan("exit 0");
  plan.log.path = room.dir / "missing" / "0.log";
  REQUIRE(s->create(plan));
  const auto failed = expect<failed_event>(*s);
  CHECK(failed.sys == ENOENT);
  CHECK(failed.code == launch_failure::open_log);
  CHECK(failed.step == "open the log");
  CHECK(failed.object == plan.log.path);
  finish(*s);
}

} // namespace shim_log_test

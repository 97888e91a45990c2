// Pods outlive the daemon: one that ends, one that is killed anywhere. Heard from inside the pods.
#include "tests/root/host_fixture.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>

#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <sys/poll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace e2e_adopt_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

/// Backs off for moments only; its daemon leaves pods running.
struct lasting_host : host {
  explicit lasting_host(const std::string& more = "backoff: {base: 10ms, max: 10ms}\n")
      : host("stopPodsOnExit: false\n" + more) {}

  /// The end of a case: a daemon that stops all takes over and is ended.
  void end() {
    if (started_) stop_daemon();
    start_daemon({"daemon", "--stop-pods-on-exit"});
    await("it knows its pods", [](const pods&) { return true; });
    stop_daemon();
  }
  void up() {
    start_daemon();
    started_ = true;
  }
  void down(bool killed = true) {
    killed ? kill_daemon() : stop_daemon();
    started_ = false;
  }
  /// A pod that carries out what is written into the FIFO `name` beside its evidence in name.log.
  void put_obedient(const std::string& name, const std::string& restart = "Always") {
    const auto fifo = shared / name;
    if (!fs::exists(fifo)) REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    auto pod = living_pod(name, "x", shared);
    pod.restart = restart;
    pod.command = {"/bin/sh", "-c",
                   "trap 'exit 0' TERM; echo start >> /shared/" + name +
                       ".log; while :; do read line < /shared/" + name +
                       " && eval \"$line\"; done"};
    put(pod);
  }
  void order(const std::string& name, const std::string& command) const {
    const unique_fd fifo{
        ::open((shared / name).c_str(), O_WRONLY | O_CLOEXEC)}; // awaits its reader
    REQUIRE(fifo);
    const auto line = command + "\n";
    REQUIRE(::write(fifo.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  }
  [[nodiscard]] int starts(const std::string& name) const {
    const auto text = shared_text(name + ".log");
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }

 private:
  bool started_ = false;
};

/// Field 22 of /proc/<pid>/stat: when it began, in ticks since boot.
std::string start_time(pid_t pid) {
  const auto stat = file_text("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream rest{stat.substr(stat.rfind(')') + 2)};
  std::string word;
  for (int field = 3; field <= 22; ++field)
    rest >> word;
  return word;
}

bool alive(pid_t pid) {
  return fs::exists("/proc/" + std::to_string(pid));
}

void await_death(pid_t pid) {
  const unique_fd fd{static_cast<int>(::syscall(434 /* pidfd_open */, pid, 0))};
  if (!fd) return;
  pollfd dead{fd.get(), POLLIN, 0};
  REQUIRE(::poll(&dead, 1, patience_ms) == 1);
}

pid_t parent_of(pid_t pid) {
  std::ifstream in{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("PPid:")) return std::stoi(line.substr(5));
  return 0;
}

} // namespace

TEST_CASE("a daemon that ends or is killed leaves its pods, and the next one has the same") {
  for (const bool killed : {false, true}) {
    CAPTURE(killed);
    lasting_host h;
    const auto before = h.snapshot();
    h.put_obedient("web");
    h.up();
    h.await_running("web");
    h.order("web", "exit 3");
    const auto first = h.await_pod("web", "is again", [](const pod_status& p) {
      return p.restarts == 1 && p.state == pod_state::running && p.host_pid > 0;
    });
    const auto since = start_time(first.host_pid);
    const auto log = h.log_dir(first) / "1.log";
    h.order("web", "echo one");
    CHECK(await_file(log, [](const auto& text) { return text.ends_with("one\n"); }));
    h.down(killed);
    CHECK(start_time(first.host_pid) == since);
    h.order("web", "echo two");
    CHECK(await_file(log, [](const auto& text) { return text.ends_with("two\n"); }));
    h.up();
    const auto second = h.await_running("web");
    CHECK(second.host_pid == first.host_pid);
    CHECK(start_time(second.host_pid) == since);
    CHECK(second.uid == first.uid);
    CHECK(second.restarts == 1);
    CHECK(second.retries == first.retries);
    CHECK(second.started_ns == first.started_ns);
    CHECK(second.created_ns == first.created_ns);
    CHECK(second.last->exit_code == 3);
    h.order("web", "echo three");
    CHECK(await_file(log, [](const auto& text) { return text.ends_with("three\n"); }));
    CHECK(log_text(log) == "one\ntwo\nthree\n");
    h.order("web", "exit 4"); // its end is heard, and counted on
    h.await_pod("web", "is again", [](const pod_status& p) {
      return p.restarts == 2 && p.state == pod_state::running;
    });
    CHECK(await_file(h.shared / "web.log",
                     [](const auto& text) { return text == "start\nstart\nstart\n"; }));
    h.end();
    CHECK(difference(before, h.snapshot()) == "");
  }
}

TEST_CASE("an end that no daemon saw is collected, and the restart policy applied to it") {
  struct {
    const char* policy;
    int code;
    bool again;
  } const rows[] = {{"Never", 7, false},
                    {"Never", 0, false},
                    {"OnFailure", 0, false},
                    {"OnFailure", 7, true},
                    {"Always", 0, true}};
  for (const auto& row : rows) {
    CAPTURE(row.policy);
    CAPTURE(row.code);
    lasting_host h;
    const auto before = h.snapshot();
    h.put_obedient("job", row.policy);
    h.up();
    const auto pod = h.await_running("job");
    h.down();
    h.order("job", "exit " + std::to_string(row.code));
    await_death(pod.host_pid);
    h.up();
    const auto restarts = row.again ? 1u : 0u;
    const auto after = h.await_pod("job", "is judged", [&](const pod_status& p) {
      return p.state == (row.again ? pod_state::running : pod_state::terminal) &&
             p.restarts == restarts && p.last;
    });
    CHECK(after.last->exit_code == row.code);
    CHECK(after.last->started_ns == pod.started_ns);
    CHECK(await_file(h.shared / "job.log", [&](const auto& text) {
      return text == (row.again ? "start\nstart\n" : "start\n");
    }));
    h.down();
    h.up(); // and it stays as it is
    h.await_pod("job", "is as it was", [&](const pod_status& p) {
      return p.state == after.state && p.restarts == after.restarts;
    });
    CHECK(h.starts("job") == (row.again ? 2 : 1));
    h.end();
    CHECK(difference(before, h.snapshot()) == "");
  }
}

TEST_CASE("manifests that change while no daemon looks: gone, edited, broken, unreadable, moved") {
  lasting_host h;
  const auto before = h.snapshot();
  for (const auto* name : {"gone", "edited", "broken", "looped", "moved"})
    h.put(living_pod(name, "old", h.shared));
  h.up();
  std::map<std::string, pod_status> old;
  for (const auto* name : {"gone", "edited", "broken", "looped", "moved"}) {
    old[name] = h.await_running(name);
    CHECK(await_file(h.shared / (std::string{name} + ".log"),
                     [](const auto& text) { return text == "start old\n"; }));
  }
  h.down();
  h.remove("gone.yaml");
  h.put(living_pod("edited", "new", h.shared));
  h.put("broken.yaml", "apiVersion: v1\nkind: Pod\nspec: [");
  h.remove("looped.yaml");
  fs::create_symlink("looped.yaml", h.dirs.manifest_dir / "looped.yaml");
  fs::rename(h.dirs.manifest_dir / "moved.yaml", h.dirs.manifest_dir / "elsewhere.yaml");
  h.up();
  h.await_running("edited", old["edited"].uid);
  h.await_gone("gone");
  h.barrier(); // all has been looked at
  for (const auto* name : {"broken", "looped", "moved"}) {
    CAPTURE(name);
    CHECK(h.await_running(name).host_pid == old[name].host_pid);
    CHECK(h.shared_text(std::string{name} + ".log") == "start old\n");
  }
  CHECK(await_file(h.shared / "edited.log",
                   [](const auto& text) { return text == "start old\nterm old\nstart new\n"; }));
  CHECK(h.shared_text("gone.log") == "start old\nterm old\n");
  CHECK_FALSE(alive(old["gone"].host_pid));
  h.put(living_pod("broken", "mended", h.shared));
  h.await_running("broken", old["broken"].uid);
  h.end();
  CHECK(difference(before, h.snapshot()) == "");
}

TEST_CASE("a daemon told so takes its pods with it, by flag and by setting; tank up always does") {
  for (const bool flag : {false, true}) {
    CAPTURE(flag);
    host h(flag ? "stopPodsOnExit: false\n" : "stopPodsOnExit: true\n");
    const auto before = h.snapshot();
    h.put(living_pod("web", "x", h.shared));
    h.start_daemon(flag ? std::vector<std::string>{"daemon", "--stop-pods-on-exit"}
                        : std::vector<std::string>{"daemon"});
    h.await_running("web");
    CHECK(await_file(h.shared / "web.log", [](const auto& text) { return text == "start x\n"; }));
    h.stop_daemon();
    CHECK(h.shared_text("web.log") == "start x\nterm x\n");
    CHECK(difference(before, h.snapshot()) == "");
  }
}

TEST_CASE(
    "a shim that is killed while no daemon is there costs a restart, and one that runs none") {
  lasting_host h;
  const auto before = h.snapshot();
  h.put_obedient("hit");
  h.put_obedient("spared");
  h.up();
  const auto hit = h.await_running("hit");
  const auto spared = h.await_running("spared");
  h.down();
  const auto shim = parent_of(hit.host_pid);
  REQUIRE(shim > 1);
  ::kill(shim, SIGKILL);
  await_death(hit.host_pid);
  h.up();
  const auto again = h.await_pod("hit", "is again", [](const pod_status& p) {
    return p.restarts == 1 && p.state == pod_state::running;
  });
  CHECK(again.last->exit_code == 137);
  CHECK(h.await_running("spared").host_pid == spared.host_pid);
  h.end();
  CHECK(difference(before, h.snapshot()) == "");
}

TEST_CASE("whatever the daemon was about to do when it was killed is done, once") {
  lasting_host h;
  const auto tank = h.program;
  const auto before = h.snapshot();
  std::size_t calls = 1;
  // Each call of the kernel port in turn, of a start and, behind it, of a collected end.
  for (std::size_t n = 0; n < calls; ++n) {
    CAPTURE(n);
    const auto name = "job" + std::to_string(n);
    auto pod = living_pod(name, "x", h.shared);
    pod.restart = "Never";
    pod.command = {"/bin/sh", "-c", "echo start >> /shared/" + name + ".log; exit 5"};
    h.put(pod);
    h.program = std::getenv("TANK_FAULTY");
    h.environment["TANK_FAULT"] = "die:" + std::to_string(n);
    auto faulty = h.spawn({"daemon"});
    // It dies, or the pod has ended before it came that far.
    if (faulty->await("state=terminal")) faulty->signal(SIGTERM);
    const int code = faulty->wait();
    CHECK_MESSAGE((code == 0 || code == -SIGKILL), faulty->err);
    calls = code == 0 ? n : n + 2; // 0: all of them have had their turn
    h.environment.erase("TANK_FAULT");
    h.program = tank;
    h.up();
    const auto done = h.await_pod(
        name, "has ended", [](const pod_status& p) { return p.state == pod_state::terminal; });
    CHECK(done.last->exit_code == 5);
    CHECK(done.restarts == 0);
    CHECK(h.starts(name) == 1);
    h.remove(name + ".yaml");
    h.await_gone(name);
    h.down(false);
    CHECK(difference(before, h.snapshot()) == "");
    REQUIRE(n < 40);
  }
  CHECK(calls >= 6); // remove_tree, make_upper, start_session, create, build, proceed, ...
}

TEST_CASE("an idle daemon with 200 adopted pods sleeps") {
  constexpr int count = 200;
  constexpr int seconds = 10;
  lasting_host h;
  const auto before = h.snapshot();
  for (int i = 0; i < count; ++i)
    h.put({.name = "p" + std::to_string(i)});
  h.up();
  const auto all_run = [&](const host::pods& now) {
    return now.size() == count && std::all_of(now.begin(), now.end(), [](const auto& p) {
             return p.second.state == pod_state::running && p.second.host_pid > 0;
           });
  };
  const auto first = h.await("all run", all_run);
  h.down(false);
  h.up();
  const auto second = h.await("all are adopted", all_run);
  for (const auto& [name, pod] : first)
    CHECK(second.at(name).host_pid == pod.host_pid);
  clockid_t clock{};
  REQUIRE(::clock_getcpuclockid(h.daemon().pid(), &clock) == 0);
  const auto cpu_ms = [&] {
    timespec t{};
    ::clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
  };
  unique_fd timer{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
  const auto span = [&](int s) { // nothing to wait for but time itself
    const itimerspec in{.it_interval = {}, .it_value = {.tv_sec = s, .tv_nsec = 0}};
    ::timerfd_settime(timer.get(), 0, &in, nullptr);
    std::uint64_t fired = 0;
    REQUIRE(::read(timer.get(), &fired, sizeof fired) == sizeof fired);
  };
  span(1); // what the start still had to do
  const auto from = cpu_ms();
  span(seconds);
  const auto share = (cpu_ms() - from) / (seconds * 1e3) * 100;
  timer.reset();
  MESSAGE("200 adopted pods: " << share << " % of one CPU");
  CHECK(share < 0.5);
  h.end();
  CHECK(difference(before, h.snapshot()) == "");
}

} // namespace e2e_adopt_test

// Limits by what they do, on this host's cgroups, whichever version they are.
#include "tests/root/host_fixture.hpp"

#include "kernel/cgroup.hpp"

#include <cerrno>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace e2e_limits_test {

using namespace tank;
using namespace tank::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

using clock = std::chrono::steady_clock;

bool ended(const pod_status& p) {
  return p.state == pod_state::terminal;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool have_shell() {
  if (fs::exists("/bin/busybox")) return true;
  MESSAGE("skipped: no /bin/busybox for the workloads");
  return false;
}

/// A host that must be as before when the case is over.
struct room : host {
  host_snapshot before;
  bool daemon_runs = true;

  explicit room(const std::string& more = {}) : host("backoff: {base: 20ms, max: 200ms}\n" + more) {
    REQUIRE_MESSAGE(dirs.cgroups.version != cgroup_version::none, "this host has no cgroups");
    before = snapshot();
    start_daemon();
  }
  ~room() {
    if (daemon_runs) stop_daemon();
    CHECK(difference(before, snapshot()) == "");
  }

  [[nodiscard]] bool unified() const { return dirs.cgroups.version == cgroup_version::v2; }
  [[nodiscard]] fs::path cgroup(const pod_status& p) const {
    return dirs.pod_cgroup(p.uid) / "main";
  }
  [[nodiscard]] kernel::cgroup_stats stats(const pod_status& p) const {
    auto read = kernel::read_cgroup(dirs.cgroups, cgroup(p));
    REQUIRE_MESSAGE(read, read.error().message());
    return *read;
  }
  /// A file of the pod's or its container's cgroup, in the hierarchy that has it.
  [[nodiscard]] fs::path path(const pod_status& p, const std::string& v2, const std::string& v1,
                              bool of_pod = false) const {
    for (const auto& h : dirs.cgroups.hierarchies) {
      auto path =
          h.directory / (of_pod ? cgroup(p).parent_path() : cgroup(p)) / (unified() ? v2 : v1);
      if (fs::exists(path)) return path;
    }
    return "no such file";
  }
  [[nodiscard]] std::string file(const pod_status& p, const std::string& v2, const std::string& v1,
                                 bool of_pod = false) const {
    auto text = file_text(path(p, v2, v1, of_pod));
    while (text.ends_with('\n'))
      text.pop_back();
    return text;
  }
  [[nodiscard]] std::string memory_limit(const pod_status& p, bool of_pod = false) const {
    return file(p, "memory.max", "memory.limit_in_bytes", of_pod);
  }

  pod_text pod(const std::string& name, const std::string& resources,
               std::vector<std::string> command, const std::string& restart = "Never") const {
    pod_text p{.name = name};
    p.command = std::move(command);
    p.restart = restart;
    if (!resources.empty()) p.container_more = "    resources: " + resources + "\n";
    p.container_more += "    volumeMounts: [{name: shared, mountPath: /shared}]\n";
    p.spec_more = "  volumes: [{name: shared, hostPath: {path: " + shared.string() + "}}]\n";
    return p;
  }
};

/// A process of any parent, by number at a time when it lives.
bool await_end(pid_t pid) {
  const unique_fd fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  if (!fd) return true;
  pollfd end{fd.get(), POLLIN, 0};
  return ::poll(&end, 1, patience_ms) == 1;
}

pid_t parent_of(pid_t pid) {
  const auto stat = file_text("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream rest{stat.substr(stat.rfind(')') + 1)};
  std::string state;
  pid_t parent = 0;
  rest >> state >> parent;
  return parent;
}

/// Seconds that all processors together had nothing to do since they started.
double idle_seconds() {
  std::istringstream in{file_text("/proc/stat")};
  std::string cpu;
  double user = 0, nice = 0, system = 0, idle = 0;
  in >> cpu >> user >> nice >> system >> idle;
  return idle / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void check_oom_told(room& h, const pod_status& p, int exit_code) {
  REQUIRE(p.last);
  CHECK(p.last->reason == "OOMKilled");
  CHECK(p.last->exit_code == exit_code);
  CHECK_MESSAGE(p.last->message.starts_with("OOMKilled: "), p.last->message);
  const auto name = p.key.substr(p.key.find('/') + 1);
  const auto described = h.hear({"describe", "pod", name});
  CHECK_MESSAGE(has(described, "(OOMKilled)"), described);
  const auto listed = json::parse(h.hear({"get", "pods", name, "-o", "json"}));
  CHECK(listed["items"][0]["lastExit"]["reason"] == "OOMKilled");
}

} // namespace

TEST_CASE("a workload is in its cgroup from the start, its shim is not") {
  room h;
  h.put(h.pod("plain", "{limits: {memory: 64Mi, cpu: 500m}, requests: {memory: 32Mi}}",
              {"/bin/witness", "sleep"}));
  h.put(h.pod("free", "", {"/bin/witness", "sleep"}));
  const auto p = h.await_running("plain");
  const auto of = [](pid_t pid) { return file_text("/proc/" + std::to_string(pid) + "/cgroup"); };
  std::size_t in = 0;
  std::istringstream lines{of(p.host_pid)};
  for (std::string line; std::getline(lines, line);)
    in += line.ends_with("/" + h.cgroup(p).string()) ? 1 : 0;
  CHECK(in == h.dirs.cgroups.hierarchies.size());
  CHECK(!has(of(parent_of(p.host_pid)), p.uid));
  CHECK(h.memory_limit(p) == "67108864");
  CHECK(h.memory_limit(p, true) == "67108864");
  CHECK(h.file(p, "cpu.max", "cpu.cfs_quota_us") == (h.unified() ? "50000 100000" : "50000"));
  CHECK(h.file(p, "cpu.weight", "cpu.shares") == (h.unified() ? "59" : "512"));
  CHECK(h.file(p, "pids.max", "pids.max", true) == "4096");
  CHECK(h.stats(p).pids == 1);
  CHECK(h.stats(p).memory.value_or(0) > 0);
  CHECK(p.phases.limits.count() > 0);
  // One that asks for nothing is counted, is the first to go when memory is short, and is bounded
  // in its processes alone.
  const auto q = h.await_running("free");
  CHECK(file_text("/proc/" + std::to_string(q.host_pid) + "/oom_score_adj") == "1000\n");
  CHECK(h.file(q, "pids.max", "pids.max", true) == "4096");
  CHECK(!h.stats(q).memory_limit);
  CHECK(h.stats(q).cpu_us.value_or(0) > 0);
}

TEST_CASE("a workload finds its own limit below /sys/fs/cgroup, and cannot change it") {
  room h;
  const std::string path =
      h.unified() ? "/sys/fs/cgroup/memory.max" : "/sys/fs/cgroup/memory/memory.limit_in_bytes";
  h.put(h.pod("looks", "{limits: {memory: 48Mi}}",
              {"/bin/witness", "read", path, "--", "try-write", path}));
  const auto p = h.await_pod("looks", "ends", ended);
  const auto said = log_text(h.log_dir(p) / "0.log");
  CHECK(has(said, "50331648\n"));
  CHECK_MESSAGE(has(said, "errno " + std::to_string(EROFS)), said);
}

TEST_CASE("a workload that wants more memory than its limit is killed and called OOMKilled") {
  room h;
  h.put(h.pod("eater", "{limits: {memory: 24Mi}}", {"/bin/witness", "eat", "256"}));
  const auto p = h.await_pod("eater", "ends", ended);
  check_oom_told(h, p, 137);
  CHECK(p.last->signal == SIGKILL);
  CHECK(h.daemon().await("OOMKilled"));
  // A failure like another one: the restart policy decides.
  auto again = h.pod("again", "{limits: {memory: 24Mi}}", {"/bin/witness", "eat", "256"});
  again.restart = "OnFailure";
  h.put(again);
  h.await_pod("again", "was started again", [](const auto& s) { return s.restarts >= 2; });
  // Who stays below is left alone.
  h.put(h.pod("modest", "{limits: {memory: 64Mi}}", {"/bin/witness", "eat", "16"}));
  CHECK(h.await_pod("modest", "ends", ended).last->reason == "Completed");
}

TEST_CASE("a child that is killed for memory takes the name of the pod's failure") {
  if (!have_shell()) return;
  room h;
  h.put(h.pod("parent", "{limits: {memory: 24Mi}}",
              {"/bin/sh", "-c", "/bin/witness eat 256; exit 3"}));
  // v2 ends what is left of a container that has lost a process.
  check_oom_told(h, h.await_pod("parent", "ends", ended), h.unified() ? 137 : 3);
  h.put(h.pod("copes", "{limits: {memory: 24Mi}}",
              {"/bin/sh", "-c", "/bin/witness eat 256; exit 0"}));
  const auto p = h.await_pod("copes", "ends", ended);
  CHECK(p.last->reason == (h.unified() ? "OOMKilled" : "Completed"));
  h.put(h.pod("other", "{limits: {memory: 24Mi}}", {"/bin/sh", "-c", "kill -9 $$; exit 3"}));
  CHECK(h.await_pod("other", "ends", ended).last->reason == "Error");
}

TEST_CASE("an end for memory that no daemon saw is told by the next one") {
  if (!have_shell()) return;
  room h{"stopPodsOnExit: false\n"};
  const auto go = h.shared / "go";
  REQUIRE(::mkfifo(go.c_str(), 0600) == 0);
  h.put(h.pod("late", "{limits: {memory: 24Mi}}",
              {"/bin/sh", "-c", "read go < /shared/go; exec /bin/witness eat 256"}));
  const auto p = h.await_running("late");
  h.kill_daemon();
  const unique_fd told{::open(go.c_str(), O_RDWR | O_CLOEXEC)}; // to write alone waits for a reader
  REQUIRE(::write(told.get(), "\n", 1) == 1);
  CHECK(await_end(p.host_pid));
  h.start_daemon();
  check_oom_told(h, h.await_pod("late", "ends", ended), 137);
  h.remove("late.yaml");
  h.await_gone("late");
}

TEST_CASE("a fork bomb is held where the pod's limit is, and the daemon answers") {
  room h{"podPidsLimit: 40\n"};
  h.put(h.pod(
      "bomb", "",
      {"/bin/witness", "fork-many", "500", "--", "write", "/shared/done", "yes", "--", "sleep"}));
  REQUIRE(await_file(h.shared / "done", [](const auto& text) { return text == "yes"; }));
  const auto p = h.await_running("bomb");
  const auto log = h.log_dir(p) / "0.log"; // its shim may read later than it writes
  REQUIRE(await_file(log, [](const auto& text) { return text.ends_with("\n"); }));
  CHECK(log_text(log) == "forked 39: errno 11\n");
  CHECK(h.stats(p).pids == 40);
  CHECK(has(h.hear({"get", "pods"}), "bomb"));
  h.put(h.pod("beside", "", {"/bin/witness", "exit", "0"}));
  CHECK(h.await_pod("beside", "ends", ended).last->exit_code == 0);
  h.remove("bomb.yaml");
  h.await_gone("bomb");
}

TEST_CASE("without the bound on processes nothing holds it") {
  room h{"podPidsLimit: 0\n"};
  h.put(h.pod("bomb", "", {"/bin/witness", "fork-many", "60"}));
  const auto p = h.await_pod("bomb", "ends", ended);
  CHECK(log_text(h.log_dir(p) / "0.log") == "forked 60: errno 0\n");
}

TEST_CASE("a quota of processor time holds within a fifth") {
  if (!have_shell()) return;
  room h;
  constexpr double quota = 0.3;
  h.put(h.pod("burner", "{limits: {cpu: 300m}}", {"/bin/sh", "-c", "while :; do :; done"}));
  const auto p = h.await_running("burner");
  const auto used = [&] { return static_cast<double>(h.stats(p).cpu_us.value_or(0)) / 1e6; };
  ::poll(nullptr, 0, 500); // the first period is none of its own
  const auto idle_before = idle_seconds();
  const auto begin = clock::now();
  const auto before = used();
  ::poll(nullptr, 0, 6000); // the time over which it is measured
  const auto after = used();
  const std::chrono::duration<double> span = clock::now() - begin;
  const auto idle = idle_seconds() - idle_before;
  const auto share = (after - before) / span.count();
  MESSAGE("a quota of 0.3 gave " << share << " of a processor, " << idle << " s were idle");
  CHECK(share <= quota * 1.2);
  CHECK(share > 0);
  // Less than its quota is right only where there was no more to be had.
  const auto missing = (quota - share) * span.count();
  CHECK((share >= quota * 0.8 || idle < missing * 2));
  CHECK(h.stats(p).throttled_periods.has_value());
}

TEST_CASE("whatever a pod has forked goes with it") {
  room h;
  for (const std::string name : {"deleted", "killed", "deleted-host", "killed-host"}) {
    auto p = h.pod(name, "", {"/bin/witness", "orphans", "7"}, "Always");
    // Without a process namespace of its own no init takes the others along.
    if (name.ends_with("-host")) p.spec_more += "  hostPID: true\n";
    h.put(p);
  }
  const auto all_there = [&](const pod_status& p) {
    for (;; ::poll(nullptr, 0, 1)) { // a process counts before it is listed
      std::vector<pid_t> pids;
      std::istringstream in{h.file(p, "cgroup.procs", "cgroup.procs")};
      for (pid_t pid = 0; in >> pid;)
        pids.push_back(pid);
      if (pids.size() >= 8) return pids;
    }
  };
  const auto check_ended = [](const std::vector<pid_t>& pids) {
    CHECK(pids.size() >= 8);
    for (const pid_t pid : pids)
      CHECK(await_end(pid));
  };
  for (const std::string of : {"", "-host"}) {
    CAPTURE(of);
    const auto a = all_there(h.await_running("deleted" + of));
    h.remove("deleted" + of + ".yaml");
    h.await_gone("deleted" + of);
    check_ended(a);
    // A shim that is killed leaves nobody who could tell.
    const auto q = h.await_running("killed" + of);
    const auto b = all_there(q);
    ::kill(parent_of(q.host_pid), SIGKILL);
    h.await_pod("killed" + of, "was started again", [](const auto& s) { return s.restarts >= 1; });
    check_ended(b);
  }
}

// --- in place ------------------------------------------------------------------------------------

TEST_CASE("limits that are edited change under a running pod") {
  room h;
  const auto put = [&h](const std::string& resources) {
    h.put(h.pod("edited", resources, {"/bin/witness", "sleep"}));
  };
  put("{limits: {memory: 64Mi, cpu: 500m}, requests: {memory: 32Mi}}");
  const auto p = h.await_running("edited");
  put("{limits: {memory: 80Mi, cpu: 700m}, requests: {memory: 32Mi, cpu: 250m}}");
  REQUIRE(h.daemon().await("event=limits_changed pod=default/edited"));
  CHECK(h.memory_limit(p) == "83886080");
  CHECK(h.memory_limit(p, true) == "83886080");
  CHECK(h.file(p, "cpu.max", "cpu.cfs_quota_us") == (h.unified() ? "70000 100000" : "70000"));
  CHECK(h.file(p, "cpu.weight", "cpu.shares") == (h.unified() ? "35" : "256"));
  put("{limits: {memory: 48Mi}, requests: {memory: 32Mi}}"); // smaller, and no quota any more
  REQUIRE(h.daemon().await("event=limits_changed pod=default/edited"));
  CHECK(h.memory_limit(p) == "50331648");
  CHECK(h.memory_limit(p, true) == "50331648");
  CHECK(h.file(p, "cpu.max", "cpu.cfs_quota_us") == (h.unified() ? "max 100000" : "-1"));
  h.barrier(); // what is seen now is from after the edits
  const auto after = h.await_running("edited");
  CHECK(after.host_pid == p.host_pid);
  CHECK(after.uid == p.uid);
  CHECK(after.restarts == 0);
  const auto shown = json::parse(h.hear({"top", "edited", "-o", "json"}));
  CHECK(shown["items"][0]["memoryLimitBytes"] == 48 << 20);
  // Another class, or anything else, is another pod.
  h.put(h.pod("edited", "{limits: {memory: 48Mi, cpu: 1}}", {"/bin/witness", "sleep"}));
  CHECK(h.await_running("edited", p.uid).host_pid != p.host_pid);
}

TEST_CASE("limits that are edited while no daemon runs come into force with the next") {
  room h{"stopPodsOnExit: false\n"};
  h.put(h.pod("edited", "{limits: {memory: 64Mi}}", {"/bin/witness", "sleep"}));
  const auto p = h.await_running("edited");
  h.kill_daemon();
  h.put(h.pod("edited", "{limits: {memory: 80Mi}}", {"/bin/witness", "sleep"}));
  h.start_daemon();
  REQUIRE(h.daemon().await("event=limits_changed pod=default/edited"));
  CHECK(h.memory_limit(p) == "83886080");
  h.barrier();
  const auto after = h.await_running("edited");
  CHECK(after.host_pid == p.host_pid);
  CHECK(after.restarts == 0);
  h.remove("edited.yaml");
  h.await_gone("edited");
}

TEST_CASE("a pod that ends while no daemon runs and its limits are edited begins with them") {
  room h{"stopPodsOnExit: false\n"};
  h.put(h.pod("over", "{limits: {memory: 64Mi}}", {"/bin/witness", "sleep"}));
  const auto p = h.await_running("over");
  h.kill_daemon();
  kill_workload(p);
  REQUIRE(await_end(p.host_pid));
  h.put(h.pod("over", "{limits: {memory: 80Mi}}", {"/bin/witness", "sleep"}));
  h.start_daemon();
  const auto again = h.await_pod("over", "runs again", [](const auto& s) {
    return s.restarts == 1 && s.state == pod_state::running;
  });
  CHECK(h.memory_limit(again) == "83886080");
  h.remove("over.yaml");
  h.await_gone("over");
}

TEST_CASE("what the cgroups have is made what the record says, should a daemon have died between") {
  room h{"stopPodsOnExit: false\n"};
  h.put(h.pod("between", "{limits: {memory: 64Mi}}", {"/bin/witness", "sleep"}));
  const auto p = h.await_running("between");
  h.kill_daemon();
  const auto limit = h.path(p, "memory.max", "memory.limit_in_bytes");
  std::ofstream{limit} << (32 << 20);
  REQUIRE(h.memory_limit(p) == "33554432");
  h.start_daemon();
  CHECK(await_file(limit, [](const auto& text) { return text == "67108864\n"; }));
  h.barrier();
  CHECK(h.await_running("between").host_pid == p.host_pid);
  h.remove("between.yaml");
  h.await_gone("between");
}

TEST_CASE("a limit below what is in use kills nothing: the pod is stopped, and begins with it") {
  if (!have_shell()) return;
  room h;
  const std::vector<std::string> command{
      "/bin/sh", "-c",
      "mkdir /shared/once || exec /bin/witness sleep\n"
      "exec /bin/witness eat 48 -- write /shared/full yes -- sleep"};
  h.put(h.pod("full", "{limits: {memory: 64Mi}}", command, "Always"));
  REQUIRE(await_file(h.shared / "full", [](const auto& text) { return text == "yes"; }));
  const auto p = h.await_running("full");
  h.put(h.pod("full", "{limits: {memory: 16Mi}}", command, "Always"));
  REQUIRE(h.daemon().await("event=limits_refused pod=default/full"));
  const auto again = h.await_pod("full", "runs again", [&](const auto& s) {
    return s.restarts == 1 && s.state == pod_state::running;
  });
  CHECK(again.uid == p.uid);
  REQUIRE(again.last);
  CHECK(again.last->reason != "OOMKilled");
  CHECK(h.memory_limit(again) == "16777216");
}

TEST_CASE("a pod that is killed for memory again and again runs when it is given enough") {
  room h;
  const auto put = [&h](const std::string& memory) {
    h.put(h.pod("eater", "{limits: {memory: " + memory + "}}",
                {"/bin/witness", "eat", "48", "--", "write", "/shared/full", "yes", "--", "sleep"},
                "Always"));
  };
  put("24Mi");
  const auto p = h.await_pod("eater", "was killed", [](const auto& s) { return s.restarts >= 2; });
  put("96Mi");
  CHECK(await_file(h.shared / "full", [](const auto& text) { return text == "yes"; }));
  CHECK(h.await_running("eater").uid == p.uid);
}

TEST_CASE("what nobody claims is swept at the next start") {
  room h{"stopPodsOnExit: false\n"};
  h.put(h.pod("kept", "", {"/bin/witness", "sleep"}));
  const auto p = h.await_running("kept");
  h.kill_daemon();
  REQUIRE(kernel::make_cgroup(h.dirs.cgroups,
                              {h.dirs.pod_cgroup("00000000-dead"), {}, {{"main", {}}}}));
  h.start_daemon();
  CHECK(h.await_running("kept").host_pid == p.host_pid);
  CHECK(!kernel::read_cgroup(h.dirs.cgroups, h.dirs.pod_cgroup("00000000-dead")));
  CHECK(h.stats(p).pids == 1);
  h.remove("kept.yaml");
  h.await_gone("kept");
}

TEST_CASE("a root that cannot be used is said, and nothing runs") {
  room h;
  h.stop_daemon();
  h.daemon_runs = false;
  const auto said = h.tank({"daemon", "--cgroup-root", "/a/../b"});
  CHECK(said.code == 1);
  CHECK(has(said.err, "cannot use cgroupRoot '/a/../b'"));
}

TEST_CASE("tank top shows what a pod uses") {
  if (!have_shell()) return;
  room h;
  h.put(h.pod("busy", "{limits: {memory: 64Mi, cpu: 300m}}",
              {"/bin/sh", "-c", "trap 'exit 0' TERM; while :; do :; done"}));
  h.put(h.pod("idle", "", {"/bin/witness", "sleep"}));
  h.await_running("busy");
  h.await_running("idle");
  const auto shown = json::parse(h.hear({"top", "busy", "idle", "-o", "json"}));
  CHECK(shown["kind"] == "PodUsageList");
  REQUIRE(shown["items"].size() == 2);
  const auto& busy = shown["items"][0];
  CHECK(busy["name"] == "busy");
  CHECK(busy["cpuMillicores"] > 0);
  CHECK(busy["throttledPercent"].is_number());
  CHECK(busy["memoryBytes"] > 0);
  CHECK(busy["memoryLimitBytes"] == 64 << 20);
  CHECK(busy["pids"] == 1);
  CHECK(busy["pidsLimit"] == 4096);
  const auto& idle = shown["items"][1];
  CHECK(idle["name"] == "idle");
  CHECK(idle["memoryLimitBytes"].is_null());
  CHECK(idle["cpuMillicores"] < busy["cpuMillicores"]);
  const auto table = h.hear({"top"});
  CHECK_MESSAGE(has(table, "NAME   CPU"), table);
  CHECK_MESSAGE(has(table, "1/4096"), table);
  const auto none = h.tank({"top", "nobody"});
  CHECK(none.code == 1);
  CHECK_MESSAGE(has(none.err, "no such pod runs now"), none.err);
}

} // namespace e2e_limits_test

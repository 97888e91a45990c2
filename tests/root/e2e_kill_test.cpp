// The daemon is killed at 200 random instants while pods start, run, crash, end and are edited.
// Each workload keeps its own evidence on the host: what began, what ended, and whether two were at
// once.
//
//   TANK_KILL_SEED=N     the instants and edits of that run again
//   TANK_KILL_ROUNDS=N   another number of kills
#include "tests/root/host_fixture.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include <csignal>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace e2e_kill_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

long number_of(const char* variable, long otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atol(text);
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);)
    all.push_back(line);
  return all;
}

struct kill_host : host {
  std::mt19937 random;
  std::map<std::string, std::string> word; ///< of the edited pods, as they shall be in the end
  std::map<std::string, int> mebibytes;    ///< of the resized pods, the same
  std::vector<std::string> jobs;
  int edits = 0;

  explicit kill_host(unsigned seed)
      : host("stopPodsOnExit: false\nbackoff: {base: 50ms, max: 150ms}\nlogLevel: warn\n")
      , random(seed) {}

  int up_to(int n) { return std::uniform_int_distribution<int>{0, n}(random); }

  /// A pod that proves that it is alone (a lock that the kernel frees), notes "start WORD", and
  /// then does `then`.
  void put_pod(const std::string& name, const std::string& what, const std::string& restart,
               const std::string& then, const std::string& resources = "{}") {
    auto pod = living_pod(name, what, shared);
    pod.restart = restart;
    pod.container_more += "    resources: " + resources + "\n";
    pod.spec_more.replace(pod.spec_more.find("Seconds: 10"), 11, "Seconds: 2");
    const auto here = "/shared/" + name;
    pod.command = {"/bin/sh", "-c", script(here, what, then)};
    put(pod);
  }
  static std::string script(const std::string& here, const std::string& what,
                            const std::string& then) {
    return "trap 'echo term " + what + " >> " + here + ".log; exit 0' TERM; (/bin/witness lock " +
           here + ".lock -- sleep || echo twice >> /shared/overlap) & echo start " + what + " >> " +
           here + ".log; " + then;
  }
  /// A pod of two: `main` stays, `right` crashes until all is calm.
  void put_pair(const std::string& name) {
    auto pod = living_pod(name, "x", shared);
    pod.restart = "OnFailure";
    pod.spec_more.replace(pod.spec_more.find("Seconds: 10"), 11, "Seconds: 2");
    pod.command = {"/bin/sh", "-c", script("/shared/" + name, "x", forever)};
    const auto right = script("/shared/" + name + "-right", "x",
                              "[ -e /shared/calm ] || exit 3; echo calm x >> /shared/" + name +
                                  "-right.log; " + forever);
    put(name + ".yaml", manifest(pod) +
                            "  - name: right\n    image: localhost/witness:1\n    command:\n"
                            "    - /bin/sh\n    - -c\n    - \"" +
                            right + "\"\n" + pod.container_more);
  }
  static constexpr auto forever = "while :; do sleep 1000 & wait $!; done";

  void edit(const std::string& name) {
    word[name] = "w" + std::to_string(++edits);
    put_pod(name, word[name], "Always", forever);
  }
  void resize(const std::string& name) {
    mebibytes[name] = 64 + up_to(63);
    ++edits;
    put_pod(name, "x", "Always", forever,
            "{limits: {memory: " + std::to_string(mebibytes[name]) + "Mi}}");
  }
  void add_job() {
    jobs.push_back("job" + std::to_string(jobs.size()));
    put_pod(jobs.back(), "x", "Never", "echo end x >> /shared/" + jobs.back() + ".log; exit 6");
  }

  /// Starts a daemon and kills it `us` later, wherever it is then; changes manifests meanwhile.
  void round(int us) {
    auto daemon = spawn({"daemon"});
    const unique_fd timer{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
    const itimerspec when{.it_interval = {},
                          .it_value = {.tv_sec = 0, .tv_nsec = std::max(us, 1) * 1000L}};
    REQUIRE(::timerfd_settime(timer.get(), 0, &when, nullptr) == 0);
    if (up_to(2) == 0) edit("edited" + std::to_string(up_to(2)));
    if (up_to(2) == 0) resize("resized" + std::to_string(up_to(1)));
    if (up_to(9) == 0) add_job();
    std::uint64_t fired = 0;
    REQUIRE(::read(timer.get(), &fired, sizeof fired) == sizeof fired);
    daemon->signal(SIGKILL);
    const int code = daemon->wait();
    CHECK_MESSAGE(code == -SIGKILL, daemon->err);
    CHECK_MESSAGE(daemon->err.find("_failed") == std::string::npos, daemon->err);
    CHECK_MESSAGE(daemon->err.find("event=sweep") == std::string::npos, daemon->err);
  }
  std::vector<std::string> evidence(const std::string& name) const {
    return lines(shared_text(name + ".log"));
  }
  /// Of memory, as the kernel has it; where that is no more than a moment ago it is waited for.
  [[nodiscard]] bool await_limit(const pod_status& pod, int mib) const {
    const auto wanted = std::to_string(std::int64_t{mib} << 20) + "\n";
    for (const auto& h : dirs.cgroups.hierarchies)
      for (const auto* file : {"memory.max", "memory.limit_in_bytes"})
        if (const auto path = h.directory / dirs.pod_cgroup(pod.uid) / "main" / file;
            fs::exists(path))
          return await_file(path, [&](const std::string& text) { return text == wanted; });
    return false;
  }
};

/// Both run, and what `right` wrote last is that it is calm.
bool settled_pair(const kill_host& h, const pod_status& pod) {
  const auto name = pod.key.substr(pod.key.find('/') + 1);
  const bool both =
      pod.containers.size() == 2 && std::all_of(pod.containers.begin(), pod.containers.end(),
                                                [](const auto& c) { return c.host_pid > 0; });
  return both && await_file(h.shared / (name + "-right.log"),
                            [](const std::string& text) { return text.ends_with("calm x\n"); });
}

} // namespace

TEST_CASE("killed again and again, the daemon loses, doubles, restarts and leaks nothing") {
  if (!fs::exists("/bin/busybox")) {
    MESSAGE("skipped: no /bin/busybox for the workloads");
    return;
  }
  const auto seed = static_cast<unsigned>(number_of("TANK_KILL_SEED", std::random_device{}()));
  const auto rounds = number_of("TANK_KILL_ROUNDS", 200);
  MESSAGE("TANK_KILL_SEED=" << seed);
  CAPTURE(seed);
  kill_host h{seed};
  const auto before = h.snapshot();
  const std::array<std::string, 4> steady{"steady0", "steady1", "steady2", "steady3"};
  const std::array<std::string, 3> crashing{"crash0", "crash1", "crash2"};
  for (const auto& name : steady)
    h.put_pod(name, "x", "Always", kill_host::forever);
  for (const auto& name : crashing) // until all is calm
    h.put_pod(name, "x", "OnFailure",
              "[ -e /shared/calm ] || exit 3; echo calm x >> /shared/" + std::string{name} +
                  ".log; " + kill_host::forever);
  const std::array<std::string, 2> pairs{"pair0", "pair1"};
  for (const auto& name : pairs)
    h.put_pair(name);
  for (const auto* name : {"edited0", "edited1", "edited2"})
    h.edit(name);
  for (const auto* name : {"resized0", "resized1"})
    h.resize(name);
  for (long n = 0; n < rounds; ++n)
    h.round(h.up_to(3) == 0 ? h.up_to(40'000) : h.up_to(500'000));
  std::ofstream{h.shared / "calm"};

  h.start_daemon();
  const auto starts_of = [&](const std::string& name) {
    const auto all = h.evidence(name);
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), "start x"));
  };
  const auto settled = [&](const host::pods& now) {
    return now.size() == steady.size() + crashing.size() + pairs.size() + h.word.size() +
                             h.mebibytes.size() + h.jobs.size() &&
           std::all_of(now.begin(), now.end(), [&](const auto& row) {
             if (row.first.starts_with("job")) return row.second.state == pod_state::terminal;
             if (row.second.state != pod_state::running || row.second.host_pid <= 0) return false;
             const auto word = h.word.contains(row.first) ? h.word.at(row.first) : "x";
             const bool crashes = row.first.starts_with("crash");
             if (row.first.starts_with("pair")) return settled_pair(h, row.second);
             // It runs before it writes, and no state tells of that.
             return await_file(h.shared / (row.first + ".log"),
                               [&](const std::string& text) {
                                 return text.ends_with((crashes ? "calm " : "start ") + word +
                                                       "\n");
                               }) &&
                    (!crashes || row.second.restarts + 1 == starts_of(row.first));
           });
  };
  const auto now = h.await("all is settled", settled);

  for (const auto& name : steady) {
    CAPTURE(name);
    CHECK(h.evidence(name) == std::vector<std::string>{"start x"}); // not lost, not restarted
    CHECK(now.at(name).restarts == 0);
  }
  for (const auto& [name, mib] : h.mebibytes) {
    CAPTURE(name);
    CHECK(h.evidence(name) == std::vector<std::string>{"start x"}); // other limits, same process
    CHECK(now.at(name).restarts == 0);
    CHECK(h.await_limit(now.at(name), mib));
  }
  std::size_t crashes = 0;
  for (const auto& name : pairs) {
    CAPTURE(name);
    CHECK(h.evidence(name) == std::vector<std::string>{"start x"}); // whatever the other did
    const auto starts = starts_of(name + "-right");
    const auto& right = now.at(name).containers.at(1);
    CHECK(right.restarts + 1 == starts);
    CHECK(now.at(name).containers.at(0).restarts == 0);
    if (starts > 1) CHECK(right.last->exit_code == 3);
    crashes += starts - 1;
  }
  for (const auto& name : crashing) {
    CAPTURE(name);
    const auto starts = starts_of(name);
    CHECK(now.at(name).restarts + 1 == starts);
    CHECK(now.at(name).retries + 1 == starts);
    if (starts > 1) CHECK(now.at(name).last->exit_code == 3);
    crashes += starts - 1;
  }
  std::size_t replaced = 0;
  for (const auto& [name, last] : h.word) {
    CAPTURE(name);
    std::set<std::string> started;
    for (const auto& line : h.evidence(name))
      if (line.starts_with("start ")) CHECK_MESSAGE(started.insert(line).second, line);
    CHECK(started.contains("start " + last));
    CHECK(now.at(name).restarts == 0);
    replaced += started.size() - 1;
  }
  for (const auto& name : h.jobs) {
    CAPTURE(name);
    CHECK(h.evidence(name) == std::vector<std::string>{"start x", "end x"});
    CHECK(now.at(name).restarts == 0);
    CHECK(now.at(name).last->exit_code == 6);
  }
  CHECK(h.shared_text("overlap").empty());
  MESSAGE(rounds << " kills, " << crashes << " crashes, " << h.edits << " edits, " << replaced
                 << " replacements, " << h.jobs.size() << " jobs");
  h.stop_daemon();
  h.start_daemon({"daemon", "--stop-pods-on-exit"});
  h.await("it knows its pods", [](const host::pods& all) { return !all.empty(); });
  h.stop_daemon();
  CHECK(difference(before, h.snapshot()) == "");
}

} // namespace e2e_kill_test

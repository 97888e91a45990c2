// Every way a pod can end, under every restart policy, as the user sees it.
#include "tests/root/host_fixture.hpp"

#include <nlohmann/json.hpp>

#include <fstream>
#include <set>

namespace e2e_outcomes_test {

using namespace tank;
using namespace tank::testing;

namespace {

struct ending {
  std::string name;
  pod_text pod;
  std::string reason; ///< of the last exit
  int exit_code;
  int signal;
  std::vector<std::string> says; ///< in the message
};

/// `killed` waits: a process of its own namespace's first pid cannot kill itself, so the test does.
std::vector<ending> endings() {
  return {
      {"exit0", {.command = {"/bin/witness", "print", "done"}}, "Completed", 0, 0, {}},
      {"exit3",
       {.command = {"/bin/witness", "print", "done", "--", "exit", "3"}},
       "Error",
       3,
       0,
       {"exited with code 3"}},
      {"killed",
       {.command = {"/bin/witness", "print", "done", "--", "sleep"}},
       "Error",
       137,
       9,
       {"killed by signal 9"}},
      {"nocommand",
       {.command = {"/bin/absent"}},
       "StartError",
       128,
       0,
       {"/bin/absent", "No such file or directory", "check command"}},
      {"noprogram",
       {.command = {"absent"}},
       "StartError",
       128,
       0,
       {"absent", "No such file or directory", "check command"}},
      {"noimage",
       {.image = "localhost/absent:7"},
       "ErrImageNeverPull",
       128,
       0,
       {"localhost/absent:7"}},
      {"nocwd",
       {.container_more = "    workingDir: /nowhere\n"},
       "StartError",
       128,
       0,
       {"/nowhere", "No such file or directory", "check workingDir"}},
  };
}

bool ends_with_policy(const ending& e, const std::string& policy) {
  return policy == "Never" || (policy == "OnFailure" && e.exit_code == 0);
}

std::string lower(std::string text) {
  for (char& c : text)
    c = static_cast<char>(std::tolower(c));
  return text;
}

/// Lets the pods that wait for it be killed, each run once, once it has written, and no more than
/// three.
void kill_waiting(const host& h, const host::pods& now, std::set<pid_t>& killed) {
  const auto waits = [&](const pod_status& p) {
    const auto log = h.log_dir(p) / (std::to_string(p.restarts) + ".log");
    return std::filesystem::exists(log) && log_text(log) == "done\n";
  };
  for (const auto& [name, p] : now)
    if (name.starts_with("killed") && p.state == pod_state::running && p.restarts < 3 &&
        p.host_pid > 0 && waits(p) && killed.insert(p.host_pid).second)
      kill_workload(p);
}

void check_last_exit(const pod_status& p, const ending& e) {
  CAPTURE(p.key);
  REQUIRE(p.last);
  CHECK(p.last->reason == e.reason);
  CHECK(p.last->exit_code == e.exit_code);
  CHECK(p.last->signal == e.signal);
  for (const auto& words : e.says)
    CHECK_MESSAGE(p.last->message.find(words) != std::string::npos, p.last->message);
  const bool ran = e.reason == "Completed" || e.reason == "Error";
  CHECK((p.last->started_ns > 0) == ran);
  if (ran) CHECK(p.last->finished_ns >= p.last->started_ns);
}

void check_said_by_tank(host& h, const pod_status& p, const ending& e) {
  CAPTURE(p.key);
  const auto name = p.key.substr(p.key.find('/') + 1);
  const auto text = h.hear({"describe", "pod", name});
  CHECK_MESSAGE(text.find("(" + e.reason + ")") != std::string::npos, text);
  for (const auto& words : e.says)
    CHECK_MESSAGE(text.find(words) != std::string::npos, text);
  const auto row = nlohmann::json::parse(h.hear({"get", "pods", name, "-o", "json"}))["items"][0];
  CHECK(row["lastExit"]["reason"] == e.reason);
  CHECK(row["lastExit"]["exitCode"] == e.exit_code);
  CHECK(row["lastExit"]["signal"] == e.signal);
}

} // namespace

TEST_CASE("every way to end leads to its documented stop reason, under every restart policy") {
  host h{"backoff: {base: 20ms, max: 200ms}\n"};
  const auto before = h.snapshot();
  const std::vector<std::string> policies{"Always", "OnFailure", "Never"};
  for (const auto& policy : policies)
    for (auto e : endings()) {
      e.pod.name = e.name + "-" + lower(policy);
      e.pod.restart = policy;
      h.put(e.pod);
    }
  h.start_daemon();
  std::set<pid_t> killed;
  const auto pods = h.await("all end as their policy says", [&](const host::pods& now) {
    kill_waiting(h, now, killed);
    bool all = now.size() == policies.size() * endings().size();
    for (const auto& policy : policies)
      for (const auto& e : endings()) {
        const auto at = now.find(e.name + "-" + lower(policy));
        if (at == now.end()) return false;
        const auto& p = at->second;
        all = all && (ends_with_policy(e, policy) ? p.state == pod_state::terminal
                                                  : p.restarts >= 2 && p.last);
      }
    return all;
  });
  for (const auto& policy : policies)
    for (const auto& e : endings()) {
      const auto& p = pods.at(e.name + "-" + lower(policy));
      check_last_exit(p, e);
      if (ends_with_policy(e, policy)) {
        CHECK(p.restarts == 0);
        check_said_by_tank(h, p, e);
      }
    }
  SUBCASE("each run has its own log file") {
    // Of these no run ends before the test wills it: retention cannot have taken their first logs.
    for (const auto* name : {"killed-always", "killed-onfailure"})
      for (const auto* file : {"0.log", "1.log"})
        CHECK(log_text(h.log_dir(pods.at(name)) / file) == "done\n");
    CHECK(log_text(h.log_dir(pods.at("exit3-never")) / "0.log") == "done\n");
    CHECK(!std::filesystem::exists(h.log_dir(pods.at("exit3-never")) / "1.log"));
  }
  h.stop_daemon();
  CHECK(difference(before, h.snapshot()) == "");
}

TEST_CASE("tank up --for=exit says how its pods ended") {
  host h;
  const auto before = h.snapshot();
  h.put({.name = "good", .command = {"/bin/witness", "exit", "0"}, .restart = "Never"});
  auto said = h.tank({"up", "--for=exit", "--timeout=60s", h.dirs.manifest_dir.string()});
  CHECK_MESSAGE(said.code == 0, said.err);
  CHECK(said.out.find("pod/good exited 0") != std::string::npos);

  h.put({.name = "bad", .command = {"/bin/absent"}, .restart = "Never"});
  said = h.tank({"up", "--for=exit", "--timeout=60s", h.dirs.manifest_dir.string()});
  CHECK(said.code == 1);
  CHECK_MESSAGE(said.err.find("tank: pod/bad") == 0, said.err);
  CHECK_MESSAGE(said.err.find("/bin/absent") != std::string::npos, said.err);
  CHECK_MESSAGE(said.err.find("check command") != std::string::npos, said.err);
  CHECK(difference(before, h.snapshot()) == "");
}

TEST_CASE("tank up --wait=ready ends with 0 once all run, and non-zero with the reason otherwise") {
  host h;
  const auto before = h.snapshot();
  h.put({.name = "web"});
  auto said = h.tank({"up", "--wait=ready", "--timeout=60s", h.dirs.manifest_dir.string()});
  CHECK_MESSAGE(said.code == 0, said.err);
  CHECK(said.out.find("pod/web running") != std::string::npos);

  h.put({.name = "sad", .image = "localhost/absent:7"});
  said = h.tank({"up", "--wait=ready", "--timeout=1s", h.dirs.manifest_dir.string()});
  CHECK(said.code == 1);
  CHECK_MESSAGE(said.err.find("the time is over") != std::string::npos, said.err);
  CHECK_MESSAGE(said.err.find("localhost/absent:7") != std::string::npos, said.err);
  CHECK(difference(before, h.snapshot()) == "");
}

TEST_CASE("a program that is no program, or not to be run, is named with what to change") {
  host h;
  h.put({.name = "notrunnable", .command = {"/etc/passwd"}, .restart = "Never"});
  h.put({.name = "directory", .command = {"/data"}, .restart = "Never"});
  h.put({.name = "noaccess",
         .command = {"/etc/passwd"},
         .restart = "Never",
         .container_more = "    securityContext: {runAsUser: 1000}\n"});
  h.put({.name = "novolume",
         .restart = "Never",
         .container_more = "    volumeMounts:\n    - {name: v, mountPath: /v}\n",
         .spec_more = "  volumes:\n"
                      "  - {name: v, hostPath: {path: /nowhere/at/all, type: Directory}}\n"});
  h.start_daemon();
  const auto pods = h.await("all have ended", [](const host::pods& now) {
    for (const auto& [name, p] : now)
      if (p.state != pod_state::terminal) return false;
    return now.size() == 4;
  });
  for (const auto* name : {"notrunnable", "directory", "noaccess"}) {
    CAPTURE(name);
    const auto& last = *pods.at(name).last;
    CHECK(last.reason == "StartError");
    CHECK_MESSAGE(last.message.find(std::string{name} == "directory"
                                        ? "Is a directory"
                                        : "Permission denied") != std::string::npos,
                  last.message);
    CHECK_MESSAGE(last.message.find("check command") != std::string::npos, last.message);
  }
  const auto& missing = *pods.at("novolume").last;
  CHECK(missing.reason == "StartError");
  CHECK_MESSAGE(missing.message.find("/nowhere/at/all") != std::string::npos, missing.message);
  CHECK_MESSAGE(missing.message.find("create it") != std::string::npos, missing.message);
  h.stop_daemon();
}

} // namespace e2e_outcomes_test

// However `tank up` ends, and wherever a bring-up fails: nothing is left, and the next run works.
#include "tests/root/host_fixture.hpp"

#include <fstream>
#include <sstream>

#include <csignal>

namespace e2e_cleanup_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

/// `tank up` on a directory with two pods: one that ends on SIGTERM, one that ignores it.
struct up_room : host {
  host_snapshot before;
  std::unique_ptr<child> up;

  explicit up_room(const std::string& grace = "30") : before(snapshot()) {
    put({.name = "kind"});
    put({.name = "stubborn",
         .command = {"/bin/witness", "ignore-term"},
         .spec_more = "  terminationGracePeriodSeconds: " + grace + "\n"});
    up = spawn({"up", dirs.manifest_dir.string()});
    REQUIRE_MESSAGE(up->await("all 2 pods are up"), up->out << up->err);
  }
  void check_nothing_left() {
    up.reset();
    CHECK(difference(before, snapshot()) == "");
  }
};

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  std::ifstream in{file};
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

/// A host whose `tank` fails where it is told to.
struct fault_room : host {
  host_snapshot before;
  fault_room() : before(snapshot()) {
    program = std::getenv("TANK_FAULTY");
    environment["TANK_CALLS"] = (root / "calls").string();
  }
  output run_with(const std::string& fault, const std::vector<std::string>& args) {
    environment["TANK_FAULT"] = fault;
    auto said = tank(args);
    environment.erase("TANK_FAULT");
    return said;
  }
  std::vector<std::string> calls() { return lines_of(root / "calls"); }
};

/// The parent of a process, from /proc.
pid_t parent_of(pid_t pid) {
  std::ifstream in{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("PPid:")) return std::stoi(line.substr(5));
  return 0;
}

} // namespace

TEST_CASE(
    "tank up ended by SIGINT, SIGTERM or SIGHUP stops its pods gracefully and leaves nothing") {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    CAPTURE(number);
    up_room r{"2"};
    r.up->signal(number);
    CHECK_MESSAGE(r.up->wait() == 0, r.up->err);
    CHECK(r.up->out.find("stopping all pods") != std::string::npos);
    r.check_nothing_left();
  }
}

TEST_CASE("a second SIGINT kills the pods that take their time") {
  up_room r{"3600"};
  r.up->signal(SIGINT);
  REQUIRE(r.up->await("pod/stubborn stopping"));
  // Signals that come together are one wish, so: until it is heard as a second one.
  do
    r.up->signal(SIGINT);
  while (!r.up->ended() && !r.up->await("killing all pods", 300));
  CHECK_MESSAGE(r.up->wait() == 0, r.up->err);
  CHECK(r.up->out.find("killing all pods") != std::string::npos);
  r.check_nothing_left();
}

TEST_CASE("tank up whose time is over before all is ready stops what runs and fails") {
  host h;
  const auto before = h.snapshot();
  h.put({.name = "web"});
  h.put({.name = "never", .image = "localhost/absent:1"});
  const auto said = h.tank({"up", "--wait=ready", "--timeout=500ms", h.dirs.manifest_dir.string()});
  CHECK(said.code == 1);
  CHECK_MESSAGE(said.err.find("the time is over") != std::string::npos, said.err);
  CHECK(difference(before, h.snapshot()) == "");
}

TEST_CASE(
    "each call of the kernel port fails in turn: nothing is left, and the next run succeeds") {
  fault_room r;
  // One that ends by itself, and one that must be stopped.
  r.put({.name = "job", .command = {"/bin/witness", "exit", "0"}, .restart = "Never"});
  const auto file = (r.dirs.manifest_dir / "job.yaml").string();
  const std::vector<std::string> to_end{"up", "--for=exit", "--timeout=60s", file};
  r.put({.name = "web", .restart = "Never"});
  const auto web = (r.dirs.manifest_dir / "web.yaml").string();
  const std::vector<std::string> to_ready{"up", "--wait=ready", "--timeout=60s", web};
  for (const auto& args : {to_end, to_ready}) {
    REQUIRE(r.run_with("", args).code == 0);
    const auto calls = r.calls();
    REQUIRE(calls.size() >= 5);
    for (const std::string kind : {"call:", "shim:"})
      for (std::size_t n = 0; n < calls.size(); ++n) {
        const auto fault = kind + std::to_string(n);
        CAPTURE(fault);
        CAPTURE(calls[n]);
        CAPTURE(args[1]);
        const auto said = r.run_with(fault, args);
        CHECK_MESSAGE(said.code >= 0, said.out << said.err);
        // A call of bring-up that failed is what the user is told.
        if (kind == "call:" && said.code != 0) CHECK(said.err.find("tank: ") != std::string::npos);
        const auto left = difference(r.before, r.snapshot());
        // What could not be removed because removing failed is removed by the next run.
        if (kind == "call:" && calls[n] == "remove_tree")
          CHECK_MESSAGE(left.find("process") == std::string::npos, left);
        else
          CHECK_MESSAGE(left == "", said.out << said.err);
        const auto again = r.run_with("", args);
        CHECK_MESSAGE(again.code == 0, again.out << again.err);
        CHECK(difference(r.before, r.snapshot()) == "");
      }
  }
}

TEST_CASE("each step of a launch plan fails in turn: said, nothing left, and the next run works") {
  fault_room r;
  r.put({.name = "job", .command = {"/bin/witness", "exit", "0"}, .restart = "Never"});
  const auto file = (r.dirs.manifest_dir / "job.yaml").string();
  const std::vector<std::string> args{"up", "--for=exit", "--timeout=60s", file};
  constexpr int more_than_any_plan = 48; // beyond its end: at its end
  for (int n = 0; n < more_than_any_plan; ++n) {
    CAPTURE(n);
    const auto said = r.run_with("step:" + std::to_string(n), args);
    CHECK_MESSAGE(said.code == 1, said.out << said.err);
    CHECK_MESSAGE(said.err.find("Input/output error") != std::string::npos, said.err);
    CHECK(difference(r.before, r.snapshot()) == "");
  }
  CHECK(r.run_with("", args).code == 0);
}

TEST_CASE("a shim that is killed takes its workload along; the pod is restarted by its policy") {
  host h{"backoff: {base: 20ms, max: 200ms}\n"};
  const auto before = h.snapshot();
  for (const auto* policy : {"Always", "OnFailure", "Never"}) {
    std::string name = policy;
    for (char& c : name)
      c = static_cast<char>(std::tolower(c));
    h.put({.name = name, .restart = policy});
  }
  h.start_daemon();
  for (const auto* name : {"always", "onfailure", "never"}) {
    CAPTURE(name);
    const auto pod = h.await_running(name);
    const auto shim = parent_of(pod.host_pid);
    REQUIRE(shim > 1);
    ::kill(shim, SIGKILL);
    const bool again = std::string{name} != "never";
    const auto now = h.await_pod(name, "is decided on", [&](const pod_status& p) {
      return again ? p.restarts == 1 && p.state == pod_state::running
                   : p.state == pod_state::terminal;
    });
    REQUIRE(now.last);
    CHECK(now.last->exit_code == 137);
    CHECK_MESSAGE(now.last->message.find("shim") != std::string::npos, now.last->message);
  }
  h.stop_daemon(); // that the old workloads are gone too is in the comparison
  CHECK(difference(before, h.snapshot()) == "");
}

TEST_CASE("orphans of a workload, and a stdout that they hold open, do not outlive it") {
  host h;
  const auto before = h.snapshot();
  h.put({.name = "orphans", .command = {"/bin/witness", "orphans", "8"}});
  h.put({.name = "holder",
         .command = {"/bin/sh", "-c", "sleep 1000 & sleep 1000 & echo gone; exit 4"},
         .restart = "Never"});
  h.start_daemon();
  const auto holder = h.await_pod(
      "holder", "has ended", [](const pod_status& p) { return p.state == pod_state::terminal; });
  CHECK(holder.last->exit_code == 4);
  CHECK(log_text(h.log_dir(holder) / "0.log") == "gone\n");
  h.await_running("orphans");
  h.stop_daemon();
  CHECK(difference(before, h.snapshot()) == "");
}

} // namespace e2e_cleanup_test

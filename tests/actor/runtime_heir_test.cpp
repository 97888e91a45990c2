/// What a runtime of a pod of several containers leaves to the next one.
#include "tests/actor/pair_play.hpp"

#include <cstdlib>
#include <filesystem>
#include <map>

namespace runtime_heir_test {

using namespace tank;
using namespace tank::testing;

namespace {

/// Records of the pod, in a place of their own.
struct record_keeper {
  std::filesystem::path root;
  std::shared_ptr<pod_records> records;

  record_keeper() {
    std::string name = (std::filesystem::temp_directory_path() / "tank-records-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
    std::filesystem::create_directory(root / "records");
    records = std::make_shared<pod_records>(directories{.run_dir = root}, "boot");
    pod_record r;
    r.key = "default/web";
    r.what = played_pod({.containers = {"main", "log"}});
    r.what.hash = "1";
    r.run.number = 1;
    REQUIRE(records->keep(r));
  }
  ~record_keeper() { std::filesystem::remove_all(root); }
  record_keeper(const record_keeper&) = delete;
  record_keeper& operator=(const record_keeper&) = delete;
  [[nodiscard]] run_record run() const { return records->run("default/web", 1); }
};

/// "main 0 starting" for each container when the runtime asked for that, with what is known of it
/// once it is prepared: "main 0 starting /srv".
using seen_records = std::map<std::string, calls>;

seen_records watch_records(pair_play& p, const record_keeper& kept) {
  static const std::map<run_phase, std::string> words{{run_phase::starting, "starting"},
                                                      {run_phase::released, "released"},
                                                      {run_phase::ended, "ended"}};
  seen_records seen;
  p.session->on_call = [&](const std::string& call) {
    for (const auto& c : kept.run().containers)
      seen[call].push_back(c.name + " " + std::to_string(c.attempt) + " " + words.at(c.phase) +
                           (c.facts.working_dir.empty() ? "" : " " + c.facts.working_dir));
  };
  p.run(only, 77);
  p.run(log_0, 78);
  p.happen(kernel::exited_event{log_0, 3, 9});
  seen["back-off"] = {kept.run().containers.at(1).waiting};
  p.advance(10s);
  p.run(log_1, 79);
  p.session->on_call = nullptr;
  return seen;
}

} // namespace

TEST_CASE("what is about to be done is in the record before it is done") {
  record_keeper kept;
  pair_play p{{.records = kept.records}};
  const auto seen = watch_records(p, kept);
  CHECK(seen.at("create main") == calls{"main 0 starting /srv", "log 0 starting"});
  CHECK(seen.at("proceed main") == calls{"main 0 released /srv", "log 0 starting"});
  CHECK(seen.at("create log") == calls{"main 0 released /srv", "log 0 starting /srv/log"});
  CHECK(seen.at("proceed log") == calls{"main 0 released /srv", "log 0 released /srv/log"});
  CHECK(seen.at("back-off") == calls{"CrashLoopBackOff"});
  CHECK(seen.at("create log/1") == calls{"main 0 released /srv", "log 1 starting /srv/log"});
  CHECK(seen.at("proceed log/1") == calls{"main 0 released /srv", "log 1 released /srv/log"});
  const auto run = kept.run();
  CHECK(run.phase == run_phase::released);
  CHECK(run.containers.at(1).facts.working_dir == "/srv/log");
  CHECK(run.containers.at(1).restarts == 1);
  p.stop(0s);
  p.happen(kernel::signaled_event{only, 9, false, 9});
  p.happen(kernel::signaled_event{log_1, 9, false, 9});
  CHECK(kept.run().phase == run_phase::ended); // before the shim was told to go
  REQUIRE(kept.run().end);
  CHECK(kept.run().end->why.cause == stop_cause::stopped);
  p.go_down();
  p.check_forgotten();
}

TEST_CASE("a runtime that fails leaves its containers to its heir, who goes on with each") {
  record_keeper kept;
  pair_play p{{.records = kept.records, .has_heir = true}};
  p.port->shims_live = true;
  p.run_both();
  p.happen(kernel::exited_event{log_0, 3, 9});
  p.advance(4s);
  const auto die = [&p] {
    caf::anon_send_exit(p.rt, caf::exit_reason::kill);
    p.settle();
    CHECK_FALSE(p.session->alive);
    CHECK(p.new_calls().empty()); // not even shutdown
    CHECK(p.timers->pending().empty());
  };
  die();
  p.of.adopt = kept.run();
  p.start();
  CHECK(p.port->adoptions == 1);
  p.happen(kernel::adopted_event{});
  // The one runs as if nothing had happened, the other still waits, for what is left of its time.
  CHECK(p.ask<host_pid>(get_host_pid{}).first == host_pid{77});
  CHECK(p.ask<exec_context>(get_exec_context{}).first->working_dir == "/srv");
  REQUIRE(p.heard->running.size() == 2);
  CHECK(p.heard->running[1].containers.at(1).reason == "CrashLoopBackOff");
  CHECK(p.heard->running[1].containers.at(1).restarts == 1);
  CHECK(p.timers->pending() == std::vector<std::chrono::milliseconds>{6s});
  CHECK(p.new_calls().empty());
  p.advance(6s);
  p.image(true, "log");
  CHECK(p.new_calls() == calls{"create log/1", "build log/1"});
  // It fails again, just then: the heir's heir has it built, and lets it go.
  p.happen(kernel::ready_event{log_1, 79});
  die();
  p.of.adopt = kept.run();
  p.start();
  p.happen(kernel::adopted_event{});
  CHECK(p.new_calls() == calls{"build log/1"});
  p.happen(kernel::built_event{log_1});
  CHECK(p.new_calls() == calls{"proceed log/1"});
  p.happen(kernel::running_event{log_1, 79, 6});
  CHECK(p.ask<host_pid>(get_host_pid{"log"}).first == host_pid{79});
  CHECK(p.told("log").restarts == 1);
  // Both end while nobody listens; the next one hears of it.
  die();
  p.session->note(kernel::exited_event{only, 5, 9});
  p.session->note(kernel::exited_event{log_1, 6, 9});
  p.of.adopt = kept.run();
  p.start();
  p.happen(kernel::adopted_event{});
  CHECK(p.new_calls().empty());
  CHECK(p.told("main").reason == "CrashLoopBackOff");
  CHECK(p.told("main").last->exit_code == 5);
  CHECK(p.told("log").last->exit_code == 6);
  CHECK(p.told("log").restarts == 2);
  CHECK(p.timers->pending() == std::vector<std::chrono::milliseconds>{10s, 20s});
  p.stop();
  p.go_down();
  p.check_forgotten();
}

TEST_CASE("a shim that is not there any more took both with it") {
  record_keeper kept;
  pair_play p{{.records = kept.records, .has_heir = true}};
  p.run_both();
  caf::anon_send_exit(p.rt, caf::exit_reason::kill);
  p.settle();
  p.of.adopt = kept.run();
  p.start();
  CHECK(p.ended->value().cause == stop_cause::session_down);
  p.check_forgotten();
}

TEST_CASE("a new owner hears what runs, and from then on all the rest") {
  pair_play p;
  auto before = std::exchange(p.heard, std::make_shared<owner_heard>());
  const auto next = p.spawn_owner();
  const auto hand_over = [&] {
    p.s.send(next, p.rt, own_runtime{next});
    p.settle();
  };
  hand_over();
  CHECK(p.heard->running.empty()); // nothing runs
  p.run_both();
  CHECK(p.heard->running.size() == 1);
  hand_over(); // again: the first may have been lost with its reconciler
  REQUIRE(p.heard->running.size() == 2);
  CHECK(p.heard->running[1] == p.heard->running[0]);
  p.happen(kernel::exited_event{log_0, 3, 9});
  CHECK(p.told("log").reason == "CrashLoopBackOff");
  p.stop(0s);
  p.happen(kernel::signaled_event{only, 9, false, 9});
  p.go_down();
  CHECK(p.heard->ended.size() == 1);
  CHECK(before->running.empty());
  CHECK(before->ended.empty());
  p.check_forgotten();
}

} // namespace runtime_heir_test

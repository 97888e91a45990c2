// What one daemon leaves to the next: records, the plan over them, and the reconciler that goes on.
#include "pod/manifest_set.hpp"
#include "pod/pod_records.hpp"
#include "pod/reconciler_core.hpp"
#include "config/manifest.hpp"
#include "tests/unit/pod/effects.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

using namespace tank;
using tank::testing::of;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr auto boot = "boot-1";

desired_pod pod(const std::string& name, const std::string& policy = "Always",
                const std::string& image = "web:1") {
  const auto judged = judge_manifest(
      name + ".yaml",
      "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\nspec: {restartPolicy: " + policy +
          ", containers: [{name: main, image: '" + image + "', command: [/run]}]}\n");
  REQUIRE(judged.pods.size() == 1);
  return judged.pods[0].desired;
}

pod_record record_of(const std::string& name, pod_state state = pod_state::starting) {
  pod_record r;
  r.key = "default/" + name;
  r.what = pod(name);
  r.state = state;
  r.restarts = 4;
  r.retries = 2;
  r.created_ns = 77;
  r.run.number = 5;
  return r;
}

instant at(std::chrono::seconds mono) {
  return {std::chrono::steady_clock::time_point{mono}, 1'000'000'000'000};
}

} // namespace

// --- records -------------------------------------------------------------------------------------

TEST_CASE("a record comes back as it was, and its content has the hash it would get anew") {
  auto r = record_of("web", pod_state::stopping);
  r.next = pod("web", "Never");
  r.leaving = true;
  r.limits_edited = true;
  r.crashes = 1;
  r.restart_at = 5;
  r.restart_at_ns = 6;
  r.stop_by = 7;
  r.ends = {8, 9};
  r.last = last_exit{"Error", 137, 9, "killed \xff by signal 9", 1, 2};
  r.message = "back-off";
  r.run = {5, run_phase::ended, 44, {3, {"K=V"}, "/w"}, {}, {1us, 2us, 3us, 4us, 5us, 6us}};
  r.run.end =
      run_end{{stop_class::shutdown, stop_cause::workload_exited, 3, "x"}, {"Error", 3, 0, "x", 1, 2}};
  const auto back = decode_record(encode_record(r, boot), boot);
  REQUIRE_MESSAGE(back.has_value(), back.error().message());
  CHECK(back->key == r.key);
  CHECK(back->what.hash == r.what.hash);
  CHECK(back->what.uid == r.what.uid);
  CHECK(back->what.file == "web.yaml");
  CHECK(config::to_json(*back->what.pod) == config::to_json(*r.what.pod));
  REQUIRE(back->next);
  CHECK(back->next->hash == r.next->hash);
  CHECK(back->state == r.state);
  CHECK(back->leaving);
  CHECK(back->limits_edited);
  CHECK(back->restarts == 4);
  CHECK(back->retries == 2);
  CHECK(back->crashes == 1);
  CHECK(back->created_ns == 77);
  CHECK(back->restart_at == 5);
  CHECK(back->restart_at_ns == 6);
  CHECK(back->stop_by == 7);
  CHECK(back->ends == std::vector<std::int64_t>{8, 9});
  CHECK(back->last->signal == 9);
  CHECK(back->message == "back-off");
  CHECK(back->run == r.run);
}

TEST_CASE(
    "a record that is cut anywhere, or changed in any byte, is refused or read, never worse") {
  const auto text = encode_record(record_of("web"), boot);
  for (std::size_t n = 0; n + 2 < text.size(); ++n)
    CHECK_FALSE(decode_record(text.substr(0, n), boot).has_value());
  for (std::size_t n = 0; n < text.size(); ++n)
    for (const char c : {'\0', '9', '"', '}', '\xff'}) {
      auto bad = text;
      bad[n] = c;
      (void)decode_record(bad, boot);
    }
}

TEST_CASE("a record of another boot, another version or another pod is no record") {
  const auto text = encode_record(record_of("web"), boot);
  CHECK(decode_record(text, "boot-2").error().code == errc::conflict);
  const auto with = [&](const std::string& from, const std::string& to) {
    auto t = text;
    t.replace(t.find(from), from.size(), to);
    return decode_record(t, boot).error().code;
  };
  CHECK(with("\"version\":1", "\"version\":2") == errc::unsupported);
  CHECK(with("default/web", "default/job") == errc::corrupt);
  CHECK(with("\"uid\":\"", "\"uid\":\"../") == errc::corrupt);
  CHECK(with("\"stopSignal\":15", "\"stopSignal\":99") == errc::corrupt);
  CHECK(with("\"phase\":0", "\"phase\":7") == errc::corrupt);
  CHECK(with("\"phase\":0", "\"phase\":2") == errc::corrupt); // an end that is not told
}

TEST_CASE("a record from before there were deadlines of stops, ends and phases is read") {
  auto text = encode_record(record_of("web"), boot);
  for (const std::string field : {"\"ends\":[],", "\"stopBy\":0,", "\"limitsEdited\":false,"}) {
    const auto at = text.find(field);
    REQUIRE(at != std::string::npos);
    text.erase(at, field.size());
  }
  const auto back = decode_record(text, boot);
  REQUIRE_MESSAGE(back.has_value(), back.error().message());
  CHECK(back->ends.empty());
  CHECK(back->stop_by == 0);
}

TEST_CASE("the files follow what is kept: one for each pod, replaced, renamed with its uid, gone") {
  char name[] = "/tmp/tank-records-XXXXXX";
  const fs::path root = ::mkdtemp(name);
  directories dirs{root / "p", root / "s", root / "r", root / "l", {}};
  fs::create_directories(dirs.pod_records());
  pod_records records{dirs, boot};
  const auto read = [&] {
    auto found = find_leftovers(dirs, boot);
    CHECK(found.troubles.empty());
    return found.records;
  };
  auto r = record_of("web");
  REQUIRE(records.keep(r));
  REQUIRE(records.prepared(r.key, 5, {3, {"K=V"}, {}}));
  REQUIRE(records.released(r.key, 5, 99));
  REQUIRE(records.ended(r.key, 4, {})); // of another run: no news
  REQUIRE(read().size() == 1);
  REQUIRE(records.brought_up(r.key, 5, {1us}));
  CHECK(read()[0].run == run_record{5, run_phase::released, 99, {3, {"K=V"}, {}}, {}, {1us}});
  CHECK(records.run(r.key, 5).released_at == 99);
  CHECK(records.run(r.key, 6) == run_record{6, run_phase::starting, 0, {}, {}, {}});

  const auto before = fs::last_write_time(dirs.pod_record(r.what.uid));
  REQUIRE(records.keep(r)); // nothing new: the runtime's part stays, the file too
  CHECK(fs::last_write_time(dirs.pod_record(r.what.uid)) == before);
  r.what = pod("web", "Never");
  r.run.number = 6;
  REQUIRE(records.keep(r));
  REQUIRE(read().size() == 1);
  CHECK(read()[0].run.phase == run_phase::starting);
  CHECK(fs::exists(dirs.pod_record(r.what.uid)));

  std::ofstream(dirs.pod_records() / "wrong.json") << encode_record(record_of("job"), boot);
  std::ofstream(dirs.pod_records() / "broken.json") << "{";
  std::ofstream(dirs.pod_records() / ".half.json") << "{";
  const auto found = find_leftovers(dirs, boot);
  CHECK(found.records.size() == 1);
  CHECK(found.troubles.size() == 2);
  CHECK(plan_adoption(found).drop_records ==
        std::vector<std::string>{".half.json", "broken.json", "wrong.json"});
  REQUIRE(records.forget(r.key));
  CHECK_FALSE(fs::exists(dirs.pod_record(r.what.uid)));
  fs::remove_all(root);
}

// --- the plan ------------------------------------------------------------------------------------

TEST_CASE("what a record claims stays, the rest goes") {
  leftovers found;
  const auto runs = record_of("runs");
  const auto waits = record_of("waits", pod_state::backing_off);
  const auto over = record_of("over", pod_state::terminal);
  found.records = {waits, runs, over};
  found.record_files = {runs.what.uid + ".json", waits.what.uid + ".json", over.what.uid + ".json"};
  // "waits" ended, and its daemon was killed before its run directory was gone
  found.runs = {runs.what.uid, waits.what.uid, "nobodys"};
  found.storages = {runs.what.uid, waits.what.uid, over.what.uid, "nobodys", ".gone-1-x"};
  found.cgroups = {runs.what.uid, waits.what.uid, "nobodys"};
  const auto plan = plan_adoption(found);
  REQUIRE(plan.restore.size() == 3);
  CHECK(plan.drop_cgroups.size() == 2);
  CHECK(std::count(plan.drop_cgroups.begin(), plan.drop_cgroups.end(), runs.what.uid) == 0);
  CHECK(plan.restore[0].key == "default/over");
  CHECK(plan.end_runs.size() == 2);
  CHECK(std::count(plan.end_runs.begin(), plan.end_runs.end(), runs.what.uid) == 0);
  CHECK(plan.drop_storages == std::vector<std::string>{".gone-1-x", "nobodys"});
  CHECK(plan.drop_records.empty());
}

TEST_CASE(
    "a change of content that was caught in the middle leaves two records: the later counts") {
  auto old_one = record_of("web");
  auto new_one = record_of("web");
  new_one.what = pod("web", "Never");
  new_one.run.number = 6;
  for (const bool order : {false, true}) {
    leftovers found;
    found.records = order ? std::vector{old_one, new_one} : std::vector{new_one, old_one};
    found.record_files = {old_one.what.uid + ".json", new_one.what.uid + ".json"};
    found.runs = {old_one.what.uid, new_one.what.uid};
    const auto plan = plan_adoption(found);
    REQUIRE(plan.restore.size() == 1);
    CHECK(plan.restore[0].what.uid == new_one.what.uid);
    CHECK(plan.end_runs == std::vector<std::string>{old_one.what.uid});
    CHECK(plan.drop_records == std::vector<std::string>{old_one.what.uid + ".json"});
  }
}

// --- the reconciler ------------------------------------------------------------------------------

TEST_CASE(
    "a restored run is adopted, keeps its counts and its age, and its end is judged by them") {
  reconciler_core core{backoff_profile{}, true};
  auto r = record_of("web");
  r.run.phase = run_phase::released;
  r.run.released_at = (1000 * 1'000'000'000LL);
  const auto out = core.restore({r}, at(1500s));
  const auto started = of<start_run>(out);
  REQUIRE(started.size() == 1);
  CHECK(started[0].adopt);
  CHECK(started[0].has_heir);
  CHECK(started[0].run == 5);
  CHECK(started[0].restarts == 4);
  CHECK(core.status(r.key)->state == pod_state::starting); // until its shim has said so
  CHECK(core.status(r.key)->message == "adopting");
  CHECK(core.record(r.key)->run.number == 5);

  std::map<std::string, desired_pod> desired{{r.key, r.what}};
  core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
  CHECK(core.pass(at(1501s)).empty()); // as desired
  core.running({r.key, started[0].generation, 42, 5, {}}, at(1502s));
  SUBCASE("not yet stable: the next failure in a row") {
    core.down(r.key, started[0].generation, {stop_class::shutdown, stop_cause::workload_exited, 3, ""},
              at(1599s));
    CHECK(core.status(r.key)->retries == 3);
  }
  SUBCASE("stable since its real beginning: all is forgiven") {
    core.down(r.key, started[0].generation, {stop_class::shutdown, stop_cause::workload_exited, 3, ""},
              at(1601s));
    CHECK(core.status(r.key)->retries == 1);
  }
  CHECK(core.status(r.key)->restarts == 4);
}

TEST_CASE("a back-off goes on with what is left of it; a pod that has ended stays ended") {
  reconciler_core core{backoff_profile{}, true};
  auto waits = record_of("waits", pod_state::backing_off);
  waits.restart_at = 130 * 1'000'000'000LL;
  auto late = record_of("late", pod_state::backing_off);
  late.restart_at = 10 * 1'000'000'000LL;
  const auto over = record_of("over", pod_state::terminal);
  const auto woken = of<wake_run>(core.restore({late, over, waits}, at(100s)));
  REQUIRE(woken.size() == 2);
  CHECK(woken[0].delay == 0ms);
  CHECK(woken[1].delay == 30s);
  const auto again = of<start_run>(core.due(late.key, woken[0].generation, at(100s)));
  REQUIRE(again.size() == 1);
  CHECK_FALSE(again[0].adopt);
  CHECK(again[0].restarts == 5);
  CHECK(again[0].run == 6);
  CHECK(core.status(over.key)->state == pod_state::terminal);
  std::map<std::string, desired_pod> desired{{over.key, over.what}, {waits.key, waits.what}};
  core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
  CHECK(of<start_run>(core.pass(at(101s))).empty());
  CHECK_FALSE(core.status(late.key)->message.empty());
}

TEST_CASE("what is no longer desired is stopped, what is other now replaced, a stop goes on") {
  reconciler_core core{backoff_profile{}, true};
  const auto gone = record_of("gone");
  const auto over = record_of("over", pod_state::terminal);
  const auto edited = record_of("edited");
  auto stopping = record_of("stopping", pod_state::stopping);
  stopping.next = stopping.what; // `tank restart` was under way
  const auto out = core.restore({edited, gone, over, stopping}, at(1s));
  REQUIRE(of<start_run>(out).size() == 3);
  REQUIRE(of<stop_run>(out).size() == 1);
  CHECK(of<stop_run>(out)[0].key == stopping.key);
  std::map<std::string, desired_pod> desired{{edited.key, pod("edited", "Never")},
                                             {stopping.key, stopping.what}};
  core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
  const auto stops = of<stop_run>(core.pass(at(2s)));
  REQUIRE(stops.size() == 2);
  CHECK(stops[0].key == gone.key);
  CHECK(stops[1].key == edited.key);
  CHECK_FALSE(core.status(over.key).has_value());
  CHECK_FALSE(core.record(over.key).has_value());
  CHECK(core.record(gone.key)->leaving);
  CHECK(core.record(edited.key)->next->hash == desired.at(edited.key).hash);
  const auto generation = of<start_run>(out)[2].generation;
  const auto fresh = of<start_run>(
      core.down(stopping.key, generation, {stop_class::shutdown, stop_cause::stopped, 0, ""}, at(3s)));
  REQUIRE(fresh.size() == 1);
  CHECK_FALSE(fresh[0].adopt);
  CHECK(fresh[0].restarts == 5);
}

TEST_CASE("an upgrade that derives other uids renames nothing that runs") {
  reconciler_core core{backoff_profile{}, true};
  const auto r = record_of("web");
  core.restore({r}, at(1s));
  auto same = r.what;
  same.uid = "another-derivation";
  same.file = "moved.yaml";
  std::map<std::string, desired_pod> desired{{r.key, same}};
  core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
  CHECK(of<stop_run>(core.pass(at(2s))).empty());
  CHECK(core.record(r.key)->what.uid == r.what.uid);
  CHECK(core.record(r.key)->what.file == "moved.yaml");
}

TEST_CASE("a runtime that fails is followed by one that adopts, three times in an unstable run") {
  for (const bool adopts : {false, true}) {
    CAPTURE(adopts);
    reconciler_core core{backoff_profile{}, adopts};
    std::map<std::string, desired_pod> desired{{"default/web", pod("web")}};
    core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
    auto now = of<start_run>(core.pass(at(0s)));
    REQUIRE(now.size() == 1);
    core.running({"default/web", now[0].generation, 42, 5, {}}, at(1s));
    const stop_reason crash{stop_class::abnormal, stop_cause::exception, 0, "boom"};
    for (int n = 1; adopts && n <= 3; ++n) {
      CHECK(now[0].has_heir);
      const auto next = of<start_run>(core.down("default/web", now[0].generation, crash, at(2s)));
      REQUIRE(next.size() == 1);
      CHECK(next[0].adopt);
      CHECK(next[0].run == now[0].run);
      CHECK(core.status("default/web")->state == pod_state::running);
      now = next;
    }
    CHECK_FALSE(now[0].has_heir);
    CHECK(of<start_run>(core.down("default/web", now[0].generation, crash, at(3s))).empty());
    CHECK(core.status("default/web")->state == pod_state::backing_off);
    CHECK(core.status("default/web")->retries == 1);
  }
  reconciler_core core{backoff_profile{}, true};
  std::map<std::string, desired_pod> desired{{"default/web", pod("web")}};
  core.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired)});
  const auto run = of<start_run>(core.pass(at(0s)));
  const stop_reason lost{stop_class::abnormal, stop_cause::session_down, 0, "its shim went away"};
  CHECK(of<start_run>(core.down("default/web", run[0].generation, lost, at(3s))).empty());
}

TEST_CASE("once all are stopped on purpose, nothing is left to adopt") {
  reconciler_core core{backoff_profile{}, true};
  const auto over = record_of("over", pod_state::terminal);
  const auto runs = record_of("runs");
  const auto started = of<start_run>(core.restore({over, runs}, at(1s)));
  core.stop_all({}, at(9s));
  CHECK_FALSE(core.record(over.key).has_value());
  CHECK(core.record(runs.key).has_value()); // it may take its time, and this daemon be killed
  core.down(runs.key, started[0].generation, {stop_class::shutdown, stop_cause::stopped, 0, ""}, at(2s));
  CHECK_FALSE(core.record(runs.key).has_value());
}

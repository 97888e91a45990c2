// Records: as values, as text, as files.
#include "config/manifest.hpp"
#include "pod/pod_records.hpp"
#include "tests/unit/pod/record_play.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace pod_record_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr auto boot = "boot-1";

/// A run of two containers, one of which waits for its back-off and one of which runs again.
run_record two_containers() {
  run_record r;
  r.number = 5;
  r.phase = run_phase::released;
  r.released_at = 44;
  container_record a;
  a.name = "a";
  a.attempt = 3;
  a.phase = run_phase::released;
  a.facts = {3, {"K=V", "L="}, "/w"};
  a.restarts = 2;
  a.retries = 1;
  a.released_at = 55;
  a.last = last_exit{"OOMKilled", 137, 9, "too much", 1, 2};
  a.ends = {6, 7};
  container_record b;
  b.name = "b";
  b.attempt = 1;
  b.restarts = 1;
  b.retries = 1;
  b.restart_at = 99;
  b.restart_at_ns = 100;
  b.waiting = "CrashLoopBackOff";
  b.last = last_exit{"Error", 3, 0, "exited with code 3", 1, 2};
  r.containers = {a, b};
  r.phases = {1us, 2us, 3us, 4us, 5us, 6us};
  return r;
}

container_record ended_container() {
  container_record c;
  c.name = "c";
  c.phase = run_phase::ended;
  c.end = run_end{{stop_class::shutdown, stop_cause::workload_exited, 3, "x"},
                  {"Error", 3, 0, "x", 1, 2}};
  return c;
}

} // namespace

TEST_CASE("a record comes back as it was, and its content has the hash it would get anew") {
  auto r = record_of("web", pod_state::stopping);
  r.next = pod_named("web", "Never");
  r.leaving = true;
  r.limits_edited = true;
  r.crashes = 1;
  r.restart_at = 5;
  r.restart_at_ns = 6;
  r.stop_by = 7;
  r.ends = {8, 9};
  r.last = last_exit{"Error", 137, 9, "killed \xff by signal 9", 1, 2};
  r.message = "back-off";
  r.container_restarts = {2, 0};
  r.run = two_containers();
  r.run.containers.push_back(ended_container());
  r.run.phase = run_phase::ended;
  r.run.end =
      run_end{{stop_class::shutdown, stop_cause::gave_up, 3, "x"}, {"Error", 3, 0, "x", 1, 2}};
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
  CHECK(back->container_restarts == std::vector<std::uint32_t>{2, 0});
  CHECK(back->run == r.run);
}

TEST_CASE("a run comes back as it was, whatever its containers stand at") {
  for (const std::size_t containers : {0, 1, 2, 3}) {
    auto r = record_of("web");
    r.run = two_containers();
    r.run.containers.push_back(ended_container());
    r.run.containers.resize(containers);
    const auto back = decode_record(encode_record(r, boot), boot);
    REQUIRE_MESSAGE(back.has_value(), back.error().message());
    CHECK(back->run == r.run);
  }
}

// --- version 1 -----------------------------------------------------------------------------------

namespace {

/// As the version before wrote it, word for word, with `run` for the run.
std::string version_1(const std::string& state, const std::string& run) {
  return R"({"boot":"boot-1","crashes":1,"createdNs":77,"ends":[8,9],"key":"default/web",)"
         R"("last":{"exitCode":137,"finishedNs":2,"message":"killed by signal 9","reason":"Error",)"
         R"("signal":9,"startedNs":1},"leaving":false,"limitsEdited":true,"message":"back-off",)"
         R"("restartAt":5,"restartAtNs":6,"restarts":4,"retries":2,"run":)" +
         run + R"(,"state":)" + state +
         R"(,"stopBy":7,"version":1,"what":{"file":"web.yaml","manifest":)"
         R"("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\",)"
         R"(\"namespace\":\"default\"},\"spec\":{\"containers\":[{\"name\":\"main\",)"
         R"(\"image\":\"web:1\",\"command\":[\"/run\"]}]}}",)"
         R"("uid":"u-1","warnings":["w"]}})"
         "\n";
}

} // namespace

TEST_CASE("version 1 is read: of a run, its one container is made") {
  const auto back = decode_record(
      version_1("1", R"({"env":["K=V"],"number":5,"phase":1,"phasesUs":[1,2,3,4,5,6],)"
                     R"("releasedAt":44,"stopSignal":3,"workingDir":"/w"})"),
      boot);
  REQUIRE_MESSAGE(back.has_value(), back.error().message());
  CHECK(back->key == "default/web");
  CHECK(back->what.uid == "u-1");
  CHECK(back->what.file == "web.yaml");
  CHECK(back->what.warnings == std::vector<std::string>{"w"});
  CHECK(back->what.pod->spec.containers.at(0).image == "web:1");
  CHECK(back->state == pod_state::starting);
  CHECK(back->limits_edited);
  CHECK(back->restarts == 4);
  CHECK(back->retries == 2);
  CHECK(back->crashes == 1);
  CHECK(back->created_ns == 77);
  CHECK(back->stop_by == 7);
  CHECK(back->ends == std::vector<std::int64_t>{8, 9});
  CHECK(back->last->signal == 9);
  CHECK(back->container_restarts.empty());
  container_record main;
  main.name = "main";
  main.phase = run_phase::released;
  main.facts = {3, {"K=V"}, "/w"};
  main.released_at = 44;
  main.passed = main.post_started = main.startup_passed = main.readiness_passed = true;
  run_record want;
  want.number = 5;
  want.phase = run_phase::released;
  want.released_at = 44;
  want.containers = {main};
  want.phases = {1us, 2us, 3us, 4us, 5us, 6us};
  CHECK(back->run == want);
  // What is written from now on is of this version.
  CHECK(decode_record(encode_record(*back, boot), boot)->run == want);
}

TEST_CASE("version 1 is read: a run that had not come to anything, and one that had ended") {
  const auto fresh =
      decode_record(version_1("1", R"({"env":[],"number":5,"phase":0,"releasedAt":0,)"
                                   R"("stopSignal":15,"workingDir":""})"),
                    boot);
  REQUIRE_MESSAGE(fresh.has_value(), fresh.error().message());
  CHECK(fresh->run.phase == run_phase::starting);
  REQUIRE(fresh->run.containers.size() == 1);
  CHECK(fresh->run.containers[0].phase == run_phase::starting);
  CHECK_FALSE(fresh->run.end);

  for (const auto& [word, cause] : {std::pair{"workload_exited", stop_cause::workload_exited},
                                    std::pair{"oom_killed", stop_cause::oom_killed},
                                    std::pair{"no word of ours", stop_cause::error}}) {
    const auto over = decode_record(
        version_1("3", R"({"end":{"how":{"exitCode":3,"finishedNs":9,"message":"x",)"
                       R"("reason":"Error","signal":0,"startedNs":5},"why":{"class":1,"code":3,)"
                       R"("text":"x","what":")" +
                           std::string{word} +
                           R"("}},"env":[],"number":5,"phase":2,"releasedAt":44,)"
                           R"("stopSignal":15,"workingDir":""})"),
        boot);
    REQUIRE_MESSAGE(over.has_value(), over.error().message());
    CHECK(over->state == pod_state::stopping);
    CHECK(over->run.phase == run_phase::ended);
    REQUIRE(over->run.end);
    CHECK(over->run.end->why == stop_reason{stop_class::shutdown, cause, 3, "x"});
    CHECK(over->run.end->how == last_exit{"Error", 3, 0, "x", 5, 9});
    CHECK(decode_record(encode_record(*over, boot), boot)->run == over->run);
  }
  CHECK(decode_record(version_1("1", R"({"env":[],"number":5,"phase":2,"releasedAt":0,)"
                                     R"("stopSignal":15,"workingDir":""})"),
                      boot)
            .error()
            .code == errc::corrupt);
}

// --- what is refused -----------------------------------------------------------------------------

TEST_CASE(
    "a record that is cut anywhere, or changed in any byte, is refused or read, never worse") {
  auto record = record_of("web");
  record.run = two_containers();
  record.run.containers.push_back(ended_container());
  const auto text = encode_record(record, boot);
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
  auto record = record_of("web");
  record.run = two_containers();
  record.run.containers.push_back(ended_container());
  const auto text = encode_record(record, boot);
  CHECK(decode_record(text, "boot-2").error().code == errc::conflict);
  const auto with = [&](const std::string& from, const std::string& to) {
    auto t = text;
    REQUIRE_MESSAGE(t.find(from) != std::string::npos, from);
    t.replace(t.find(from), from.size(), to);
    const auto back = decode_record(t, boot);
    return back ? errc::internal : back.error().code;
  };
  CHECK(with("\"version\":2", "\"version\":3") == errc::unsupported);
  CHECK(with("\"version\":2", "\"version\":0") == errc::unsupported);
  CHECK(with("default/web", "default/job") == errc::corrupt);
  CHECK(with("\"uid\":\"", "\"uid\":\"../") == errc::corrupt);
  CHECK(with("\"stopSignal\":15", "\"stopSignal\":99") == errc::corrupt);
  CHECK(with("\"phase\":0", "\"phase\":7") == errc::corrupt);
  CHECK(with("\"phase\":0", "\"phase\":2") == errc::corrupt); // an end that is not told
  CHECK(with("\"phase\":2", "\"phase\":1") == errc::corrupt); // one that is
  CHECK(with(
            "\"ends\":[6,7]", "\"ends\":[" + [] {
              std::string many;
              for (int i = 0; i < 10'000; ++i)
                many += (i == 0 ? "" : ",") + std::to_string(i);
              return many;
            }() + "]") == errc::corrupt);
}

TEST_CASE("times and groups that nothing can be reckoned with are no record") {
  auto record = record_of("web");
  record.run = two_containers();
  record.run.group = group_record{1, false, 5, 6, 7};
  const auto text = encode_record(record, boot);
  REQUIRE(decode_record(text, boot).value().run.group == record.run.group);
  const auto with = [&](const std::string& from, const std::string& to) {
    auto t = text;
    REQUIRE_MESSAGE(t.find(from) != std::string::npos, from);
    t.replace(t.find(from), from.size(), to);
    const auto back = decode_record(t, boot);
    return back ? errc::internal : back.error().code;
  };
  CHECK(with("\"stopBy\":5", "\"stopBy\":-1") == errc::corrupt);
  CHECK(with("\"due\":7", "\"due\":-9223372036854775808") == errc::corrupt);
  CHECK(with("\"leastMs\":6", "\"leastMs\":9223372036854775807") == errc::corrupt);
  CHECK(with("\"from\":1", "\"from\":2") == errc::corrupt); // behind the last container
  // A deadline is its pod's.
  CHECK(with("\"message\":", "\"deadlineOver\":true,\"message\":") == errc::corrupt);
  CHECK(with("\"message\":", "\"deadlineAt\":9,\"message\":") == errc::corrupt);
  const auto limited = [](std::int64_t seconds) {
    auto r = record_of("web");
    auto pod = *r.what.pod;
    pod.spec.active_deadline_seconds = seconds;
    r.what.pod = std::make_shared<const config::pod>(pod);
    r.deadline_at = 9;
    r.deadline_over = true;
    return decode_record(encode_record(r, boot), boot);
  };
  CHECK(limited(60).value().deadline_at == 9);
  CHECK(limited(60).value().deadline_over);
  for (const std::int64_t wrong : {std::int64_t{0}, std::int64_t{-1}, INT64_MAX})
    CHECK_FALSE(limited(wrong).has_value());
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
  auto run = two_containers();
  REQUIRE(records.keep_run(r.key, run));
  auto other = run;
  other.number = 4;
  other.end = run_end{};
  REQUIRE(records.keep_run(r.key, other)); // of another run: no news
  REQUIRE(read().size() == 1);
  CHECK(read()[0].run == run);
  run.containers[1] = ended_container();
  REQUIRE(records.keep_run(r.key, run));
  REQUIRE(records.keep_run("default/nobody", run));
  CHECK(read()[0].run == run);
  CHECK(records.run(r.key, 5) == run);
  run_record fresh;
  fresh.number = 6;
  CHECK(records.run(r.key, 6) == fresh);

  const auto before = fs::last_write_time(dirs.pod_record(r.what.uid));
  REQUIRE(records.keep(r)); // nothing new: the runtime's part stays, the file too
  REQUIRE(records.keep_run(r.key, run));
  CHECK(fs::last_write_time(dirs.pod_record(r.what.uid)) == before);
  r.what = pod_named("web", "Never");
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

} // namespace pod_record_test

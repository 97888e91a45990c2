/// A runtime whose pod has several containers.
#include "tests/actor/pair_play.hpp"

#include <map>

namespace runtime_containers_test {

using namespace tank;
using namespace tank::testing;

TEST_CASE(
    "all containers are created and built side by side, in one sandbox, and let go in order") {
  for (const auto& names : {calls{"main", "log"}, calls{"main", "log", "third"}}) {
    stage_play p{play_options{.containers = names}};
    CHECK(p.asked->size() == names.size());
    CHECK(p.session->calls.empty());
    p.image(true, "log"); // the first that is there brings the sandbox with it
    CHECK(*p.prepared == calls{"sandbox", "log"});
    CHECK(p.new_calls() == calls{"start", "create log", "build log"});
    p.happen(kernel::ready_event{log_0, 78});
    for (const auto& name : names)
      if (name != "log") p.image(true, name);
    CHECK(p.prepared->size() == 1 + names.size());
    calls want;
    for (const auto& name : names) {
      if (name == "log") continue;
      want.push_back("create " + name);
      want.push_back("build " + name);
    }
    CHECK(p.new_calls() == want);
    pid_t pid = 100;
    for (const auto& name : names) // each at its own pace
      if (name != "log") p.happen(kernel::ready_event{{name, 0}, ++pid});
    CHECK(p.new_calls().empty());
    for (const auto& name : names) {
      p.happen(kernel::built_event{{name, 0}});
      CHECK(p.new_calls() == (name == names[0] ? calls{"proceed " + name} : calls{}));
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      CHECK(p.heard->running.empty()); // it is up when all are
      p.happen(kernel::running_event{{names[i], 0}, names[i] == "log" ? 78 : pid, 5});
      const bool last = i + 1 == names.size();
      CHECK(p.new_calls() == (last ? calls{} : calls{"proceed " + names[i + 1]}));
    }
    REQUIRE(p.heard->running.size() == 1);
    CHECK(p.heard->running[0].containers.size() == names.size());
    for (const auto& c : p.heard->running[0].containers)
      CHECK(c.state == container_phase::running);
    CHECK(p.timers->pending().empty()); // all is up: nothing is waited for
  }
}

TEST_CASE("images that come together make one job") {
  pair_play p;
  for (const auto& [name, ticket] : *p.asked)
    p.s.send(p.store, p.rt, image_resolved{ticket, std::make_shared<const oci::image>(), {}});
  p.settle();
  CHECK(*p.prepared == calls{"sandbox", "main", "log"});
  CHECK(p.new_calls() == calls{"start", "create main", "build main", "create log", "build log"});
}

TEST_CASE("either end leaves the other running; it runs again inside, after its back-off") {
  pair_play p;
  p.run_both();
  p.happen(kernel::exited_event{log_0, 3, 9});
  CHECK(p.new_calls().empty());
  auto log = p.told("log");
  CHECK(log.state == container_phase::waiting);
  CHECK(log.reason == "CrashLoopBackOff");
  CHECK(log.restart_at_ns == p.wall_ns + 10'000'000'000);
  REQUIRE(log.last);
  CHECK(log.last->exit_code == 3);
  CHECK(p.ask<host_pid>(get_host_pid{"log"}).second == "not_running");
  p.check_main_undisturbed();
  CHECK(p.timers->pending() == std::vector<std::chrono::milliseconds>{10s});
  p.advance(10s - 1ms);
  CHECK(p.asked->size() == 2);
  p.advance(1ms);
  CHECK(p.asked->size() == 3); // the image may have changed meanwhile
  p.image(true, "log");
  CHECK(*p.prepared == calls{"sandbox", "main", "log", "log/1"});
  CHECK(p.new_calls() == calls{"create log/1", "build log/1"});
  p.happen(kernel::ready_event{log_1, 79});
  p.happen(kernel::built_event{log_1});
  CHECK(p.new_calls() == calls{"proceed log/1"});
  p.happen(kernel::running_event{log_1, 79, 6});
  log = p.told("log");
  CHECK(log.state == container_phase::running);
  CHECK(log.attempt == 1);
  CHECK(log.restarts == 1);
  CHECK(log.host_pid == 79);
  CHECK(log.last->exit_code == 3);
  CHECK(p.ask<host_pid>(get_host_pid{"log"}).first == host_pid{79});
  p.check_main_undisturbed();
  CHECK(p.heard->running.size() == 1);
  CHECK(p.timers->pending().empty());
  // The other way round: the first may end, too.
  p.happen(kernel::signaled_event{only, 11, false, 9});
  CHECK(p.new_calls().empty());
  CHECK(p.told("main").reason == "CrashLoopBackOff");
  CHECK(p.told("log").state == container_phase::running);
  p.advance(10s);
  p.run({"main", 1}, 80);
  CHECK(p.ask<host_pid>(get_host_pid{}).first == host_pid{80});
  CHECK(p.told("main").attempt == 1);
  CHECK(p.ask<host_pid>(get_host_pid{"log"}).first == host_pid{79});
}

TEST_CASE("back-offs grow for each container by itself, and what comes late is nobody's") {
  pair_play p;
  p.run_both();
  std::uint32_t attempt = 0;
  for (const auto wait : {10s, 20s, 40s}) {
    p.happen(kernel::exited_event{{"log", attempt}, 1, 9});
    CHECK(p.timers->pending() == std::vector<std::chrono::milliseconds>{wait});
    p.happen(kernel::exited_event{{"log", attempt}, 1, 9}); // said twice
    if (attempt > 0) p.happen(kernel::exited_event{{"log", attempt - 1}, 1, 9});
    CHECK(p.timers->pending().size() == 1);
    p.advance(wait);
    p.run({"log", ++attempt}, 78);
    CHECK(p.told("log").restarts == attempt);
  }
  p.happen(kernel::exited_event{only, 1, 9});
  CHECK(p.timers->pending() == std::vector<std::chrono::milliseconds>{10s});
}

TEST_CASE("a pod is over when none of its containers runs again") {
  struct row {
    std::string policy;
    int first;
    int second;
    stop_class cls;
    int code;
  };
  for (const auto& r :
       {row{"Never", 0, 0, stop_class::normal, 0}, row{"Never", 0, 4, stop_class::shutdown, 4},
        row{"Never", 3, 4, stop_class::shutdown, 3},
        row{"OnFailure", 0, 0, stop_class::normal, 0}}) {
    CAPTURE(r.policy);
    pair_play p{{.policy = r.policy}};
    p.run_both();
    p.happen(kernel::exited_event{log_0, r.second, 9});
    CHECK(p.told("log").state == container_phase::terminated);
    p.check_main_undisturbed();
    p.happen(kernel::exited_event{only, r.first, 9});
    p.go_down();
    CHECK(p.ended->value().cls == r.cls);
    CHECK(p.ended->value().code == r.code);
    REQUIRE(p.heard->ended.size() == 1);
    CHECK(p.heard->ended[0].containers.size() == 2);
    p.check_forgotten();
  }
}

TEST_CASE("a stop is for all containers, within one grace period") {
  pair_play p{{.grace = 7}};
  p.run_both();
  SUBCASE("all obey") {
    p.stop();
    CHECK(p.new_calls() == calls{"signal main 3", "signal log 3"});
    p.happen(kernel::exited_event{only, 0, 9});
    CHECK(p.new_calls().empty());
    p.happen(kernel::exited_event{log_0, 0, 9});
  }
  SUBCASE("one does not") {
    p.stop();
    p.advance(3s);
    p.happen(kernel::exited_event{log_0, 0, 9});
    p.new_calls();
    p.advance(4s);
    CHECK(p.new_calls() == calls{"kill main"});
    p.happen(kernel::signaled_event{only, 9, false, 9});
  }
  SUBCASE("none does") {
    p.stop();
    p.new_calls();
    p.advance(7s);
    CHECK(p.new_calls() == calls{"kill main", "kill log"});
    p.happen(kernel::signaled_event{log_0, 9, false, 9});
    p.happen(kernel::signaled_event{only, 9, false, 9});
  }
  SUBCASE("with less patience than before") {
    p.stop();
    p.new_calls();
    p.stop(0s);
    CHECK(p.new_calls() == calls{"kill main", "kill log"});
    p.happen(kernel::signaled_event{log_0, 9, false, 9});
    p.happen(kernel::signaled_event{only, 9, false, 9});
  }
  SUBCASE("one waits for its back-off") {
    p.happen(kernel::exited_event{log_0, 3, 9});
    p.stop();
    CHECK(p.new_calls() == calls{"signal main 3"});
    CHECK(p.timers->pending() == std::vector<std::chrono::milliseconds>{7s});
    p.happen(kernel::exited_event{only, 0, 9});
  }
  SUBCASE("one is being created") {
    p.happen(kernel::exited_event{log_0, 3, 9});
    p.advance(10s);
    p.image(true, "log");
    p.new_calls();
    p.stop();
    CHECK(p.new_calls() == calls{"signal main 3", "abort log/1"});
    p.happen(kernel::aborted_event{log_1});
    p.happen(kernel::exited_event{only, 0, 9});
  }
  p.go_down();
  CHECK(p.ended->value().cause == stop_cause::stopped);
  p.check_forgotten();
}

TEST_CASE("an image that is missing is one container's trouble, whatever the policy") {
  for (const auto* policy : {"Always", "Never"}) {
    CAPTURE(policy);
    pair_play p{{.policy = policy}};
    p.image(false, "log");
    CHECK_FALSE(p.ended->has_value());
    p.run(only, 77);
    CHECK(p.told("log").state == container_phase::waiting);
    CHECK(p.told("log").reason == "ImagePullBackOff");
    CHECK(p.told("log").message.find("log:1") != std::string::npos);
    p.new_calls();
    p.advance(10s);
    p.image(true, "log");
    CHECK(p.prepared->back() == "log/1");
    p.happen(kernel::ready_event{log_1, 79});
    p.happen(kernel::built_event{log_1});
    p.happen(kernel::running_event{log_1, 79, 6});
    CHECK(p.told("log").state == container_phase::running);
    CHECK(p.told("log").restarts == 0); // it is its first run
    p.check_main_undisturbed();
  }
}

TEST_CASE("an attempt that the shim does not take, or cannot start, is one container's trouble") {
  struct row {
    kernel::session_event what;
    std::string text;
    bool of_the_host = false;
  };
  for (const auto& r :
       {row{kernel::refused_event{log_0, kernel::request::create, kernel::refusal::bad_plan, 0, ""},
            "cannot create 'log': bad_plan"},
        row{kernel::refused_event{log_0, kernel::request::create, kernel::refusal::failed, ENOMEM,
                                  ""},
            "cannot create 'log': Cannot allocate memory", true},
        row{kernel::failed_event{log_0, kernel::launch_failure::find_command, ENOENT, "execute",
                                 "foo"},
            "cannot execute 'foo': No such file or directory (no such program in the image's PATH; "
            "check command)"}}) {
    pair_play p;
    p.run(only, 77);
    p.image(true, "log");
    p.new_calls();
    p.happen(r.what);
    CHECK(p.told("log").reason == "CrashLoopBackOff");
    REQUIRE(p.told("log").last);
    CHECK(p.told("log").last->reason == (r.of_the_host ? "HostShortage" : "StartError"));
    CHECK(p.told("log").last->message == r.text);
    p.check_main_undisturbed();
    p.advance(10s);
    p.run(log_1, 79);
    CHECK(p.told("log").host_pid == 79);
    CHECK(p.told("log").restarts == (r.of_the_host ? 0 : 1));
  }
}

TEST_CASE("a plan that cannot even be sent is one container's trouble; a session's is all") {
  pair_play p;
  p.run(only, 77);
  SUBCASE("the plan's") {
    p.session->refusals.emplace(
        "create log", error{errc::invalid, 0, "create", "log", "its plan is too long", ""});
    p.image(true, "log");
    CHECK(p.told("log").last->message == "cannot create 'log': its plan is too long");
    CHECK(p.told("log").reason == "CrashLoopBackOff");
    p.new_calls();
    p.check_main_undisturbed();
  }
  SUBCASE("the session's") {
    p.session->refusals.emplace("create log", error{errc::io, EIO, "create", "log", "", ""});
    p.image(true, "log");
    p.happen(kernel::session_down_event{"closed"});
    CHECK(p.ended->value().cause == stop_cause::session_down);
    p.check_forgotten();
  }
}

TEST_CASE("a container that does not come up in time is killed, and runs again") {
  pair_play p;
  p.run(only, 77);
  p.image(true, "log");
  p.happen(kernel::ready_event{log_0, 78});
  p.new_calls();
  p.advance(120s);
  CHECK(p.new_calls() == calls{"kill log"});
  p.happen(kernel::signaled_event{log_0, 9, false, 9});
  CHECK(p.told("log").last->message.find("stuck in 'parked'") != std::string::npos);
  p.check_main_undisturbed();
}

TEST_CASE("the shim takes all with it") {
  pair_play p;
  p.run_both();
  p.happen(kernel::exited_event{log_0, 3, 9});
  p.happen(kernel::session_down_event{"the shim was killed by signal 9"});
  CHECK(p.ended->value().cls == stop_class::abnormal);
  CHECK(p.ended->value().cause == stop_cause::session_down);
  p.check_forgotten();
}

TEST_CASE("a container is asked for by its name, and the first without one") {
  pair_play p;
  p.run_both();
  CHECK(p.ask<host_pid>(get_host_pid{"log"}).first == host_pid{78});
  CHECK(p.ask<host_pid>(get_host_pid{}).first == host_pid{77});
  CHECK(p.ask<exec_context>(get_exec_context{"log"}).first ==
        exec_context{78, {"PATH=/bin", "A=1"}, "/srv/log", ""});
  CHECK(p.ask<exec_context>(get_exec_context{"main"}).first ==
        exec_context{77, {"PATH=/bin", "A=1"}, "/srv", ""});
  CHECK(p.ask<host_pid>(get_host_pid{"other"}).second == "it has no container 'other'");
  CHECK(p.ask<exec_context>(get_exec_context{"other"}).second == "it has no container 'other'");
}

TEST_CASE("edited limits are for all containers, also while one of them waits") {
  pair_play p{
      {.cgroups = {cgroup_version::v2, {{{"memory"}, "/sys/fs/cgroup", "/sys/fs/cgroup/tank"}}}}};
  const auto limit = [&](const std::string& main, const std::string& log) {
    auto what = played_pod(p.of);
    auto pod = *what.pod;
    pod.spec.containers[0].resources.limits["memory"] = *config::quantity::parse(main);
    pod.spec.containers[1].resources.limits["memory"] = *config::quantity::parse(log);
    what.pod = std::make_shared<const config::pod>(std::move(pod));
    what.hash = main + log;
    p.s.send(p.owner, p.rt, change_limits{what});
    p.settle();
  };
  const auto in_force = [&] {
    std::map<std::string, std::optional<std::uint64_t>> out;
    for (const auto& c : p.port->cgroups.at(directories{}.pod_cgroup("u-1")).containers)
      out[c.name] = c.limits.memory;
    return out;
  };
  using limits = decltype(in_force());
  p.run_both();
  limit("8Mi", "16Mi");
  CHECK(in_force() == limits{{"main", 8u << 20}, {"log", 16u << 20}});
  p.happen(kernel::exited_event{log_0, 3, 9});
  limit("32Mi", "64Mi");
  CHECK(in_force() == limits{{"main", 32u << 20}, {"log", 64u << 20}});
  CHECK(p.heard->limits.size() == 2);
  p.check_main_undisturbed();
}

} // namespace runtime_containers_test

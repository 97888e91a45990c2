#include "actors/runtime/runtime.hpp"

#include "actors/images/image_store.hpp"
#include "actors/supervision/stop_reason.hpp"
#include "config/pod.hpp"
#include "tests/actor/stage_play.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <sys/epoll.h>

namespace runtime_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;

using calls = std::vector<std::string>;

TEST_CASE("bring-up: create and build go out together, proceed follows the built root") {
  stage_play p;
  CHECK(p.session->calls.empty());
  p.image();
  CHECK(p.session->calls == calls{"start", "create main", "build main"});
  p.happen(kernel::ready_event{only, 77});
  CHECK(p.last_call() == "build main");
  p.happen(kernel::built_event{only});
  CHECK(p.last_call() == "proceed main");
  p.happen(kernel::running_event{only, 77, 5});
  CHECK(p.last_call() == "proceed main");
  CHECK_FALSE(p.ended->has_value());
}

TEST_CASE("a workload's end: the shim goes, the disk is cleaned, the reason matches") {
  struct row {
    kernel::session_event end;
    stop_reason want;
  };
  const std::vector<row> rows{
      {kernel::exited_event{only, 0, 9}, {}},
      {kernel::exited_event{only, 3, 9},
       {stop_class::shutdown, stop_cause::workload_exited, 3, "exited with code 3"}},
      {kernel::signaled_event{only, 9, false, 9},
       {stop_class::shutdown, stop_cause::workload_signaled, 9, "killed by signal 9"}},
  };
  for (const auto& r : rows) {
    stage_play p;
    p.run();
    p.happen(r.end);
    CHECK(p.last_call() == "shutdown");
    CHECK_FALSE(p.ended->has_value()); // not before the shim is gone
    p.happen(kernel::session_down_event{"closed"});
    p.check_nothing_left();
    CHECK(p.ended->value() == r.want);
  }
}

namespace {

cgroup_tree some_cgroups() {
  return {cgroup_version::v2, {{{"memory"}, "/sys/fs/cgroup", "/sys/fs/cgroup/tank"}}};
}

std::string pod_cgroup() {
  return directories{}.pod_cgroup("u-1");
}

} // namespace

TEST_CASE("an end for want of memory is told as such, and only that") {
  struct row {
    bool out_of_memory; // says the shim
    kernel::session_event end;
    stop_cause cause;
    std::string text;
  };
  const std::vector<row> rows{
      {true, kernel::signaled_event{only, 9, false, 9}, stop_cause::oom_killed,
       "OOMKilled: killed by signal 9"},
      {true, kernel::exited_event{only, 3, 9}, stop_cause::oom_killed,
       "OOMKilled: exited with code 3"},
      {false, kernel::exited_event{only, 0, 9}, stop_cause::normal, ""},
      {false, kernel::signaled_event{only, 9, false, 9}, stop_cause::workload_signaled,
       "killed by signal 9"},
  };
  for (const auto& r : rows) {
    stage_play p{30, false, some_cgroups()};
    p.run();
    p.port->cgroup_stats[pod_cgroup() + "/main"].oom_kills = 1; // its word is not asked for
    auto end = r.end;
    std::visit(
        [&r](auto& e) {
          if constexpr (requires { e.out_of_memory; }) e.out_of_memory = r.out_of_memory;
        },
        end);
    p.happen(end);
    p.happen(kernel::session_down_event{"closed"});
    p.check_nothing_left();
    CHECK(p.ended->value().cause == r.cause);
    CHECK(p.ended->value().text == r.text);
  }
}

TEST_CASE("for a shim of protocol 1, which does not count, the cgroup is asked") {
  struct row {
    std::uint64_t kills;
    kernel::session_event end;
    stop_cause cause;
    std::string text;
  };
  const std::vector<row> rows{
      {1, kernel::signaled_event{only, 9, false, 9}, stop_cause::oom_killed,
       "OOMKilled: killed by signal 9"},
      {2, kernel::exited_event{only, 3, 9}, stop_cause::oom_killed,
       "OOMKilled: exited with code 3"},
      {1, kernel::exited_event{only, 0, 9}, stop_cause::normal, ""},
      {0, kernel::signaled_event{only, 9, false, 9}, stop_cause::workload_signaled,
       "killed by signal 9"},
  };
  for (const auto& r : rows) {
    stage_play p{30, false, some_cgroups()};
    p.session->protocol = 1;
    p.run();
    p.port->cgroup_stats[pod_cgroup() + "/main"].oom_kills = r.kills;
    p.happen(r.end);
    p.happen(kernel::session_down_event{"closed"});
    p.check_nothing_left();
    CHECK(p.ended->value().cause == r.cause);
    CHECK(p.ended->value().text == r.text);
  }
}

TEST_CASE("the cgroups are there before the shim, and without them there is none") {
  stage_play p{30, false, some_cgroups()};
  p.image();
  CHECK(p.port->cgroup_calls == calls{"make " + pod_cgroup()});
  CHECK(p.session->calls == calls{"start", "create main", "build main"});
  stage_play q{30, false, some_cgroups()};
  q.port->refuse_cgroup.emplace("make", error{errc::unsupported, 0, "limit", "main", "why", ""});
  q.image();
  CHECK(q.session->calls.empty());
  q.check_nothing_left();
  CHECK(q.ended->value().cause == stop_cause::bring_up_failed);
  CHECK(q.ended->value().text == "cannot limit 'main': why");
}

namespace {

/// A runtime whose pod's limits are edited.
struct resize_play : stage_play {
  explicit resize_play(cgroup_tree cgroups = some_cgroups())
      : stage_play(30, false, std::move(cgroups)) {}
  void limit(const std::string& memory) {
    auto pod = *played_pod(of).pod;
    pod.spec.containers[0].resources.limits["memory"] = *config::quantity::parse(memory);
    auto what = played_pod(of);
    what.pod = std::make_shared<const config::pod>(std::move(pod));
    what.hash = memory;
    s.send(owner, rt, change_limits{what});
    settle();
  }
  void end() {
    happen(kernel::exited_event{only, 0, 9});
    happen(kernel::session_down_event{"closed"});
    check_nothing_left();
  }
  [[nodiscard]] std::optional<std::uint64_t> memory() const {
    const auto& now = port->cgroups.at(pod_cgroup());
    return now.containers.empty() ? std::nullopt : now.containers[0].limits.memory;
  }
  [[nodiscard]] std::size_t updates() const {
    return static_cast<std::size_t>(
        std::count(port->cgroup_calls.begin(), port->cgroup_calls.end(), "update " + pod_cgroup()));
  }
  /// "hash" for each that came into force, "hash: why" for the others.
  [[nodiscard]] calls told() const {
    calls out;
    for (const auto& m : heard->limits)
      out.push_back(m.why.empty() ? m.hash : m.hash + ": " + m.why);
    return out;
  }
};

const error in_use{errc::conflict, 0, "limit", "main", "it uses more", ""};

} // namespace

TEST_CASE("edited limits come into force while the workload runs, or just before") {
  resize_play p;
  p.limit("8Mi"); // nothing is made yet; what is made is made with them
  CHECK(p.updates() == 0);
  p.image();
  p.happen(kernel::ready_event{only, 77});
  p.limit("16Mi");
  CHECK(p.memory() == 16u << 20);
  p.happen(kernel::built_event{only});
  p.happen(kernel::running_event{only, 77, 5});
  p.limit("32Mi");
  CHECK(p.memory() == 32u << 20);
  p.stop();
  p.limit("64Mi");
  CHECK(p.updates() == 3);
  CHECK(p.told() == calls{"8Mi", "16Mi", "32Mi", "64Mi"});
  p.happen(kernel::exited_event{only, 0, 9});
  p.limit("128Mi"); // its end is a fact
  CHECK(p.updates() == 3);
  CHECK(p.told().size() == 4);
  p.happen(kernel::session_down_event{"closed"});
  p.check_nothing_left();
}

TEST_CASE("limits that cannot be put in force are the owner's to decide about") {
  resize_play p;
  p.run();
  p.port->refuse_cgroup.emplace("update", in_use);
  p.limit("16Mi");
  CHECK(p.told() == calls{"16Mi: cannot limit 'main': it uses more"});
  CHECK(p.heard->limits.at(0).key == "default/web");
  CHECK(p.heard->limits.at(0).generation == 4);
  p.end();
}

TEST_CASE("where there are no cgroups, limits are refused as they are at a start") {
  resize_play p{cgroup_tree{}};
  p.run();
  p.limit("16Mi");
  REQUIRE(p.heard->limits.size() == 1);
  CHECK(p.heard->limits.front().why.starts_with(
      "cannot limit 'main': Tank has no cgroups on this host"));
  p.end();
}

TEST_CASE("who takes a run over puts its limits in force; only edited ones are worth a word") {
  resize_play p;
  p.port->shims_live = true;
  p.run();
  const auto again = [&p] { // its connection is lost, and made anew
    p.happen(kernel::session_down_event{"another daemon took over the shim", true});
    p.happen(kernel::adopted_event{});
  };
  again();
  CHECK(p.updates() == 1);
  CHECK(p.told().empty());
  p.port->refuse_cgroup.emplace("update", in_use);
  again(); // nobody asked for other ones: what runs, runs on
  CHECK(p.updates() == 2);
  CHECK(p.told().empty());
  p.happen(kernel::session_down_event{"another daemon took over the shim", true});
  p.limit("16Mi");
  CHECK(p.updates() == 2);
  p.happen(kernel::adopted_event{});
  CHECK(p.updates() == 3);
  CHECK(p.told() == calls{"16Mi: cannot limit 'main': it uses more"});
  p.end();
}

TEST_CASE("the shim vanishes: abnormal session_down") {
  stage_play p;
  p.run();
  p.happen(kernel::session_down_event{"connection closed"});
  p.check_nothing_left();
  CHECK(p.ended->value().cls == stop_class::abnormal);
  CHECK(p.ended->value().cause == stop_cause::session_down);
}

TEST_CASE("an image that is not here says how to get it") {
  stage_play p;
  p.image(false);
  p.check_nothing_left();
  CHECK(p.ended->value().cause == stop_cause::bring_up_failed);
  CHECK(p.ended->value().text ==
        "cannot find image 'web:1': not in the local store (load it with: tank image load "
        "ARCHIVE, or tank image import ROOTFS.tar web:1)");
}

TEST_CASE("a command that does not exist is named, and what to change") {
  stage_play p;
  p.image();
  p.happen(kernel::ready_event{only, 77});
  p.happen(kernel::built_event{only});
  p.happen(
      kernel::failed_event{only, kernel::launch_failure::find_command, ENOENT, "execute", "foo"});
  p.happen(kernel::session_down_event{"closed"});
  p.check_nothing_left();
  CHECK(p.ended->value() ==
        stop_reason{stop_class::abnormal, stop_cause::bring_up_failed, 0,
                    "cannot execute 'foo': No such file or directory (no such program in the "
                    "image's PATH; check command)"});
}

namespace {

/// The shim was, once.
bool told_to_go(const stage_play& p) {
  return std::count(p.session->calls.begin(), p.session->calls.end(), "shutdown") == 1;
}

} // namespace

TEST_CASE("each failure on the way ends clean") {
  const error boom{errc::io, EIO, "do", "it", "", ""};
  SUBCASE("preparing") {
    stage_play p;
    *p.prepare_error = boom;
    p.image();
    p.check_nothing_left();
    CHECK(p.ended->value().cause == stop_cause::bring_up_failed);
  }
  SUBCASE("starting the shim") {
    stage_play p;
    p.port->refuse_start = boom;
    p.image();
    p.check_nothing_left();
    CHECK(p.ended->value().text == "cannot do 'it': Input/output error");
  }
  SUBCASE("watching the shim") {
    stage_play p;
    p.fds->refuse = boom;
    p.image();
    CHECK(p.last_call() != "end");
    CHECK(told_to_go(p));
    p.advance(10s); // nobody can tell us that it has gone
    CHECK(p.last_call() == "end");
    p.advance(10s);
    p.check_nothing_left();
  }
  for (const char* verb : {"create", "build", "proceed"}) {
    CAPTURE(verb);
    stage_play p;
    p.session->refusals.emplace(verb, boom);
    p.image();
    p.happen(kernel::ready_event{only, 77});
    p.happen(kernel::built_event{only});
    CHECK(told_to_go(p));
    p.happen(kernel::session_down_event{"closed"});
    p.check_nothing_left();
    // A session that worked up to then is lost; one that did not is a bring-up that failed.
    CHECK(p.ended->value().cause == (verb == std::string{"proceed"} ? stop_cause::session_down
                                                                    : stop_cause::bring_up_failed));
    CHECK(p.ended->value().text.find("cannot do 'it': Input/output error") != std::string::npos);
  }
}

TEST_CASE("a shim that cannot be told to go is killed, and waited for before the disk is cleaned") {
  stage_play p;
  p.session->refusals.emplace("shutdown", error{errc::io, EIO, "do", "it", "", ""});
  p.run();
  p.happen(kernel::exited_event{only, 0, 9});
  CHECK(p.last_call() == "end");
  CHECK(*p.cleaned == 0);
  CHECK_FALSE(p.ended->has_value());
  p.happen(kernel::session_down_event{"killed"});
  p.check_nothing_left();
}

TEST_CASE("a graceful stop: the image's signal, the grace period, then a kill") {
  stage_play p{7};
  p.run();
  p.stop();
  CHECK(p.last_call() == "signal main 3");
  p.advance(6s);
  CHECK(p.last_call() == "signal main 3");
  p.advance(1s);
  CHECK(p.last_call() == "kill main");
  p.happen(kernel::signaled_event{only, 9, false, 9});
  p.happen(kernel::session_down_event{"closed"});
  p.check_nothing_left();
  CHECK(p.ended->value() ==
        stop_reason{stop_class::shutdown, stop_cause::stopped, 137, "killed by signal 9"});
}

TEST_CASE("a stop in every state of the bring-up") {
  SUBCASE("while the image is resolved") {
    stage_play p;
    p.stop();
    p.check_nothing_left();
    CHECK(p.session->calls.empty());
  }
  SUBCASE("spawned") {
    stage_play p;
    p.image();
    p.stop();
    CHECK(p.last_call() == "abort main");
    p.happen(kernel::aborted_event{only});
    p.happen(kernel::session_down_event{"closed"});
    p.check_nothing_left();
  }
  SUBCASE("ready") {
    stage_play p;
    p.image();
    p.happen(kernel::ready_event{only, 77});
    p.stop();
    CHECK(p.last_call() == "abort main");
    p.happen(kernel::aborted_event{only});
    p.happen(kernel::session_down_event{"closed"});
    p.check_nothing_left();
  }
  SUBCASE("built") {
    stage_play p;
    p.image();
    p.happen(kernel::ready_event{only, 77});
    p.happen(kernel::built_event{only});
    p.stop();
    CHECK(p.last_call() == "kill main");
    p.happen(kernel::running_event{only, 77, 5});
    p.happen(kernel::signaled_event{only, 9, false, 9});
    p.happen(kernel::session_down_event{"closed"});
    p.check_nothing_left();
  }
  SUBCASE("after its end") {
    stage_play p;
    p.run();
    p.happen(kernel::exited_event{only, 3, 9});
    p.stop();
    p.happen(kernel::session_down_event{"closed"});
    p.check_nothing_left();
    CHECK(p.ended->value().cause == stop_cause::stopped);
  }
}

TEST_CASE("the owner hears of running and of the end, once each, with its generation") {
  stage_play p;
  p.advance(2ms);
  p.image();
  p.advance(3ms);
  p.happen(kernel::ready_event{only, 78});
  p.advance(4ms);
  p.happen(kernel::built_event{only});
  p.advance(5ms);
  p.happen(kernel::running_event{only, 78, 5});
  REQUIRE(p.heard->running.size() == 1);
  const auto& running = p.heard->running[0];
  CHECK(running.key == "default/web");
  CHECK(running.generation == 4);
  CHECK(running.host_pid == 78);
  CHECK(running.started_ns == 5);
  CHECK(running.phases == phase_times{.image = 2ms, .spawn = 3ms, .rootfs = 4ms, .proceed = 5ms});
  REQUIRE(running.containers.size() == 1);
  CHECK(running.containers[0].name == "main");
  CHECK(running.containers[0].state == container_phase::running);
  CHECK(running.containers[0].host_pid == 78);
  p.happen(kernel::exited_event{only, 3, 9});
  CHECK(p.heard->ended.empty());
  p.happen(kernel::session_down_event{"closed"});
  REQUIRE(p.heard->ended.size() == 1);
  CHECK(p.heard->ended[0].generation == 4);
  CHECK(p.heard->ended[0].how.exit_code == 3);
  CHECK(p.heard->running.size() == 1);
  p.check_forgotten();
}

TEST_CASE("a runtime that is killed takes its shim with it") {
  stage_play p;
  p.run();
  caf::anon_send_exit(p.rt, caf::exit_reason::kill);
  p.s.settle();
  CHECK(p.last_call() == "shutdown");
  CHECK_FALSE(p.session->alive);
  CHECK(p.fds->watched() == 0);
}

TEST_CASE("host pid and exec context: not before it runs, not after its end") {
  stage_play p;
  const auto refused = [&] {
    const auto [pid, no_pid] = p.ask<host_pid>(get_host_pid{});
    const auto [context, no_context] = p.ask<exec_context>(get_exec_context{});
    CHECK_FALSE(pid.has_value());
    CHECK_FALSE(context.has_value());
    CHECK(no_context == no_pid);
    return no_pid;
  };
  const auto answered = [&] {
    CHECK(p.ask<host_pid>(get_host_pid{}).first == host_pid{77});
    CHECK(p.ask<exec_context>(get_exec_context{}).first ==
          exec_context{77, {"PATH=/bin", "A=1"}, "/srv", ""});
  };
  CHECK(refused() == "not_running");
  p.image();
  p.happen(kernel::ready_event{only, 77});
  CHECK(refused() == "not_running");
  p.happen(kernel::built_event{only});
  CHECK(refused() == "not_running");
  p.happen(kernel::running_event{only, 77, 5});
  answered();
  p.stop();
  answered(); // it obeys: one may still look into it
  p.advance(30s);
  CHECK(p.last_call() == "kill main");
  CHECK(refused() == "not_running");
  p.happen(kernel::signaled_event{only, 9, false, 9});
  CHECK(refused() == "not_running");
  p.happen(kernel::session_down_event{"closed"});
  p.check_nothing_left();
  CHECK(refused() == "it has ended");
}

} // namespace runtime_test

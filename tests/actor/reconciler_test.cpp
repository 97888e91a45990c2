#include "actors/reconciler.hpp"
#include "actors/role.hpp"
#include "config/pod.hpp"
#include "tests/actor/script.hpp"

#include <spdlog/spdlog.h>

#include <map>
#include <vector>

using namespace tank;
using namespace std::chrono_literals;
using tank::testing::script;

namespace {

struct end_run {
  stop_reason why;
  bool operator==(const end_run&) const = default;
};
TANK_INSPECT(end_run, why)

} // namespace

TANK_MESSAGES(reconciler_test, end_run)

namespace {

/// Stands for a runtime: obeys nothing by itself, the test decides when and how it ends.
class stub_runtime : public role {
 public:
  explicit stub_runtime(caf::actor_config& cfg) : role(cfg) {}
  caf::behavior make_behavior() override {
    return {
        [](const stop_pod&) {},
        [](const own_runtime&) {},
        [this](const end_run& m) { stop(m.why); },
    };
  }
};

struct run {
  runtime_args args;
  caf::actor actor;
};

constexpr auto web = "default/web";

struct fixture {
  script s;
  caf::actor me = s.peer();
  std::vector<run> runs; ///< in the order of their start
  std::map<std::string, desired_pod> wanted;
  std::int64_t wall = 1'000;
  bool refuse_to_start = false;
  caf::actor rec;
  reconciler_options options;

  fixture() {
    spdlog::set_level(spdlog::level::off);
    auto& o = options;
    o.start_runtime = [this](caf::actor_system& sys, runtime_args args) -> caf::actor {
      if (refuse_to_start) return {};
      auto a = sys.spawn<stub_runtime>();
      runs.push_back({std::move(args), a});
      return a;
    };
    o.wall_clock = [this] { return wall; };
    o.nudge_burst = 2;
    rec = spawn_reconciler(s.sys, o);
    s.settle();
  }
  ~fixture() {
    // the handles in `runs` would keep their actors, and those the actor system
    for (auto& r : runs)
      compat::send_exit(r.actor, caf::make_error(caf::exit_reason::kill));
    compat::send_exit(rec, caf::make_error(caf::exit_reason::kill));
    s.settle();
  }

  void want(const std::string& key, const std::string& hash, const std::string& policy = "Always") {
    auto p = std::make_shared<config::pod>();
    p->spec.restart_policy = policy;
    wanted[key] = desired_pod{p, "uid-" + hash, hash, "web.yaml", {}};
  }
  void tell() {
    s.send(me, rec,
           desired_state{std::make_shared<const std::map<std::string, desired_pod>>(wanted)});
  }
  /// Tells and lets everything happen that happens without time passing.
  void apply() {
    tell();
    s.settle();
  }
  void comes_up(const run& r, pid_t pid = 42) {
    s.send(r.actor, rec, pod_running{r.args.key, r.args.generation, pid, 900, {}});
    s.settle();
  }
  void ends(const run& r, const stop_reason& why) {
    s.send(me, r.actor, end_run{why});
    s.settle();
  }
  pod_status status(const std::string& key = web) { return s.ask<pod_status>(rec, get_pod{key}); }
  std::size_t advance(std::chrono::milliseconds by) {
    const auto fired = s.advance(by);
    s.settle();
    return fired;
  }
};

error refusal(script& s, const caf::actor& to, const auto& question) {
  error out;
  caf::scoped_actor self{s.sys};
  auto handle = compat::request(&*self, to, 1s, question);
  s.settle();
  std::move(handle).receive([](const pod_status&) { FAIL("answered"); },
                            [&](const caf::error& e) { out = error_of(e); });
  return out;
}

} // namespace

TEST_CASE("apply starts the pod with all a runtime needs") {
  fixture f;
  f.want(web, "1");
  f.apply();
  REQUIRE(f.runs.size() == 1);
  CHECK(f.runs[0].args.key == web);
  CHECK(f.runs[0].args.what == f.wanted[web]);
  CHECK(f.runs[0].args.restarts == 0);
  CHECK(f.runs[0].args.owner == f.rec);
  CHECK(f.status().state == pod_state::starting);
  CHECK(f.status().created_ns == 1'000);
}

TEST_CASE("a burst of changes acts at once, those beyond it share a pass within 100 ms") {
  fixture f; // a burst of two
  const auto change = [&f](const std::string& key) {
    f.want(key, "1");
    f.apply();
    return f.runs.size();
  };
  CHECK(change(web) == 1); // no time passed
  CHECK(change("default/b") == 2);
  CHECK(change("default/c") == 2);
  CHECK(change("default/d") == 2);
  f.advance(99ms);
  CHECK(f.runs.size() == 2);
  f.advance(1ms);
  CHECK(f.runs.size() == 4);
  f.advance(200ms);
  CHECK(change("default/e") == 5);
}

TEST_CASE("delete stops gracefully and forgets the pod when it is gone") {
  fixture f;
  f.want(web, "1");
  f.apply();
  f.comes_up(f.runs[0]);
  f.advance(1s);
  f.wanted.clear();
  f.tell();
  f.s.step(f.rec);
  f.s.expect(f.rec, f.runs[0].actor, stop_pod{});
  CHECK(f.status().state == pod_state::stopping);
  f.ends(f.runs[0], stop_requested(""));
  CHECK(f.s.ask<pod_list>(f.rec, list_pods{}).pods.empty());
}

TEST_CASE("a changed spec stops the old run, waits until it is gone, and starts the new one") {
  fixture f;
  f.want(web, "1");
  f.apply();
  f.comes_up(f.runs[0]);
  f.advance(1s);
  f.want(web, "2");
  f.tell();
  f.s.step(f.rec);
  f.s.expect(f.rec, f.runs[0].actor, stop_pod{});
  f.advance(1h); // however long it takes
  CHECK(f.runs.size() == 1);
  f.ends(f.runs[0], stop_requested(""));
  REQUIRE(f.runs.size() == 2);
  CHECK(f.runs[1].args.what.hash == "2");
}

TEST_CASE("unchanged pods are kept through every resync") {
  fixture f;
  f.want(web, "1");
  f.apply();
  f.comes_up(f.runs[0]);
  for (int i = 0; i < 10; ++i) {
    CHECK(f.advance(5s) == 1);
    f.apply();
  }
  CHECK(f.runs.size() == 1);
  CHECK(f.status().host_pid == 42);
}

TEST_CASE("a hundred pods start at once, and a slow one holds up nobody") {
  fixture f;
  for (int i = 0; i < 100; ++i)
    f.want("default/p" + std::to_string(100 + i), "1");
  f.apply();
  REQUIRE(f.runs.size() == 100);
  // number 0 never says a word; the others come up, crash and restart meanwhile
  for (std::size_t i = 1; i < 100; ++i) {
    f.comes_up(f.runs[i]);
    f.ends(f.runs[i], stop_exited(1));
  }
  f.advance(10s);
  CHECK(f.runs.size() == 199);
  CHECK(f.status("default/p100").state == pod_state::starting);
  CHECK(f.status("default/p150").restarts == 1);
}

TEST_CASE("a crash is seen without a resync; retries climb 1, 2, 3") {
  fixture f;
  f.want(web, "1");
  f.apply();
  const std::chrono::milliseconds waits[] = {10s, 20s, 40s};
  for (std::uint32_t n = 0; n < 3; ++n) {
    CAPTURE(n);
    f.comes_up(f.runs.back());
    f.ends(f.runs.back(), stop_exited(3));
    CHECK(f.status().state == pod_state::backing_off);
    CHECK(f.status().last->exit_code == 3);
    CHECK(f.status().retries == n + 1);
    f.advance(waits[n] - 1ms);
    CHECK(f.runs.size() == n + 1);
    f.advance(1ms);
    CHECK(f.runs.size() == n + 2);
    CHECK(f.runs.back().args.restarts == n + 1);
  }
}

TEST_CASE("Always restarts after a clean exit") {
  fixture f;
  f.want(web, "1");
  f.apply();
  f.ends(f.runs[0], stop_normal());
  f.advance(10s);
  CHECK(f.runs.size() == 2);
}

TEST_CASE("OnFailure restarts after a crash and is terminal after a clean exit") {
  fixture f;
  f.want(web, "1", "OnFailure");
  f.apply();
  f.ends(f.runs[0], stop_signaled(9));
  f.advance(10s);
  REQUIRE(f.runs.size() == 2);
  f.ends(f.runs[1], stop_normal());
  f.advance(1h);
  CHECK(f.runs.size() == 2);
  CHECK(f.status().state == pod_state::terminal);
}

TEST_CASE("Never is terminal and stays so through every resync") {
  fixture f;
  f.want(web, "1", "Never");
  f.apply();
  f.ends(f.runs[0], stop_exited(1));
  f.advance(1h);
  f.apply();
  CHECK(f.runs.size() == 1);
  CHECK(f.status().state == pod_state::terminal);
}

TEST_CASE("a runtime whose actor fails is restarted like a pod that failed") {
  fixture f;
  f.want(web, "1", "OnFailure");
  f.apply();
  compat::send_exit(f.runs[0].actor, caf::make_error(caf::exit_reason::kill));
  f.s.settle();
  CHECK(f.status().state == pod_state::backing_off);
  CHECK(f.status().last->message == "abnormal killed");
}

TEST_CASE("a runtime that cannot even be started backs off") {
  fixture f;
  f.refuse_to_start = true;
  f.want(web, "1");
  f.apply();
  CHECK(f.status().state == pod_state::backing_off);
  f.refuse_to_start = false;
  f.advance(10s);
  CHECK(f.runs.size() == 1);
}

TEST_CASE("a pod deleted and recreated while it stops starts when the old run is gone") {
  fixture f;
  f.want(web, "1");
  f.apply();
  f.advance(1s);
  const auto pods = f.wanted;
  f.wanted.clear();
  f.apply();
  f.advance(1s);
  f.wanted = pods;
  f.apply();
  CHECK(f.runs.size() == 1);
  f.ends(f.runs[0], stop_requested(""));
  CHECK(f.runs.size() == 2);
}

TEST_CASE("restart_pod gives a running pod a new run with retries 0") {
  fixture f;
  f.want(web, "1");
  f.apply();
  f.ends(f.runs[0], stop_exited(1));
  f.advance(10s);
  f.comes_up(f.runs[1]);
  CHECK(f.status().retries == 1);
  CHECK(f.s.ask<pod_status>(f.rec, restart_pod{web}).state == pod_state::stopping);
  f.ends(f.runs[1], stop_requested(""));
  REQUIRE(f.runs.size() == 3);
  CHECK(f.status().retries == 0);
  CHECK(f.runs[2].args.generation != f.runs[1].args.generation);
}

TEST_CASE("restart_pod and get_pod on an unknown pod say so") {
  fixture f;
  CHECK(refusal(f.s, f.rec, restart_pod{"default/nope"}).message() ==
        "cannot restart 'default/nope': no such pod");
  CHECK(refusal(f.s, f.rec, get_pod{"default/nope"}).code == errc::not_found);
}

TEST_CASE("sync acts on what is desired now, without waiting for the shared pass") {
  fixture f;
  for (const auto* key : {web, "default/b", "default/c"}) {
    f.want(key, "1");
    f.apply();
  }
  CHECK(f.runs.size() == 2); // the burst
  f.s.ask<pods_synced>(f.rec, sync_pods{});
  CHECK(f.runs.size() == 3);
}

TEST_CASE("stop_all answers when the last runtime is gone, and nothing starts any more") {
  fixture f;
  f.want(web, "1");
  f.want("default/b", "1");
  f.apply();
  caf::scoped_actor self{f.s.sys};
  auto handle = compat::request(&*self, f.rec, 1s, stop_all_pods{3s});
  f.s.step(f.rec);
  f.s.expect(f.rec, f.runs[0].actor, stop_pod{3s});
  f.s.expect(f.rec, f.runs[1].actor, stop_pod{3s});
  f.ends(f.runs[0], stop_requested(""));
  CHECK_FALSE(self->has_next_message());
  f.ends(f.runs[1], stop_requested(""));
  bool answered = false;
  std::move(handle).receive([&](const pods_stopped&) { answered = true; },
                            [](const caf::error& e) { FAIL(to_string(e)); });
  CHECK(answered);
  f.want(web, "2");
  f.apply();
  f.advance(1h);
  CHECK(f.runs.size() == 2);
}

TEST_CASE("stop_all with nothing alive answers at once") {
  fixture f;
  f.s.ask<pods_stopped>(f.rec, stop_all_pods{});
}

TEST_CASE("who watches hears what is, then every change in order, then the removal") {
  fixture f;
  f.want(web, "1");
  f.apply();
  auto table = f.s.peer();
  f.s.send(f.me, f.rec, watch_pods{table});
  f.s.step(f.rec);
  CHECK(f.s.take<pod_changed>(table).status.state == pod_state::starting);

  const auto& r = f.runs[0];
  f.s.send(r.actor, f.rec, pod_progress{web, r.args.generation, "building rootfs"});
  f.s.step(f.rec);
  CHECK(f.s.take<pod_changed>(table).status.message == "building rootfs");
  f.s.send(r.actor, f.rec, pod_running{web, r.args.generation, 7, 1, {}});
  f.s.step(f.rec);
  const auto up = f.s.take<pod_changed>(table).status;
  CHECK(up.state == pod_state::running);
  CHECK(up.host_pid == 7);
  CHECK(up.message.empty());

  f.s.send(f.me, r.actor, end_run{stop_exited(3)});
  f.s.step(r.actor);
  f.s.step(f.rec);
  const auto down = f.s.take<pod_changed>(table).status;
  CHECK(down.state == pod_state::backing_off);
  CHECK(down.last->exit_code == 3);
  CHECK(down.retries == 1);
  CHECK(down.restart_at_ns == 1'000 + 10'000'000'000);

  f.s.advance(1s);
  f.wanted.clear();
  f.tell();
  f.s.step(f.rec);
  f.s.expect(f.rec, table, pod_removed{web});
}

TEST_CASE("a watcher that ended is dropped, the others hear on") {
  fixture f;
  auto first = f.s.peer();
  auto second = f.s.peer();
  f.s.send(f.me, f.rec, watch_pods{first});
  f.s.send(f.me, f.rec, watch_pods{second});
  f.s.settle();
  compat::send_exit(first, caf::make_error(caf::exit_reason::kill));
  f.s.settle();
  f.want(web, "1");
  f.tell();
  f.s.step(f.rec);
  CHECK(f.s.take<pod_changed>(second).status.key == web);
}

TEST_CASE("a reconciler that ends answers those who wait for stop_all") {
  fixture f;
  f.want(web, "1");
  f.apply();
  caf::scoped_actor self{f.s.sys};
  auto handle = compat::request(&*self, f.rec, 1s, stop_all_pods{});
  f.s.settle();
  compat::send_exit(f.rec, caf::make_error(caf::exit_reason::kill));
  f.s.settle();
  error why;
  std::move(handle).receive([](const pods_stopped&) { FAIL("the pod still lives"); },
                            [&](const caf::error& e) { why = error_of(e); });
  CHECK(why.code == errc::unavailable);
}

TEST_CASE("a reconciler that fails leaves the runs to its successor") {
  fixture f;
  const auto memory = std::make_shared<reconciler_memory>(backoff_profile{});
  const auto next = [&] {
    compat::send_exit(f.rec, caf::make_error(caf::exit_reason::kill));
    f.s.settle();
    f.options.memory = memory;
    f.rec = spawn_reconciler(f.s.sys, f.options);
    f.s.settle();
  };
  next();
  f.want(web, "1");
  f.want("default/job", "2", "Never");
  f.apply();
  REQUIRE(f.runs.size() == 2);
  auto& job = f.runs[0].args.key == web ? f.runs[1] : f.runs[0];
  auto& server = f.runs[0].args.key == web ? f.runs[0] : f.runs[1];
  f.comes_up(server, 42);
  f.comes_up(job, 43);
  f.ends(job, {}); // done, and never to run again
  const auto watcher = f.s.peer();
  f.s.send(f.me, f.rec, watch_pods{watcher});
  f.s.settle();

  next();
  f.apply(); // the watcher says it all again
  CHECK(f.runs.size() == 2);
  CHECK(f.status().state == pod_state::running);
  CHECK(f.status().host_pid == 42);
  CHECK(f.status("default/job").state == pod_state::terminal);

  // it ends while nobody listens: the next one learns of it, and the policy counts
  compat::send_exit(f.rec, caf::make_error(caf::exit_reason::kill));
  f.s.settle();
  f.ends(server, {stop_class::shutdown, "workload_exited", 3, "exited with code 3"});
  next();
  CHECK(f.status().state == pod_state::backing_off);
  CHECK(f.status().last->exit_code == 3);
  CHECK(f.runs.size() == 2);
  next(); // the timer was the last one's: the resync does its work
  f.advance(10s);
  f.advance(5s);
  CHECK(f.runs.size() == 3);
  CHECK(f.status().restarts == 1);
  memory->end_runtimes();
  f.s.settle();
}

TEST_CASE("a runtime that never says a word holds up nobody, and nothing that is asked") {
  fixture f;
  f.want(web, "1");
  f.want("default/b", "1");
  f.apply();
  REQUIRE(f.runs.size() == 2);
  auto& silent = f.runs[0].args.key == web ? f.runs[0] : f.runs[1];
  auto& other = f.runs[0].args.key == web ? f.runs[1] : f.runs[0];
  f.comes_up(other, 7);
  for (int i = 0; i < 100; ++i) {
    // it obeys nothing: every question is answered by the reconciler alone
    f.s.send(f.me, silent.actor, stop_pod{});
    CHECK(f.status(web).state == pod_state::starting);
    CHECK(f.s.ask<pod_list>(f.rec, list_pods{}).pods.size() == 2);
    f.s.ask<pods_synced>(f.rec, sync_pods{});
  }
  f.ends(other, stop_exited(1));
  f.advance(10s);
  CHECK(f.runs.size() == 3);
  CHECK(f.runs.back().args.key == "default/b");
  CHECK(f.status(web).state == pod_state::starting);
}

#include "tests/actor/reconciler_fixture.hpp"

namespace reconciler_ends_test {

using namespace tank;
using namespace tank::reconciler_test;

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
  const auto next = [&] { f.succeed(memory); };
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
  f.ends(server, {stop_class::shutdown, stop_cause::workload_exited, 3, "exited with code 3"});
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

TEST_CASE("limits that a runtime may not have heard of are told by the next reconciler") {
  fixture f;
  const auto memory = std::make_shared<reconciler_memory>(backoff_profile{});
  f.succeed(memory);
  const auto limit = [&f](const std::string& hash) {
    f.want(web, hash);
    f.wanted[web].instance = "i";
    f.apply();
  };
  limit("1");
  f.comes_up(f.runs[0]);
  limit("2");
  CHECK(f.runs[0].changes() == 1);
  f.succeed(memory);
  CHECK(f.runs[0].changes() == 2);
  f.s.send(f.runs[0].actor, f.rec, limits_changed{web, f.runs[0].args.generation, "2", ""});
  f.s.settle();
  f.succeed(memory);
  CHECK(f.runs[0].changes() == 2);
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

TEST_CASE("a runtime that does not end when told is killed after grace and margin, and followed") {
  fixture f;
  f.want(web, "1");
  f.want("default/other", "1");
  f.apply();
  REQUIRE(f.runs.size() == 2);
  const auto stuck = f.runs[0].args.key == web ? f.runs[0] : f.runs[1];
  const auto other = f.runs[0].args.key == web ? f.runs[1] : f.runs[0];
  f.comes_up(stuck, 7);
  f.comes_up(other, 8);
  f.want(web, "2");
  f.apply(); // stub runtimes obey nothing
  f.advance(30s + 2min - 1ms);
  CHECK(f.status().state == pod_state::stopping);
  CHECK(f.runs.size() == 2);
  f.advance(1ms);
  REQUIRE(f.runs.size() == 3);
  CHECK(f.runs[2].args.what.hash == "2");
  CHECK(f.status().state == pod_state::starting);
  CHECK(f.status("default/other").state == pod_state::running);
  CHECK(f.status("default/other").host_pid == 8);
}

TEST_CASE("the watch over a stop outlives the reconciler that began it") {
  fixture f;
  const auto memory = std::make_shared<reconciler_memory>(backoff_profile{});
  const auto next = [&] { f.succeed(memory); };
  next();
  f.want(web, "1");
  f.apply();
  f.wanted.clear();
  f.apply();
  f.advance(1min);
  next(); // its timer went with it
  f.advance(90s);
  f.advance(5s); // the resync does the timer's work
  CHECK(f.s.ask<pod_list>(f.rec, list_pods{}).pods.empty());
  memory->end_runtimes();
  f.s.settle();
}

TEST_CASE("a pod is given up after as many ends as it says, and restart_pod begins anew") {
  fixture f;
  f.want(web, "1");
  auto pod = std::make_shared<config::pod>(*f.wanted[web].pod);
  pod->metadata.annotations = {{"tank/backoff", "fast"}, {"tank/give-up", "2 in 1m"}};
  f.wanted[web].pod = pod;
  f.apply();
  f.ends(f.runs.back(), stop_exited(3));
  f.advance(1s);
  REQUIRE(f.runs.size() == 2);
  f.ends(f.runs.back(), stop_exited(3));
  CHECK(f.status().state == pod_state::terminal);
  CHECK(f.status().message.starts_with("CrashLoopGiveUp: 2 runs ended within 60s"));
  f.advance(1h);
  CHECK(f.runs.size() == 2);
  CHECK(f.s.ask<pod_status>(f.rec, restart_pod{web}).state == pod_state::starting);
  f.ends(f.runs.back(), stop_exited(3));
  CHECK(f.status().state == pod_state::backing_off);
}

} // namespace reconciler_ends_test

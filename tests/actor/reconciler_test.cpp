#include "tests/actor/reconciler_fixture.hpp"

namespace reconciler_test {

using namespace tank;
using namespace tank::reconciler_test;

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
  f.advance(30s + 119s); // however long it takes, short of the watch over stops
  CHECK(f.runs.size() == 1);
  f.ends(f.runs[0], stop_requested(""));
  REQUIRE(f.runs.size() == 2);
  CHECK(f.runs[1].args.what.hash == "2");
}

TEST_CASE("other limits go to the runtime; a refusal is a restart") {
  fixture f;
  const auto limit = [&f](const std::string& hash) {
    f.want(web, hash);
    f.wanted[web].instance = "i";
    f.tell();
  };
  limit("1");
  f.s.settle();
  f.comes_up(f.runs[0]);
  f.advance(1s);
  limit("2");
  f.s.step(f.rec);
  f.s.expect(f.rec, f.runs[0].actor, change_limits{f.wanted[web]});
  CHECK(f.status().state == pod_state::running);
  f.s.send(f.runs[0].actor, f.rec, limits_changed{web, f.runs[0].args.generation, "2", "no"});
  f.s.step(f.rec);
  f.s.expect(f.rec, f.runs[0].actor, stop_pod{});
  f.ends(f.runs[0], stop_requested(""));
  REQUIRE(f.runs.size() == 2);
  CHECK(f.runs[1].args.what.hash == "2");
  CHECK(f.runs[1].args.restarts == 1);
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

TEST_CASE("runtimes are started with the documents of now, and hear of each change") {
  fixture f;
  f.want(web, "1");
  f.apply();
  CHECK(f.runs[0].args.data == nullptr);
  f.data = std::make_shared<const documents>();
  f.tell();
  f.s.step(f.rec);
  f.s.expect(f.rec, f.runs[0].actor, data_changed{f.data});
  f.s.settle();
  f.want("default/b", "2");
  f.apply();
  f.advance(1s); // the burst is over
  REQUIRE(f.runs.size() == 2);
  CHECK(f.runs[1].args.data == f.data);
}

/// The pod wants a restart when the ConfigMap "app" changes.
static void restart_on_app(fixture& f) {
  auto pod = std::make_shared<config::pod>(*f.wanted[web].pod);
  pod->metadata.ns = "default";
  pod->metadata.annotations["tank/restart-on"] = "configmap/app";
  f.wanted[web].pod = pod;
}

TEST_CASE(
    "a pod begins anew when a document that it names has changed, but not at the first look") {
  fixture f;
  f.want(web, "1");
  restart_on_app(f);
  f.apply();
  f.comes_up(f.runs[0]);
  const auto map_of = [](const std::string& value) {
    auto d = std::make_shared<document>();
    d->data["key"] = value;
    auto all = std::make_shared<documents>();
    all->all.emplace(document_id{document_kind::config_map, "default/app"}, std::move(d));
    return all;
  };
  f.data = map_of("1");
  f.apply();
  CHECK(f.status().state == pod_state::running);
  f.data = map_of("2");
  f.apply();
  CHECK(f.status().state == pod_state::stopping);
  f.ends(f.runs[0], stop_requested(""));
  REQUIRE(f.runs.size() == 2);
  CHECK(f.runs[1].args.data == f.data);
}

TEST_CASE("a document that was not there starts the pod that waits for it, once") {
  fixture f;
  f.want(web, "1");
  restart_on_app(f);
  f.data = std::make_shared<const documents>();
  f.apply();
  REQUIRE(f.runs.size() == 1);
  auto all = std::make_shared<documents>();
  all->all.emplace(document_id{document_kind::config_map, "default/app"},
                   std::make_shared<document>());
  f.data = all;
  f.apply();
  CHECK(f.status().state == pod_state::starting);
  CHECK(f.runs.size() == 1);
}

} // namespace reconciler_test

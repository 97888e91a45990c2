// A container that lacks data waits for it with its image in hand, and starts when it comes.
#include "tests/unit/pod/run_play.hpp"

namespace data_wait_test {

using namespace tank;
using namespace tank::testing;
using phase = container_phase;

TEST_CASE("a pod of one container says what it waits for, and goes on by itself") {
  play p{1};
  CHECK(p.on(run::data_known{{"configmap 'default/app' is missing"}}) == "resolve 0");
  CHECK(p.on(run::image_found{0}) == "containers");
  CHECK(p.run.lacking() == "configmap 'default/app' is missing");
  CHECK(p.status(0).state == phase::waiting);
  CHECK(p.status(0).reason == "CreateContainerConfigError");
  CHECK(p.status(0).message == "configmap 'default/app' is missing");
  CHECK(p.run.sandbox() == sandbox_state::idle);
  CHECK(p.timers.empty()); // nothing is tried again meanwhile
  CHECK(p.on(run::data_known{{"key 'a' of configmap 'default/app' is missing"}}) == "containers");
  CHECK(p.on(run::data_known{{""}}) == "prepare sandbox 0; containers");
  CHECK(p.run.lacking().empty());
  CHECK(p.status(0).reason == "ContainerCreating");
}

TEST_CASE("it waits under every policy, and a stop ends the waiting") {
  for (const auto policy : {restart_policy::never, restart_policy::on_failure}) {
    play p{1, policy};
    p.on(run::data_known{{"secret 'default/s' is missing"}});
    p.on(run::image_found{0});
    CHECK(p.run.lacking() == "secret 'default/s' is missing");
    p.on(run::stop{});
    CHECK(p.run.container(0).state() == container_state::ended);
    CHECK(p.run.sandbox() == sandbox_state::cleaning);
    CHECK(p.on(run::cleaned{}) == "finish");
  }
}

TEST_CASE("of several containers the one that lacks nothing runs") {
  play p{2};
  p.begin();
  p.on(run::data_known{{"", "secret 'default/s' is missing"}});
  CHECK(p.on(run::image_found{1}) == "containers");
  CHECK(p.on(run::image_found{0}) == "prepare sandbox 0");
  p.prepared(0);
  p.on(run::sandbox_prepared{});
  p.on(run::sandbox_up{});
  p.up(0);
  CHECK(p.run.container(0).runs());
  CHECK(p.status(1).reason == "CreateContainerConfigError");
  CHECK(p.on(run::data_known{{"", ""}}) == "prepare 1; containers");
}

TEST_CASE("who lacks something keeps no container behind it from running") {
  play p{2};
  p.begin();
  p.on(run::data_known{{"secret 'default/s' is missing", ""}});
  p.on(run::image_found{0});
  CHECK(p.on(run::image_found{1}) == "prepare sandbox 1");
  p.prepared(1);
  p.on(run::sandbox_prepared{});
  p.on(run::sandbox_up{});
  p.up(1);
  CHECK(p.run.container(1).runs());
  CHECK(p.status(0).reason == "CreateContainerConfigError");
  CHECK(p.on(run::data_known{{"", ""}}) == "prepare 0; containers");
}

TEST_CASE("data that goes away stops nothing that runs; the next attempt waits for it") {
  play p{2};
  p.to_running();
  CHECK(p.on(run::data_known{{"secret 'default/s' is missing", ""}}).empty());
  CHECK(p.run.container(0).runs());
  p.exited(0, 1);
  p.wait(10s);
  p.fire(0);
  CHECK(p.on(run::image_found{0}) == "containers");
  CHECK(p.status(0).reason == "CreateContainerConfigError");
  CHECK(p.on(run::data_known{{"", ""}}) == "prepare 0; containers");
}

} // namespace data_wait_test

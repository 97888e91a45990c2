/// A runtime whose pod needs documents: it waits, goes on by itself, and shows each change.
#include "tests/actor/stage_play.hpp"

namespace runtime_data_test {

using namespace tank;
using namespace tank::testing;

namespace {

std::string shown(const stage_play& p, const std::string& file = "key") {
  for (const auto& [dir, what] : p.port->projected)
    for (const auto& f : what.files)
      if (f.path == file) return f.content;
  return "nothing";
}

} // namespace

TEST_CASE("a pod waits for its ConfigMap with its image in hand, and starts when it comes") {
  stage_play p{play_options{.config_map = "app"}};
  p.image(true);
  CHECK(p.prepared->empty());
  CHECK(p.timers->pending().empty()); // nothing is tried again meanwhile
  REQUIRE(p.heard->changed.size() == 1);
  CHECK(p.heard->newest.at(0).reason == "CreateContainerConfigError");
  CHECK(p.heard->newest.at(0).message == "configmap 'default/app' is not read yet");
  p.s.send(p.owner, p.rt, data_changed{std::make_shared<const documents>()});
  p.settle();
  CHECK(p.heard->newest.at(0).message == "configmap 'default/app' is missing");
  CHECK(p.prepared->empty());
  p.s.send(p.owner, p.rt, data_changed{one_map("app", "1")});
  p.settle();
  CHECK(*p.prepared == std::vector<std::string>{"sandbox", "main"});
  CHECK(p.session->calls == std::vector<std::string>{"start", "create main", "build main"});
}

TEST_CASE("what is known at the start is not waited for") {
  stage_play p{play_options{.config_map = "app", .data = one_map("app", "1")}};
  p.image(true);
  CHECK(*p.prepared == std::vector<std::string>{"sandbox", "main"});
}

TEST_CASE("a pod that waits can be stopped") {
  stage_play p{play_options{.config_map = "app"}};
  p.image(true);
  p.s.send(p.owner, p.rt, stop_pod{});
  p.settle();
  CHECK(*p.cleaned == 1);
  REQUIRE(p.ended->has_value());
  CHECK(p.heard->ended.size() == 1);
}

TEST_CASE("a change shows in the volumes of what runs, and restarts nothing") {
  stage_play p{play_options{.config_map = "app", .data = one_map("app", "1")}};
  p.image(true);
  p.settle();
  const auto before = p.session->calls;
  p.s.send(p.owner, p.rt, data_changed{one_map("app", "2")});
  p.settle();
  CHECK(shown(p) == "2");
  CHECK(p.session->calls == before);
  // What is gone leaves what is shown.
  p.s.send(p.owner, p.rt, data_changed{std::make_shared<const documents>()});
  p.settle();
  CHECK(shown(p) == "2");
  CHECK(p.session->calls == before);
}

} // namespace runtime_data_test

// An embedder's own test: its own messages, virtual time, one message at a time.
#define DOCTEST_CONFIG_IMPLEMENT
#include <tank/testing/script.hpp>

using namespace std::chrono_literals;

namespace {

struct knock {
  int times = 0;
  bool operator==(const knock&) const = default;
};
struct open_door {
  bool operator==(const open_door&) const = default;
};
TANK_INSPECT(knock, times)
TANK_INSPECT(open_door)

} // namespace

// CAF >= 1.0 knows messages by number; Tank's own begin 256 later.
CAF_BEGIN_TYPE_ID_BLOCK(doors, caf::first_custom_type_id)
CAF_ADD_TYPE_ID(doors, (knock))
CAF_ADD_TYPE_ID(doors, (open_door))
CAF_END_TYPE_ID_BLOCK(doors)

namespace {

/// Opens ten seconds after the last knock.
struct porter : caf::event_based_actor {
  porter(caf::actor_config& cfg, caf::actor whom)
      : event_based_actor(cfg)
      , visitor(std::move(whom)) {}
  caf::behavior make_behavior() override {
    return {[this](const knock& k) {
              ++knocks;
              tank::compat::send_after(this, caf::actor{this}, 10s, k.times);
            },
            [this](int) {
              if (--knocks == 0) tank::compat::send(this, visitor, open_door{});
            }};
  }
  caf::actor visitor;
  int knocks = 0;
};

} // namespace

TEST_CASE("the door opens ten seconds after the last knock") {
  tank::testing::script s;
  auto visitor = s.peer();
  auto it = s.sys.spawn<porter>(visitor);
  s.settle();
  s.send(visitor, it, knock{1});
  s.expect(visitor, it, knock{1});
  CHECK(s.advance(9s) == 0);
  s.send(visitor, it, knock{2});
  s.expect(visitor, it, knock{2});
  CHECK(s.advance(1s) == 1);
  s.expect(it, it, 1);
  s.expect_quiet(visitor); // somebody knocked again meanwhile
  CHECK(s.advance(9s) == 1);
  s.expect(it, it, 2);
  s.expect(it, visitor, open_door{});
}

int main(int argc, char** argv) {
  tank::compat::init_types<caf::id_block::doors>();
  return doctest::Context{argc, argv}.run();
}

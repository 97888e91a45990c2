/// Messages of the tests' own actors. One block for all of them: tests of one program share a
/// process, and CAF >= 1.0 knows a message by its number there.
#pragma once

#include "actors/caf_compat.hpp"
#include "actors/supervision/messages.hpp"

#include <string>

namespace tank::testing {

/// To a child of otp_fixture.hpp.
struct end_child {
  stop_reason why;
  bool operator==(const end_child&) const = default;
};
struct supervisor_ended {
  stop_reason why;
  bool operator==(const supervisor_ended&) const = default;
};
/// To the subject of stop_reason_test.cpp, and from it.
struct end_now {
  int how = 0;
  bool operator==(const end_now&) const = default;
};
struct subject_ended {
  stop_reason why;
  bool operator==(const subject_ended&) const = default;
};
/// To a stub_runtime of reconciler_fixture.hpp.
struct end_run {
  stop_reason why;
  bool operator==(const end_run&) const = default;
};
/// To the stub_reconciler of api_test.cpp.
struct add_pod {
  std::string key;
  bool operator==(const add_pod&) const = default;
};
TANK_INSPECT(end_child, why)
TANK_INSPECT(supervisor_ended, why)
TANK_INSPECT(end_now, how)
TANK_INSPECT(subject_ended, why)
TANK_INSPECT(end_run, why)
TANK_INSPECT(add_pod, key)

} // namespace tank::testing

CAF_BEGIN_TYPE_ID_BLOCK(tank_actor_tests, TANK_TYPE_ID_BASE + ::tank::compat::all_numbers)
CAF_ADD_TYPE_ID(tank_actor_tests, (tank::testing::end_child))
CAF_ADD_TYPE_ID(tank_actor_tests, (tank::testing::supervisor_ended))
CAF_ADD_TYPE_ID(tank_actor_tests, (tank::testing::end_now))
CAF_ADD_TYPE_ID(tank_actor_tests, (tank::testing::subject_ended))
CAF_ADD_TYPE_ID(tank_actor_tests, (tank::testing::end_run))
CAF_ADD_TYPE_ID(tank_actor_tests, (tank::testing::add_pod))
CAF_END_TYPE_ID_BLOCK(tank_actor_tests)

namespace tank::testing {
/// Before main(): before any actor system.
[[maybe_unused]] inline const bool test_messages_are_known =
    compat::init_types<caf::id_block::tank_actor_tests>();
} // namespace tank::testing

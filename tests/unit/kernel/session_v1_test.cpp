// The daemon's end against a shim of protocol 1, as earlier Tanks started them. The frames are
// built here byte by byte from what those programs have compiled in, not from the headers of today.
#include "kernel/protocol_v1.hpp"
#include "tests/unit/kernel/played_shim.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

namespace session_v1_test {

using namespace tank;
using namespace tank::kernel;
using testing::played_shim;

namespace {
const instance web{"web", 0};

/// The numbers of the types on the wire.
enum old_type : std::uint32_t {
  old_build = 3,
  old_proceed = 4,
  old_abort = 5,
  old_signal = 6,
  old_kill = 7,
  old_shutdown = 8,
  old_hello = 101,
  old_state = 102,
  old_info_end = 103,
  old_ready = 104,
  old_built = 105,
  old_running = 106,
  old_exited = 107,
  old_signaled = 108,
  old_aborted = 109,
  old_failed = 110,
  old_error = 111,
  old_replaced = 112,
};

/// What a shim of protocol 1 sends about a container.
struct old_container {
  std::uint32_t type;
  std::uint8_t at;
  std::uint8_t core_dumped;
  std::uint8_t padding[2];
  std::int32_t host_pid;
  std::int32_t result;
  std::int32_t sys;
  std::int32_t step_index;
  std::int64_t started_ns;
  std::int64_t finished_ns;
  char container[128];
  char step[64];
  char object[960];
};
static_assert(sizeof(old_container) == 1192);
static_assert(sizeof(old_container) == sizeof(protocol_v1::container_frame));

struct old_refusal {
  std::uint32_t type;
  std::uint32_t about;
  std::int32_t sys;
  char container[128];
  char step[128];
};
static_assert(sizeof(old_refusal) == 268);

struct old_request {
  std::uint32_t type;
  std::int32_t value;
  char container[128];
};
static_assert(sizeof(old_request) == 136);

struct old_greeting {
  std::uint32_t type = old_hello;
  std::uint32_t protocol = 1;
  std::int32_t pid = 77;
};

struct old_shim : played_shim {
  old_shim() : played_shim(shim_session::origin::adopted) {}

  void say_type(old_type type) { say(static_cast<std::uint32_t>(type)); }
  void say_container(old_type type, stage at, int result = 0) {
    old_container f{};
    f.type = type;
    f.at = static_cast<std::uint8_t>(at);
    f.host_pid = 42;
    f.result = result;
    f.step_index = -1;
    f.started_ns = 1000;
    f.finished_ns = 2000;
    std::strcpy(f.container, "web");
    say(f, offsetof(old_container, object) + 1); // as they cut it
  }
  void say_refusal(old_type about, int sys, const char* step) {
    old_refusal f{};
    f.type = old_error;
    f.about = about;
    f.sys = sys;
    std::strcpy(f.container, "web");
    std::strcpy(f.step, step);
    say(f);
  }
  void greet_with(stage at) {
    say(old_greeting{});
    say_container(old_state, at);
    say_type(old_info_end);
    const auto ready = next<sandbox_ready_event>();
    CHECK(ready.version == 1);
    CHECK(!ready.network);
    next<adopted_event>();
  }
  old_request hear(old_type type) {
    const auto f = packet<old_request>();
    CHECK(f.type == type);
    return f;
  }
};
} // namespace

TEST_CASE("a shim of protocol 1 is adopted: its container is attempt 0") {
  old_shim shim;
  shim.greet_with(stage::running);
  const auto info = shim.session->info();
  REQUIRE(info.size() == 1);
  CHECK(info[0].who == web);
  CHECK(info[0].at == stage::running);
  CHECK(info[0].host_pid == 42);
  CHECK(info[0].started_ns == 1000);
  CHECK(!shim.session->next_event()->has_value());
}

TEST_CASE("a shim of protocol 1 is asked in its own words") {
  old_shim shim;
  shim.greet_with(stage::running);
  REQUIRE(shim.session->signal(web, 15));
  const auto signal = shim.hear(old_signal);
  CHECK(signal.value == 15);
  CHECK(std::string{signal.container} == "web");
  REQUIRE(shim.session->kill(web));
  shim.hear(old_kill);
  REQUIRE(shim.session->shutdown());
  shim.hear(old_shutdown);
}

TEST_CASE("a bring-up that a daemon left half-way in a shim of protocol 1 goes on") {
  old_shim shim;
  shim.greet_with(stage::starting);
  REQUIRE(shim.session->build(web));
  shim.hear(old_build);
  shim.say_container(old_ready, stage::ready);
  CHECK(shim.next<ready_event>() == ready_event{web, 42});
  shim.say_container(old_built, stage::built);
  CHECK(shim.next<built_event>().who == web);
  REQUIRE(shim.session->proceed(web));
  shim.hear(old_proceed);
  shim.say_container(old_running, stage::running);
  CHECK(shim.next<running_event>() == running_event{web, 42, 1000});
  shim.say_container(old_exited, stage::exited, 7);
  CHECK(shim.next<exited_event>() == exited_event{web, 7, 2000, false});
}

TEST_CASE("a container of a shim of protocol 1 is aborted, killed, or fails") {
  {
    old_shim shim;
    shim.greet_with(stage::ready);
    REQUIRE(shim.session->abort(web));
    shim.hear(old_abort);
    shim.say_container(old_aborted, stage::aborted);
    CHECK(shim.next<aborted_event>().who == web);
  }
  old_shim shim;
  shim.greet_with(stage::running);
  shim.say_container(old_signaled, stage::signaled, 9);
  CHECK(shim.next<signaled_event>().signal == 9);
}

TEST_CASE("the failures of protocol 1, which are text, become those of today") {
  const struct {
    const char* step;
    int index;
    launch_failure code;
  } all[] = {
      {"map the ids of", 0, launch_failure::map_ids},
      {"mount overlay on", 0, launch_failure::plan_step},
      {"find the command", -1, launch_failure::find_command},
      {"execute", -1, launch_failure::execute},
      {"run the interpreter of", -1, launch_failure::run_interpreter},
      {"change directory to", -1, launch_failure::enter_cwd},
      {"open the log", -1, launch_failure::open_log},
      {"join the cgroup", -1, launch_failure::join_cgroup},
      {"set the resource limit", -1, launch_failure::set_limits},
      {"set user", -1, launch_failure::set_ids},
      {"install the seccomp filter of", -1, launch_failure::set_privileges},
      {"execute under its seccomp profile", -1, launch_failure::filtered},
      {"find the parked process of", -1, launch_failure::killed},
      {"do something else with", -1, launch_failure::other},
  };
  for (const auto& one : all) {
    CAPTURE(one.step);
    old_shim shim;
    shim.greet_with(stage::built);
    old_container f{};
    f.type = old_failed;
    f.at = static_cast<std::uint8_t>(stage::failed);
    f.sys = 2;
    f.step_index = one.index;
    std::strcpy(f.container, "web");
    std::strcpy(f.step, one.step);
    std::strcpy(f.object, "/x");
    shim.say(f);
    CHECK(shim.next<failed_event>() ==
          failed_event{web, one.code, 2, one.step, "/x", one.index, false});
  }
}

TEST_CASE("the refusals of protocol 1, which are text, become those of today") {
  const struct {
    old_type about;
    int sys;
    const char* step;
    refusal why;
  } all[] = {
      {old_kill, EBUSY, "no_process", refusal::no_process},
      {old_abort, EBUSY, "running", refusal::running},
      {old_kill, ENOENT, "find container", refusal::no_container},
      {old_signal, EINVAL, "send a signal to", refusal::bad_value},
      {old_signal, ESHUTDOWN, "do that", refusal::shutting_down},
      {old_kill, EPROTO, "read a frame of unknown type", refusal::unknown_request},
      {old_kill, EIO, "do that", refusal::failed},
  };
  for (const auto& one : all) {
    CAPTURE(one.step);
    old_shim shim;
    shim.greet_with(stage::running);
    shim.say_refusal(one.about, one.sys, one.step);
    const auto refused = shim.next<refused_event>();
    CHECK(refused.who == web);
    CHECK(refused.why == one.why);
    CHECK(refused.text == one.step);
    CHECK(refused.sys == (one.why == refusal::failed ? one.sys : 0));
  }
}

TEST_CASE("a refused proceed of a shim of protocol 1 can be asked again") {
  old_shim shim;
  shim.greet_with(stage::built);
  shim.say_refusal(old_proceed, EBUSY, "not_ready"); // nobody has asked
  CHECK(!shim.session->next_event()->has_value());
  REQUIRE(shim.session->proceed(web));
  CHECK(!shim.session->proceed(web));
  shim.say_refusal(old_proceed, EBUSY, "not_ready");
  CHECK(shim.next<refused_event>().why == refusal::not_ready);
  CHECK(shim.session->proceed(web));
}

TEST_CASE("what protocol 1 cannot do is refused at this end, with what helps") {
  old_shim shim;
  shim.greet_with(stage::running);
  launch_plan plan{.container = "two"};
  plan.process.argv = {"/bin/true"};
  const auto created = shim.session->create(plan);
  REQUIRE(!created);
  CHECK(created.error().code == errc::unsupported);
  CHECK(created.error().message() ==
        "cannot create 'two': its shim was started by an earlier Tank and cannot do that (restart "
        "the pod: it gets a new one)");
  CHECK(shim.session->open_terminal(web, {}).error().code == errc::unsupported);
  CHECK(shim.heard_nothing());
  CHECK(shim.session->info().size() == 1);
}

TEST_CASE("another daemon takes a shim of protocol 1") {
  old_shim shim;
  shim.greet_with(stage::running);
  shim.say_type(old_replaced);
  CHECK(shim.next<session_down_event>().shim_lives);
}

TEST_CASE("a shim of protocol 1 of another mind is survived") {
  old_shim shim;
  shim.greet_with(stage::running);
  shim.say('x');
  shim.say(std::uint32_t{122}); // a frame of today
  shim.say(std::uint32_t{999});
  shim.say_container(old_ready, static_cast<stage>(77)); // no stage
  CHECK(shim.next<failed_event>().who == web);
  CHECK(!shim.session->next_event()->has_value());
}

} // namespace session_v1_test

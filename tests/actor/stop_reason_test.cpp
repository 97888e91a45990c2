#include "actors/role.hpp"
#include "actors/run_job.hpp"
#include "base/worker.hpp"
#include "tests/actor/script.hpp"
#include "tests/actor/test_messages.hpp"

#include <stdexcept>

namespace stop_reason_test {

using namespace tank;
using tank::testing::script;

namespace {

using tank::testing::end_now;
using ended = tank::testing::subject_ended;

class subject : public role {
 public:
  explicit subject(caf::actor_config& cfg) : role(cfg) {}
  caf::behavior make_behavior() override {
    return {[this](const end_now& m) {
      if (m.how == 1) throw std::runtime_error("the cable is loose");
      if (m.how == 2) throw 42;
      if (m.how == 3) return stop(stop_exited(3));
      if (m.how == 4) return stop(stop_failed({errc::io, 5, "mount", "/x", "", ""}));
      stop(stop_normal());
    }};
  }
};

struct fixture {
  script s;
  caf::actor watcher = s.peer();
  caf::actor teller = s.peer(); // CAF 1.x tells it that its message made the other one throw
  caf::actor it = s.sys.spawn<subject>();
  fixture() {
    s.settle();
    compat::watch(it, watcher, [](const caf::error& e) { return ended{classify(e)}; });
  }
  stop_reason after(int how) {
    s.send(teller, it, end_now{how});
    s.expect(teller, it, end_now{how});
    return s.take<ended>(watcher).why;
  }
};

} // namespace

TEST_CASE("a normal end is normal") {
  CHECK(fixture{}.after(0) == stop_reason{});
}

TEST_CASE("an exception keeps its text") {
  CHECK(fixture{}.after(1) ==
        stop_reason{stop_class::abnormal, stop_cause::exception, 0, "the cable is loose"});
}

TEST_CASE("a thrown object without text is still an exception") {
  CHECK(fixture{}.after(2).cause == stop_cause::exception);
}

TEST_CASE("a structured stop reason arrives whole") {
  CHECK(fixture{}.after(3) ==
        stop_reason{stop_class::shutdown, stop_cause::workload_exited, 3, ""});
  CHECK(fixture{}.after(4) == stop_reason{stop_class::abnormal, stop_cause::bring_up_failed, 5,
                                          "cannot mount '/x': Input/output error"});
}

TEST_CASE("exit signals are classified") {
  SUBCASE("user_shutdown is an orderly shutdown") {
    fixture f;
    caf::anon_send_exit(f.it, caf::exit_reason::user_shutdown);
    f.s.step(f.it);
    CHECK(f.s.take<ended>(f.watcher).why == stop_shutdown());
  }
  SUBCASE("kill is abnormal") {
    fixture f;
    caf::anon_send_exit(f.it, caf::exit_reason::kill);
    f.s.step(f.it);
    CHECK(f.s.take<ended>(f.watcher).why.cause == stop_cause::killed);
  }
  SUBCASE("an actor nobody refers to is unreachable") {
    fixture f;
    f.it = nullptr;
    CHECK(f.s.take<ended>(f.watcher).why.cause == stop_cause::unreachable);
  }
}

TEST_CASE("watching an actor that has ended tells at once") {
  fixture f;
  f.after(3);
  compat::watch(f.it, f.watcher, [](const caf::error& e) { return ended{classify(e)}; });
  CHECK(f.s.take<ended>(f.watcher).why.code == 3);
}

TEST_CASE("a stop reason prints as one line") {
  CHECK(to_string(stop_normal()) == "normal");
  CHECK(to_string(stop_shutdown()) == "shutdown");
  CHECK(to_string(stop_exited(3)) == "shutdown workload_exited 3");
  CHECK(to_string(stop_session_down("gone")) == "abnormal session_down: gone");
}

TEST_CASE("a job's result is a message to its actor") {
  fixture f;
  inline_runner jobs;
  run_job(jobs, f.it, [] { return end_now{3}; });
  f.s.expect(nullptr, f.it, end_now{3});
  CHECK(f.s.take<ended>(f.watcher).why.code == 3);
}

TEST_CASE("a job that throws ends its actor with the text") {
  fixture f;
  inline_runner jobs;
  run_job(jobs, f.it, []() -> end_now { throw std::runtime_error("disk on fire"); });
  f.s.step(f.it);
  CHECK(f.s.take<ended>(f.watcher).why ==
        stop_reason{stop_class::abnormal, stop_cause::exception, 0, "disk on fire"});
}

TEST_CASE("the thread pool runs jobs of many and answers each") {
  system_config config;
  caf::actor_system sys{config};
  caf::scoped_actor self{sys};
  const auto me = caf::actor_cast<caf::actor>(self);
  thread_pool pool{2};
  for (int i = 1; i <= 50; ++i)
    run_job(pool, me, [i] { return end_now{i}; });
  int sum = 0;
  for (int i = 0; i < 50; ++i)
    self->receive([&](const end_now& m) { sum += m.how; });
  CHECK(sum == 50 * 51 / 2);
}

} // namespace stop_reason_test

/// Attach: while the terminal is opened, and in a pod of several containers.
#include "tests/actor/attach_play.hpp"

#include <utility>

namespace attach_open_test {

using namespace tank;
using namespace tank::testing;

namespace {

/// A begin_attach whose terminal the shim has not opened yet.
struct waiting_attach {
  attach_play& p;
  caf::scoped_actor asker{p.s.sys};
  attacher me{p.s};
  decltype(compat::request(&*asker, p.rt, 1s, begin_attach{})) handle;

  explicit waiting_attach(attach_play& play) : p(play), handle(ask()) { p.settle(); }
  /// "" or why not.
  std::string answer() {
    std::string out;
    std::move(handle).receive([&](const attach_begun& m) { me.heard->session = m.session; },
                              [&](const caf::error& e) { out = error_of(e).cause; });
    return out;
  }

 private:
  decltype(handle) ask() {
    p.session->hold_terminals = true;
    return compat::request(&*asker, p.rt, 1s, begin_attach{me.self});
  }
};

} // namespace

TEST_CASE("what happens while the terminal is opened") {
  attach_play p;
  p.run();
  const auto before = p.actors();
  {
    waiting_attach w{p};
    CHECK(p.last_call() == "open main");
    CHECK(p.attach(w.me) == "attached");
    SUBCASE("nothing") {
      p.session->answer_held();
      p.settle();
      CHECK(w.answer() == "");
      p.check_attached(w.me);
    }
    SUBCASE("the container ends: the stream, should it still come, is nobody's") {
      p.happen(kernel::exited_event{only, 0, 9});
      CHECK(w.answer() == "not_running");
      p.session->answer_held();
      p.settle();
      CHECK(p.fds->watched() == 1);
      CHECK(p.last_call() == "shutdown");
    }
    SUBCASE("the shim goes away") {
      p.happen(kernel::session_down_event{"closed"});
      CHECK(w.answer() == "not_running");
      p.check_nothing_left();
    }
    SUBCASE("the runtime fails") {
      caf::anon_send_exit(p.rt, caf::exit_reason::kill);
      p.settle();
      CHECK(w.answer() == "not_running");
    }
    SUBCASE("the attacher wants to leave again") {
      auto end = compat::request(&*w.asker, p.rt, 1s, end_attach{w.me.self});
      p.settle();
      CHECK_FALSE(w.asker->has_next_message());
      p.session->answer_held();
      p.settle();
      CHECK(w.answer() == "");
      bool answered = false;
      std::move(end).receive([&](const attach_finished&) { answered = true; },
                             [&](const caf::error& e) { FAIL(caf::to_string(e)); });
      CHECK(answered);
      CHECK(w.me.heard->ended.size() == 1);
      w.me.heard->session = nullptr;
      p.check_reclaimed();
    }
    SUBCASE("the attacher ends") {
      caf::anon_send_exit(w.me.self, caf::exit_reason::kill);
      p.settle();
      p.session->answer_held();
      p.settle();
      CHECK(w.answer() == "");
      w.me.heard->session = nullptr;
      p.check_reclaimed();
    }
  }
  p.settle();
  CHECK(p.actors() == before - (p.ended->has_value() ? 1 : 0)); // the runtime
}

TEST_CASE("attaching is to one attempt of one container, by its name") {
  attach_play p{play_options{.containers = {"main", "log"}, .tty = true}};
  const kernel::instance log{"log", 0};
  p.run(only, 77);
  attacher me{p.s};
  CHECK(p.attach(me, "log") == "not_running");
  p.run(log, 78);
  attacher other{p.s};
  REQUIRE(p.attach(me) == ""); // the first
  CHECK(p.attach(other, "main") == "attached");
  REQUIRE(p.attach(other, "log") == "");
  p.print("from main", "main");
  p.print("from log", "log");
  CHECK(me.heard->output == "from main");
  CHECK(other.heard->output == "from log");
  CHECK(p.end(me.self, "log") == "attached");
  // One ends, and runs again: the attach to it is over, the other one is not.
  p.happen(kernel::exited_event{log, 2, 9});
  CHECK(other.heard->ended == std::vector{attach_ended{attach_end::exited, 2, ""}});
  CHECK(me.heard->ended.empty());
  CHECK(p.attach(other, "log") == "not_running");
  p.advance(10s);
  p.run({"log", 1}, 79);
  REQUIRE(p.attach(other, "log") == "");
  CHECK(p.last_call() == "open log/1");
  p.print("once more", "log");
  CHECK(other.heard->output == "from logonce more");
  CHECK(p.end(other.self, "log") == "");
  CHECK(me.heard->ended.empty());
}

TEST_CASE("a terminal of an earlier attempt is not given to who attaches to the next one") {
  attach_play p{play_options{.containers = {"main", "log"}, .tty = true}};
  p.run(only, 77);
  p.run({"log", 0}, 78);
  waiting_attach first{p};
  p.happen(kernel::exited_event{only, 1, 9});
  CHECK(first.answer() == "not_running");
  const auto late = std::exchange(p.session->held, {});
  p.advance(10s);
  p.run({"main", 1}, 79);
  waiting_attach second{p};
  p.happen(late.at(0)); // the shim says it now
  CHECK_FALSE(second.asker->has_next_message());
  p.happen(kernel::refused_event{only, kernel::request::open_terminal, kernel::refusal::no_process,
                                 0, ""});
  CHECK_FALSE(second.asker->has_next_message());
  p.session->answer_held();
  p.settle();
  CHECK(second.answer() == "");
  p.print("mine");
  CHECK(second.me.heard->output == "mine");
}

} // namespace attach_open_test

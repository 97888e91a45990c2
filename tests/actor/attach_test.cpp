/// Attach: the hand-over of a container's terminal to an attach session and back, by messages.
#include "tests/actor/attach_play.hpp"

namespace attach_test {

using namespace tank;
using namespace tank::testing;

using lines = std::vector<std::string>;

TEST_CASE("attach: output, input, size; end_attach; and the pod runs on") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  CHECK(p.last_call() == "open main");
  p.check_attached(me);
  CHECK(p.ask<host_pid>(get_host_pid{}).first == host_pid{77}); // attached is running
  p.print("$ ");
  p.say(me, attach_input{"ls\n"});
  p.say(me, attach_resize{24, 80, 0, 0});
  p.print("bin etc\r\n");
  CHECK(me.heard->output == "$ bin etc\r\n");
  const auto typed = p.typed();
  CHECK(typed.bytes == "ls\n");
  CHECK(typed.sizes == std::vector{kernel::window_size{24, 80, 0, 0}});
  p.send_packet(kernel::terminal_bytes_head, "late"); // under way when the attach ends
  CHECK(p.end(me.self) == "");
  CHECK(me.heard->ended == std::vector{attach_ended{attach_end::detached, 0, ""}});
  p.check_reclaimed();
  CHECK_FALSE(p.ended->has_value());
  CHECK(me.heard->output == "$ bin etc\r\n");
  CHECK(p.attach(me) == "");
  p.print("again");
  CHECK(me.heard->output == "$ bin etc\r\nagain");
}

TEST_CASE("attach refusals, in their order") {
  for (const bool tty : {false, true}) {
    CAPTURE(tty);
    attach_play p{tty};
    attacher me{p.s};
    CHECK(p.attach(me) == "not_running");
    p.image();
    CHECK(p.attach(me) == "not_running");
    p.happen(kernel::ready_event{only, 77});
    CHECK(p.attach(me) == "not_running");
    p.happen(kernel::built_event{only});
    CHECK(p.attach(me) == "not_running");
    p.happen(kernel::running_event{only, 77, 5});
    CHECK(p.attach(me) == (tty ? "" : "not_a_tty"));
    attacher other{p.s};
    CHECK(p.attach(other) == (tty ? "attached" : "not_a_tty"));
    CHECK(p.attach(me) == (tty ? "attached" : "not_a_tty"));
    p.stop();
    CHECK(p.attach(other) == "not_running");
    p.happen(kernel::exited_event{only, 0, 9});
    CHECK(p.attach(other) == "not_running");
    p.happen(kernel::session_down_event{"closed"});
    p.check_nothing_left();
    CHECK(p.attach(other) == "it has ended");
  }
  attach_play p;
  p.run();
  CHECK(p.ask<attach_begun>(begin_attach{}).second == "there is no attacher");
  attacher me{p.s};
  CHECK(p.attach(me, "other") == "it has no container 'other'");
}

TEST_CASE("a terminal that is refused: the pod runs on as it did, and is attachable") {
  attach_play p;
  p.run();
  attacher me{p.s};
  SUBCASE("by the shim") {
    p.session->ttys.clear();
    CHECK(p.attach(me) == "no_pty");
    p.session->ttys = {"main"};
  }
  SUBCASE("before it is asked") {
    p.session->refusals.emplace("open", error{errc::limit, 0, "open", "it", "no way", ""});
    CHECK(p.attach(me) == "no way");
    p.session->refusals.clear();
  }
  p.check_reclaimed();
  CHECK(me.heard->ended.empty()); // no attach has begun
  CHECK_FALSE(p.ended->has_value());
  CHECK(p.attach(me) == "");
  p.check_attached(me);
}

TEST_CASE("a stream that cannot be watched: the attacher hears it, and nothing is left of it") {
  attach_play p;
  p.run();
  attacher me{p.s};
  const auto before = p.actors();
  p.fds->refuse = error{errc::limit, 0, "watch", "it", "too many", ""};
  CHECK(p.attach(me) == "");
  p.fds->refuse.reset();
  CHECK(me.heard->ended ==
        std::vector{attach_ended{attach_end::lost, 0, "cannot watch 'it': too many"}});
  me.heard->session = nullptr;
  p.check_reclaimed();
  CHECK(p.actors() == before);
  CHECK(p.attach(me) == "");
}

TEST_CASE("an exit during an attach: the attacher hears it, and the restart policy, once each") {
  struct row {
    kernel::session_event end;
    attach_ended heard;
    stop_reason why;
  };
  const std::vector<row> rows{
      {kernel::exited_event{only, 0, 9}, {attach_end::exited, 0, ""}, {}},
      {kernel::exited_event{only, 3, 9},
       {attach_end::exited, 3, ""},
       {stop_class::shutdown, stop_cause::workload_exited, 3, "exited with code 3"}},
      {kernel::signaled_event{only, 9, false, 9},
       {attach_end::signaled, 9, ""},
       {stop_class::shutdown, stop_cause::workload_signaled, 9, "killed by signal 9"}},
  };
  for (const auto& r : rows) {
    attach_play p;
    p.run();
    attacher me{p.s};
    REQUIRE(p.attach(me) == "");
    p.send_packet(kernel::terminal_bytes_head, "bye\r\n"); // nobody has read it at the end
    p.happen(r.end);
    CHECK(me.heard->output == "bye\r\n");
    CHECK(me.heard->ended == std::vector{r.heard});
    CHECK(p.last_call() == "shutdown");
    CHECK(p.end(me.self) == ""); // nothing is left to end
    p.check_reclaimed();
    p.happen(kernel::session_down_event{"closed"});
    CHECK(p.ended->value() == r.why);
    CHECK(p.heard->ended.size() == 1);
    CHECK(std::count(p.session->calls.begin(), p.session->calls.end(), "shutdown") == 1);
    CHECK(me.heard->ended.size() == 1);
    p.check_forgotten();
  }
}

TEST_CASE("what was printed before the end is heard before it, whoever hears of the end first") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  for (int i = 0; i < 100; ++i)
    REQUIRE(p.send_packet(kernel::terminal_bytes_head, "y\n"));
  p.session->say(kernel::exited_event{only, 0, 9});
  REQUIRE(p.fds->deliver(p.session->readable.get())); // the terminal's readiness comes later
  p.s.settle();
  CHECK(me.heard->output.size() == 200);
  CHECK(me.heard->ended == std::vector{attach_ended{attach_end::exited, 0, ""}});
}

TEST_CASE("the end of the terminal is not the end of the attach: the container's is") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  p.send_packet(kernel::terminal_bytes_head, "bye\r\n");
  p.session->terminals.clear();
  p.settle();
  CHECK(me.heard->output == "bye\r\n");
  CHECK(me.heard->ended.empty());
  SUBCASE("which follows") {
    p.happen(kernel::exited_event{only, 5, 9});
    CHECK(me.heard->ended == std::vector{attach_ended{attach_end::exited, 5, ""}});
  }
  SUBCASE("which does not come: one may leave") {
    p.say(me, attach_input{"x"});
    CHECK(p.end(me.self) == "");
    CHECK(me.heard->ended == std::vector{attach_ended{attach_end::detached, 0, ""}});
    p.check_reclaimed();
  }
}

TEST_CASE("an end that comes while the attach session is killed is known all the same") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  caf::anon_send_exit(me.heard->session, caf::exit_reason::kill);
  p.session->say(kernel::exited_event{only, 5, 9});
  p.settle();
  CHECK(me.heard->ended ==
        std::vector{attach_ended{attach_end::lost, 0, "the attach session failed"}});
  CHECK(p.last_call() == "shutdown");
  p.happen(kernel::session_down_event{"closed"});
  p.check_nothing_left();
  CHECK(p.ended->value().cause == stop_cause::workload_exited);
  CHECK(p.ended->value().code == 5);
}

TEST_CASE("the attach session is killed while nothing happened: taken back, and again attachable") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  caf::anon_send_exit(me.heard->session, caf::exit_reason::kill);
  p.settle();
  CHECK(me.heard->ended.at(0).how == attach_end::lost);
  p.check_reclaimed();
  CHECK_FALSE(p.ended->has_value());
  CHECK(p.attach(me) == "");
}

TEST_CASE("the shim goes away while attached") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  p.happen(kernel::session_down_event{"the shim was killed by signal 9"});
  CHECK(me.heard->ended ==
        std::vector{attach_ended{attach_end::lost, 0, "the pod's shim went away"}});
  CHECK(p.ended->value().cls == stop_class::abnormal);
  CHECK(p.ended->value().cause == stop_cause::session_down);
  CHECK(p.ended->value().text == "its shim went away: the shim was killed by signal 9");
  p.check_forgotten();
}

TEST_CASE("a connection that is replaced while attached is taken up again: its shim lives") {
  attach_play p;
  p.port->shims_live = true;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  p.happen(kernel::session_down_event{"another daemon took over the shim", true});
  REQUIRE(me.heard->ended.size() == 1);
  CHECK(me.heard->ended[0].how == attach_end::lost);
  CHECK(p.port->adoptions == 1);
  CHECK(p.attach(me) == "not_running"); // nobody knows
  p.happen(kernel::adopted_event{});
  CHECK(p.attach(me) == "");
  p.check_attached(me);
}

TEST_CASE("the attacher vanishes: the attach ends, the pod runs on") {
  attach_play p;
  p.run();
  const auto before = p.actors();
  {
    attacher me{p.s};
    REQUIRE(p.attach(me) == "");
    p.check_attached(me);
  }
  p.settle();
  p.check_reclaimed();
  CHECK(p.actors() == before);
  // and one that is gone already
  attacher ghost{p.s};
  caf::anon_send_exit(ghost.self, caf::exit_reason::kill);
  p.settle();
  CHECK(p.attach(ghost) == "");
  ghost.heard->session = nullptr;
  p.check_reclaimed();
  CHECK(p.actors() == before);
}

TEST_CASE("stop_pod while attached: the attacher sees the end of it") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  SUBCASE("it obeys") {
    p.stop();
    CHECK(p.last_call() == "signal main 3");
    p.check_attached(me);
    p.print("shutting down\r\n");
    p.happen(kernel::exited_event{only, 0, 9});
    CHECK(me.heard->output == "shutting down\r\n");
    CHECK(me.heard->ended == std::vector{attach_ended{attach_end::exited, 0, ""}});
    CHECK(p.last_call() == "shutdown");
    p.happen(kernel::session_down_event{"closed"});
    CHECK(p.ended->value().text == "exited with code 0");
  }
  SUBCASE("it has to be killed") {
    p.stop();
    p.advance(30s);
    CHECK(p.last_call() == "kill main");
    p.check_attached(me);
    p.happen(kernel::signaled_event{only, 9, false, 9});
    CHECK(me.heard->ended == std::vector{attach_ended{attach_end::signaled, 9, ""}});
    p.happen(kernel::session_down_event{"closed"});
    CHECK(p.ended->value().text == "killed by signal 9");
  }
  SUBCASE("not even that") {
    p.stop(0s);
    p.advance(10s);
    CHECK(p.last_call() == "shutdown");
    p.happen(kernel::session_down_event{"closed"});
    CHECK(me.heard->ended ==
          std::vector{attach_ended{attach_end::lost, 0, "the pod's shim went away"}});
  }
  SUBCASE("detached meanwhile") {
    p.stop();
    CHECK(p.end(me.self) == "");
    CHECK(me.heard->ended == std::vector{attach_ended{attach_end::detached, 0, ""}});
    p.check_reclaimed();
    p.happen(kernel::exited_event{only, 0, 9});
    p.happen(kernel::session_down_event{"closed"});
    CHECK(p.ended->value().text == "exited with code 0");
  }
  SUBCASE("it has ended, and only the session knows") {
    // Said, and not read yet: the session refuses what is about a container that has ended.
    p.session->note(kernel::exited_event{only, 4, 9});
    p.stop();
    CHECK_FALSE(p.ended->has_value());
    p.happen(kernel::exited_event{only, 4, 9});
    CHECK(p.last_call() == "shutdown");
    p.happen(kernel::session_down_event{"closed"});
    CHECK(p.ended->value().text == "exited with code 4"); // not "its shim went away"
    CHECK(me.heard->ended == std::vector{attach_ended{attach_end::exited, 4, ""}});
  }
  CHECK(p.ended->value().cause == stop_cause::stopped);
  p.check_forgotten();
}

TEST_CASE("the runtime fails while attached: the attacher is told, nothing stays open") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  const auto session = me.heard->session;
  caf::anon_send_exit(p.rt, caf::exit_reason::kill);
  p.settle();
  CHECK(me.heard->ended ==
        std::vector{attach_ended{attach_end::lost, 0, "the pod's runtime has failed"}});
  CHECK_FALSE(p.session->alive);
  CHECK(p.fds->watched() == 0);
  CHECK(p.typed().closed);
  // what the attacher still sends does no harm
  p.s.send(me.self, session, attach_input{"x"});
  p.settle();
  CHECK(p.typed().bytes == "");
}

TEST_CASE("pairing: who may end what, and when") {
  attach_play p;
  p.run();
  attacher me{p.s};
  attacher other{p.s};
  CHECK(p.end(me.self) == ""); // without begin
  REQUIRE(p.attach(me) == "");
  CHECK(p.end(other.self) == "attached");
  p.check_attached(me);
  CHECK(me.heard->ended.empty());
  CHECK(p.end(me.self) == "");
  CHECK(p.end(me.self) == ""); // twice
  CHECK(me.heard->ended.size() == 1);
  REQUIRE(p.attach(other) == "");
  CHECK(p.end(me.self) == "attached");
  p.check_attached(other);
  CHECK(p.end(other.self) == "");
  p.check_reclaimed();
  CHECK(p.end(me.self, "no-such-container") == "");
}

TEST_CASE("begin while ending: refused until the terminal is back; two ends, two answers") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  caf::scoped_actor asker{p.s.sys};
  auto first = compat::request(&*asker, p.rt, 1s, end_attach{me.self});
  auto second = compat::request(&*asker, p.rt, 1s, end_attach{me.self});
  auto begin = compat::request(&*asker, p.rt, 1s, begin_attach{me.self});
  while (p.s.step(p.rt)) { // the attach session does not get to run
  }
  p.settle();
  int answers = 0;
  std::string refusal;
  const auto failed = [&](const caf::error& e) { refusal = error_of(e).cause; };
  std::move(begin).receive([&](const attach_begun&) { ++answers; }, failed);
  CHECK(refusal == "attached");
  std::move(first).receive([&](const attach_finished&) { ++answers; }, failed);
  std::move(second).receive([&](const attach_finished&) { ++answers; }, failed);
  CHECK(answers == 2);
  CHECK(me.heard->ended.size() == 1);
  CHECK(p.attach(me) == "");
}

TEST_CASE("an end that waits is answered when the runtime fails or the workload ends first") {
  for (const bool fails : {true, false}) {
    attach_play p;
    p.run();
    attacher me{p.s};
    REQUIRE(p.attach(me) == "");
    caf::scoped_actor asker{p.s.sys};
    auto end = compat::request(&*asker, p.rt, 1s, end_attach{me.self});
    while (p.s.step(p.rt)) {
    }
    if (fails)
      caf::anon_send_exit(p.rt, caf::exit_reason::kill);
    else
      p.session->say(kernel::exited_event{only, 0, 9});
    p.settle();
    bool answered = false;
    std::move(end).receive([&](const attach_finished&) { answered = true; },
                           [&](const caf::error& e) { FAIL(caf::to_string(e)); });
    CHECK(answered);
    CHECK(me.heard->ended.size() == 1);
    if (!fails) CHECK(p.last_call() == "shutdown");
  }
}

} // namespace attach_test

/// Attach: the hand-over of a session's events to an attach session and back, by messages.

#include "actors/attach_session.hpp"
#include "tests/actor/stage_play.hpp"

#include <caf/actor_registry.hpp>
#include <doctest/doctest.h>

#include <dirent.h>
#include <malloc.h>
#include <string>
#include <vector>

using namespace tank;
using namespace tank::testing;

namespace {

/// Somebody who attaches, and keeps what it hears.
struct attacher {
  struct heard_t {
    std::string output;
    std::vector<std::string> notices; ///< in order, with the output between them
    std::vector<attach_ended> ended;
    bool slow = false; ///< does not say that it took something
    std::uint64_t owed = 0;
    caf::actor session;
  };
  std::shared_ptr<heard_t> heard = std::make_shared<heard_t>();
  caf::actor self;

  explicit attacher(script& s) {
    self = s.sys.spawn([h = heard](caf::event_based_actor* me) -> caf::behavior {
      return {[h, me](const attach_output& m) {
                h->output += m.bytes;
                h->notices.push_back(m.bytes.size() > 20 ? std::to_string(m.bytes.size())
                                                         : m.bytes);
                if (h->slow)
                  h->owed += m.bytes.size();
                else
                  compat::send(me, h->session, attach_taken{m.bytes.size()});
              },
              [h](const attach_dropped& m) {
                h->notices.push_back((m.input ? "input -" : "output -") + std::to_string(m.bytes));
              },
              [h](const attach_ended& m) {
                h->ended.push_back(m);
                h->session = nullptr;
              }};
    });
    s.settle();
  }
  ~attacher() { caf::anon_send_exit(self, caf::exit_reason::user_shutdown); }
  attacher(const attacher&) = delete;
  attacher& operator=(const attacher&) = delete;
};

struct attach_play : stage_play {
  explicit attach_play(bool tty = true) : stage_play(30, tty) {}

  /// "" or why not.
  std::string attach(attacher& who) {
    auto [begun, refusal] = ask<attach_begun>(begin_attach{who.self});
    if (begun) who.heard->session = begun->session;
    return refusal;
  }
  std::string end(const caf::actor& who) { return ask<attach_finished>(end_attach{who}).second; }
  template <class T>
  void say(attacher& from, T message) {
    s.send(from.self, from.heard->session, std::move(message));
    s.settle();
  }
  void print(std::string bytes) { happen(kernel::pty_output_event{"main", std::move(bytes)}); }
  [[nodiscard]] caf::actor reader() const { return fds->owner_of(session->fd); }
  [[nodiscard]] bool lent() const { return session->listening && reader() && reader() != rt; }
  /// How many actors are alive.
  [[nodiscard]] std::size_t actors() { return s.sys.registry().running(); }

  void check_attached() {
    CHECK(session->listening);
    CHECK(reader() != rt);
  }
  void check_reclaimed() {
    CHECK_FALSE(session->listening);
    CHECK(reader() == rt);
  }
};

using lines = std::vector<std::string>;

} // namespace

TEST_CASE("attach: output, input, size; end_attach; and the pod runs on") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  p.check_attached();
  CHECK(p.ask<host_pid>(get_host_pid{}).first == host_pid{77}); // attached is running
  p.print("$ ");
  p.say(me, attach_input{"ls\n"});
  p.say(me, attach_resize{24, 80, 0, 0});
  p.print("bin etc\r\n");
  CHECK(me.heard->output == "$ bin etc\r\n");
  CHECK(p.session->typed == "ls\n");
  CHECK(p.session->window == kernel::window_size{24, 80, 0, 0});
  CHECK(p.end(me.self) == "");
  CHECK(me.heard->ended == std::vector{attach_ended{attach_end::detached, 0, ""}});
  p.check_reclaimed();
  CHECK_FALSE(p.ended->has_value());
  // what was still under way is nobody's
  p.print("late");
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
    p.happen(kernel::ready_event{"main", 77});
    CHECK(p.attach(me) == "not_running");
    p.happen(kernel::built_event{"main"});
    CHECK(p.attach(me) == "not_running");
    p.happen(kernel::running_event{"main", 77, 5});
    CHECK(p.attach(me) == (tty ? "" : "not_a_tty"));
    attacher other{p.s};
    CHECK(p.attach(other) == (tty ? "attached" : "not_a_tty"));
    CHECK(p.attach(me) == (tty ? "attached" : "not_a_tty"));
    p.stop();
    CHECK(p.attach(other) == "not_running");
    p.happen(kernel::exited_event{"main", 0, 9});
    CHECK(p.attach(other) == "not_running");
    p.happen(kernel::session_down_event{"closed"});
    p.check_nothing_left();
    CHECK(p.attach(other) == "it has ended");
  }
  attach_play p;
  p.run();
  CHECK(p.ask<attach_begun>(begin_attach{}).second == "there is no attacher");
}

TEST_CASE("a session that refuses the hand-over: the pod runs on as it did") {
  attach_play p;
  p.run();
  attacher me{p.s};
  p.session->refusals.emplace("listen", error{errc::unsupported, 0, "do", "it", "no way", ""});
  CHECK(p.attach(me) == "no way");
  CHECK(p.reader() == p.rt);
  CHECK(me.heard->ended.size() == 1); // an attach session was there for a moment
  p.session->refusals.clear();
  CHECK(p.attach(me) == "");
  p.check_attached();
}

TEST_CASE("an exit during an attach: the attacher hears it, and the restart policy, once each") {
  struct row {
    kernel::session_event end;
    attach_ended heard;
    stop_reason why;
  };
  const std::vector<row> rows{
      {kernel::exited_event{"main", 0, 9}, {attach_end::exited, 0, ""}, {}},
      {kernel::exited_event{"main", 3, 9},
       {attach_end::exited, 3, ""},
       {stop_class::shutdown, "workload_exited", 3, "exited with code 3"}},
      {kernel::signaled_event{"main", 9, false, 9},
       {attach_end::signaled, 9, ""},
       {stop_class::shutdown, "workload_signaled", 9, "killed by signal 9"}},
  };
  for (const auto& r : rows) {
    attach_play p;
    p.run();
    attacher me{p.s};
    REQUIRE(p.attach(me) == "");
    p.print("bye\r\n");
    p.happen(r.end);
    CHECK(me.heard->output == "bye\r\n");
    CHECK(me.heard->ended == std::vector{r.heard});
    CHECK(p.last_call() == "shutdown");
    CHECK(p.end(me.self) == ""); // nothing is left to end
    CHECK(p.reader() == p.rt);
    p.happen(kernel::session_down_event{"closed"});
    p.check_nothing_left();
    CHECK(p.ended->value() == r.why);
    CHECK(std::count(p.session->calls.begin(), p.session->calls.end(), "shutdown") == 1);
    CHECK(me.heard->ended.size() == 1);
  }
}

TEST_CASE("what the attach session has read before it was killed is known all the same") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  // It reads the end, and dies before anybody hears of it.
  p.session->note(kernel::exited_event{"main", 5, 9});
  caf::anon_send_exit(me.heard->session, caf::exit_reason::kill);
  p.s.settle();
  CHECK(me.heard->ended ==
        std::vector{attach_ended{attach_end::lost, 0, "the attach session failed"}});
  CHECK(p.last_call() == "shutdown");
  p.happen(kernel::session_down_event{"closed"});
  p.check_nothing_left();
  CHECK(p.ended->value().what == "workload_exited");
  CHECK(p.ended->value().code == 5);
}

TEST_CASE("the attach session is killed while nothing happened: taken back, and again attachable") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  caf::anon_send_exit(me.heard->session, caf::exit_reason::kill);
  p.s.settle();
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
        std::vector{attach_ended{attach_end::lost, 0, "the shim was killed by signal 9"}});
  p.check_nothing_left();
  CHECK(p.ended->value().cls == stop_class::abnormal);
  CHECK(p.ended->value().what == "session_down");
  CHECK(p.ended->value().text == "its shim went away: the shim was killed by signal 9");
}

TEST_CASE("a connection that is replaced while lent is taken up again: its shim lives") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  p.happen(kernel::session_down_event{"another daemon took over the shim", true});
  REQUIRE(me.heard->ended.size() == 1);
  CHECK(me.heard->ended[0].how == attach_end::lost);
  CHECK(p.port->adoptions == 1);
}

TEST_CASE("the attacher vanishes: the attach ends, the pod runs on") {
  attach_play p;
  p.run();
  const auto before = p.actors();
  {
    attacher me{p.s};
    REQUIRE(p.attach(me) == "");
    p.check_attached();
  }
  p.s.settle();
  p.check_reclaimed();
  CHECK(p.actors() == before);
  // and one that is gone already
  attacher ghost{p.s};
  caf::anon_send_exit(ghost.self, caf::exit_reason::kill);
  p.s.settle();
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
    p.check_attached();
    p.print("shutting down\r\n");
    p.happen(kernel::exited_event{"main", 0, 9});
    CHECK(me.heard->output == "shutting down\r\n");
    CHECK(me.heard->ended == std::vector{attach_ended{attach_end::exited, 0, ""}});
    CHECK(p.last_call() == "shutdown");
    p.happen(kernel::session_down_event{"closed"});
    CHECK(p.ended->value().text == "exited with code 0");
  }
  SUBCASE("it has to be killed") {
    p.stop();
    p.s.advance(30s);
    p.s.settle();
    CHECK(p.last_call() == "kill main");
    p.check_attached();
    p.happen(kernel::signaled_event{"main", 9, false, 9});
    CHECK(me.heard->ended == std::vector{attach_ended{attach_end::signaled, 9, ""}});
    p.happen(kernel::session_down_event{"closed"});
    CHECK(p.ended->value().text == "killed by signal 9");
  }
  SUBCASE("not even that") {
    p.stop(0s);
    p.s.advance(10s);
    p.s.settle();
    CHECK(p.last_call() == "shutdown"); // the events were taken back for it
    CHECK(p.reader() == p.rt);
    CHECK(me.heard->ended ==
          std::vector{attach_ended{attach_end::lost, 0, "the pod is being ended"}});
    p.happen(kernel::session_down_event{"closed"});
  }
  SUBCASE("detached meanwhile") {
    p.stop();
    CHECK(p.end(me.self) == "");
    CHECK(me.heard->ended == std::vector{attach_ended{attach_end::detached, 0, ""}});
    p.check_reclaimed();
    p.happen(kernel::exited_event{"main", 0, 9});
    p.happen(kernel::session_down_event{"closed"});
    CHECK(p.ended->value().text == "exited with code 0");
  }
  SUBCASE("it has ended, and only the session knows") {
    // The attach session has read it; nobody else has heard of it when the stop comes.
    p.session->note(kernel::exited_event{"main", 4, 9});
    p.session->refusals.emplace("signal",
                                error{errc::conflict, 0, "signal", "main", "no_process", ""});
    p.stop();
    CHECK(p.last_call() == "shutdown");
    p.happen(kernel::session_down_event{"closed"});
    CHECK(p.ended->value().text == "exited with code 4"); // not "its shim went away"
    CHECK(me.heard->ended.size() == 1);
  }
  p.check_nothing_left();
  CHECK(p.ended->value().what == "stopped");
}

TEST_CASE("the runtime fails while attached: the attacher is told, nothing stays lent") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  const auto session = me.heard->session;
  caf::anon_send_exit(p.rt, caf::exit_reason::kill);
  p.s.settle();
  CHECK(me.heard->ended ==
        std::vector{attach_ended{attach_end::lost, 0, "the pod's runtime has failed"}});
  CHECK_FALSE(p.session->alive);
  CHECK(p.fds->watched() == 0);
  // what the attacher still sends does no harm
  p.s.send(me.self, session, attach_input{"x"});
  p.s.settle();
  CHECK(p.session->typed == "");
}

TEST_CASE("pairing: who may end what, and when") {
  attach_play p;
  p.run();
  attacher me{p.s};
  attacher other{p.s};
  CHECK(p.end(me.self) == ""); // without begin
  REQUIRE(p.attach(me) == "");
  CHECK(p.end(other.self) == "attached");
  p.check_attached();
  CHECK(me.heard->ended.empty());
  CHECK(p.end(me.self) == "");
  CHECK(p.end(me.self) == ""); // twice
  CHECK(me.heard->ended.size() == 1);
  REQUIRE(p.attach(other) == "");
  CHECK(p.end(me.self) == "attached");
  p.check_attached();
  CHECK(p.end(other.self) == "");
  p.check_reclaimed();
}

TEST_CASE("begin while ending: refused until the events are back; two ends, two answers") {
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
  p.s.settle();
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
      p.session->note(kernel::exited_event{"main", 0, 9});
    p.s.settle();
    bool answered = false;
    std::move(end).receive([&](const attach_finished&) { answered = true; },
                           [&](const caf::error& e) { FAIL(caf::to_string(e)); });
    CHECK(answered);
    CHECK(me.heard->ended.size() == 1);
    if (!fails) CHECK(p.last_call() == "shutdown");
  }
}

TEST_CASE("who hears that it is over may attach again at once") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  // The attach session ends; its runtime has not heard of it when the next begin comes.
  p.s.send(me.self, me.heard->session, attach_leave{});
  p.s.step(me.heard->session);
  caf::scoped_actor asker{p.s.sys};
  auto begin = compat::request(&*asker, p.rt, 1s, begin_attach{me.self});
  // ahead of the attach_down of the first one, if need be
  p.s.settle();
  caf::actor session;
  std::move(begin).receive([&](const attach_begun& m) { session = m.session; },
                           [&](const caf::error& e) { FAIL(caf::to_string(e)); });
  REQUIRE(session);
  CHECK(p.reader() == session);
  CHECK(me.heard->ended.size() == 1);
}

TEST_CASE("what was typed before the end of the attach still counts") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  p.s.send(me.self, me.heard->session, attach_input{"exit\n"});
  CHECK(p.end(me.self) == "");
  CHECK(p.session->typed == "exit\n");
}

TEST_CASE("typed bytes wait for the terminal, in a bounded buffer") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  constexpr std::size_t mib = 1024 * 1024;
  p.session->room = 10;
  p.say(me, attach_input{"0123456789abc"});
  CHECK(p.session->typed == "0123456789");
  p.session->room = 2;
  p.poll();
  CHECK(p.session->typed == "0123456789ab");
  p.say(me, attach_input{std::string(mib, 'x')}); // one byte more than fits
  CHECK(me.heard->notices == lines{"input -1"});
  p.say(me, attach_input{"yz"});
  CHECK(me.heard->notices == lines{"input -1", "input -2"});
  p.session->room = ~std::size_t{0};
  p.poll();
  CHECK(p.session->typed.size() == 12 + mib);
  CHECK(p.session->typed.substr(0, 14) == "0123456789abcx");
  // the notice of the shim's own buffer goes through
  p.happen(kernel::pty_input_dropped_event{"main", 7});
  CHECK(me.heard->notices.back() == "input -7");
  // and what is left at the end is told
  p.session->room = 0;
  p.say(me, attach_input{"left"});
  CHECK(p.end(me.self) == "");
  CHECK(me.heard->notices.back() == "input -4");
}

TEST_CASE("a slow attacher: output is bounded, the gap is told where it is") {
  attach_play p;
  p.run();
  attacher me{p.s};
  me.heard->slow = true;
  REQUIRE(p.attach(me) == "");
  const std::string chunk(256 * 1024, 'x');
  for (int i = 0; i < 6; ++i)
    p.print(chunk);
  CHECK(me.heard->output.size() == 4 * chunk.size()); // 1 MiB
  CHECK(me.heard->ended.empty());
  p.say(me, attach_taken{1});
  p.print("small, but behind the gap");
  CHECK(me.heard->output.size() == 4 * chunk.size());
  p.say(me, attach_taken{2 * chunk.size()});
  p.print("on");
  const auto lost = std::to_string(2 * chunk.size() + 25);
  CHECK(me.heard->notices ==
        lines{"262144", "262144", "262144", "262144", "output -" + lost, "on"});
  // a gap at the end is told, too; and too many thanks do not count
  for (int i = 0; i < 3; ++i)
    p.print(chunk);
  p.happen(kernel::exited_event{"main", 0, 9});
  CHECK(me.heard->notices.back() == "output -524288"); // one fitted
  CHECK(me.heard->ended.size() == 1);

  attach_play q;
  q.run();
  attacher liar{q.s};
  liar.heard->slow = true;
  REQUIRE(q.attach(liar) == "");
  q.say(liar, attach_taken{~std::uint64_t{0}});
  for (int i = 0; i < 6; ++i)
    q.print(chunk);
  CHECK(liar.heard->output.size() == 4 * chunk.size());
}

TEST_CASE("a workload that never pauses does not keep the attach session from its messages") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  for (int i = 0; i < 100; ++i)
    p.session->events.emplace_back(kernel::pty_output_event{"main", "y\n"});
  p.s.send(p.store, me.heard->session, fd_ready{p.fds->id_of(p.session->fd), EPOLLIN});
  p.s.step(me.heard->session);
  CHECK(p.session->events.size() == 68);
  p.poll();
  p.poll();
  p.poll();
  CHECK(me.heard->output.size() == 200);
}

TEST_CASE("destroy while in each state, with an attach where there can be one") {
  // How far the bring-up came, and what happens after the stop until all is gone.
  for (int depth = 0; depth <= 7; ++depth) {
    CAPTURE(depth);
    attach_play p;
    attacher me{p.s};
    const auto before = p.actors();
    if (depth >= 1) p.image();
    if (depth >= 2) p.happen(kernel::ready_event{"main", 77});
    if (depth >= 3) p.happen(kernel::built_event{"main"});
    if (depth >= 4) p.happen(kernel::running_event{"main", 77, 5});
    if (depth >= 5) REQUIRE(p.attach(me) == "");
    if (depth == 6) p.stop();   // stopping
    if (depth == 7) p.stop(0s); // killing
    p.stop();
    if (depth == 0) {
      // ended already
    } else if (depth <= 2) {
      CHECK(p.last_call() == "abort main");
      p.happen(kernel::aborted_event{"main"});
    } else {
      p.happen(kernel::signaled_event{"main", 15, false, 9});
    }
    p.happen(kernel::session_down_event{"closed"});
    p.check_nothing_left();
    CHECK(p.ended->value().what == "stopped");
    CHECK(me.heard->ended.size() == (depth >= 5 ? 1 : 0));
    CHECK(p.actors() == before - 1); // the runtime
  }
}

TEST_CASE("1000 attaches leave no actor, no descriptor, no watch and no memory behind") {
  attach_play p;
  p.run();
  attacher me{p.s};
  const auto descriptors = [] {
    int n = 0;
    auto* dir = ::opendir("/proc/self/fd");
    REQUIRE(dir != nullptr);
    while (::readdir(dir) != nullptr)
      ++n;
    ::closedir(dir);
    return n;
  };
  const auto cycle = [&](int i) {
    REQUIRE(p.attach(me) == "");
    p.print("hello\r\n");
    p.say(me, attach_input{"x"});
    if (i % 3 == 0)
      REQUIRE(p.end(me.self) == "");
    else if (i % 3 == 1)
      p.say(me, attach_leave{});
    else
      caf::anon_send_exit(me.heard->session, caf::exit_reason::kill);
    p.s.settle();
    // what the test itself keeps
    me.heard->output.clear();
    me.heard->notices.clear();
    me.heard->ended.clear();
    p.session->calls.clear();
    p.session->typed.clear();
    me.heard->session = nullptr;
  };
  for (int i = 0; i < 30; ++i)
    cycle(i);
  const auto actors = p.actors();
  const auto fds = descriptors();
  const auto heap = ::mallinfo2().uordblks;
  for (int i = 0; i < 1000; ++i)
    cycle(i);
  CHECK(p.actors() == actors);
  CHECK(descriptors() == fds);
  CHECK(p.fds->watched() == 1);
  const auto grown = static_cast<long>(::mallinfo2().uordblks) - static_cast<long>(heap);
  MESSAGE("heap grown by ", grown, " bytes over 1000 attaches");
  CHECK(grown < 16 * 1024); // one watch left behind in the attacher by each would be 100 kB
  CHECK_FALSE(p.ended->has_value());
}

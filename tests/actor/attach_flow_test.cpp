/// Attach: how bytes flow, how it ends whatever happens, and what it leaves.
#include "tests/actor/attach_play.hpp"

#include <dirent.h>
#include <malloc.h>

using namespace tank;
using namespace tank::testing;

using lines = std::vector<std::string>;

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
    CHECK(p.ended->value().cause == stop_cause::stopped);
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

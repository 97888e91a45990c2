/// Attach: how bytes flow, how it ends whatever happens, and what it leaves.
#include "tests/actor/attach_play.hpp"

#include <dirent.h>
#include <malloc.h>

namespace attach_flow_test {

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
  p.settle();
  caf::actor session;
  std::move(begin).receive([&](const attach_begun& m) { session = m.session; },
                           [&](const caf::error& e) { FAIL(caf::to_string(e)); });
  REQUIRE(session);
  CHECK(me.heard->ended.size() == 1);
  me.heard->session = session;
  p.check_attached(me);
}

TEST_CASE("what was typed before the end of the attach still counts") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  p.s.send(me.self, me.heard->session, attach_input{"exit\n"});
  CHECK(p.end(me.self) == "");
  CHECK(p.typed().bytes == "exit\n");
}

TEST_CASE("typed bytes wait for the terminal, in a bounded buffer") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  constexpr std::size_t mib = 1024 * 1024;
  p.say(me, attach_input{std::string(mib + 1, 'a')}); // one byte more than fits
  CHECK(me.heard->notices == lines{"input -1"});
  // The stream took some of it, since the shim does not read; for that there is room again.
  p.say(me, attach_input{std::string(mib, 'b')});
  REQUIRE(me.heard->notices.size() == 2);
  const auto dropped = std::stoul(me.heard->notices[1].substr(sizeof "input -" - 1));
  const auto in_stream = mib - dropped;
  CHECK(in_stream >= kernel::max_terminal_bytes);
  p.say(me, attach_input{"yz"});
  CHECK(me.heard->notices.back() == "input -2");
  // The terminal takes them, in their order.
  std::string all;
  for (auto part = p.typed().bytes; !part.empty(); part = p.typed().bytes) {
    all += part;
    p.settle();
  }
  CHECK(all == std::string(mib, 'a') + std::string(in_stream, 'b'));
  p.say(me, attach_input{"on"});
  CHECK(p.typed().bytes == "on");
  // The notice of the shim's own buffer goes through.
  p.tell_dropped(7);
  CHECK(me.heard->notices.back() == "input -7");
  // What is left at the end is told, too.
  p.say(me, attach_input{std::string(mib, 'c')});
  CHECK(p.end(me.self) == "");
  CHECK(me.heard->notices.back() == "input -" + std::to_string(mib - p.typed().bytes.size()));
}

TEST_CASE("a slow attacher: output is bounded, the gap is told where it is") {
  attach_play p;
  p.run();
  attacher me{p.s};
  me.heard->slow = true;
  REQUIRE(p.attach(me) == "");
  constexpr std::size_t mib = 1024 * 1024;
  const std::string chunk(256 * 1024, 'x'); // 16 packets
  for (int i = 0; i < 6; ++i)
    p.print(chunk);
  CHECK(me.heard->output.size() == mib);
  CHECK(me.heard->ended.empty());
  p.say(me, attach_taken{1});
  p.print("small, but behind the gap");
  CHECK(me.heard->output.size() == mib);
  p.say(me, attach_taken{2 * chunk.size()});
  p.print("on");
  lines want(mib / kernel::max_terminal_bytes, "16384");
  want.push_back("output -" + std::to_string(2 * chunk.size() + 25));
  want.emplace_back("on");
  CHECK(me.heard->notices == want);
  // a gap at the end is told, too
  for (int i = 0; i < 3; ++i)
    p.print(chunk);
  p.happen(kernel::exited_event{only, 0, 9});
  CHECK(me.heard->output.size() == mib + 2 + 31 * kernel::max_terminal_bytes);
  CHECK(me.heard->notices.back() ==
        "output -" + std::to_string(3 * chunk.size() - 31 * kernel::max_terminal_bytes));
  CHECK(me.heard->ended.size() == 1);

  // too many thanks do not count
  attach_play q;
  q.run();
  attacher liar{q.s};
  liar.heard->slow = true;
  REQUIRE(q.attach(liar) == "");
  q.say(liar, attach_taken{~std::uint64_t{0}});
  for (int i = 0; i < 6; ++i)
    q.print(chunk);
  CHECK(liar.heard->output.size() == mib);
}

TEST_CASE("a workload that never pauses does not keep the attach session from its messages") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  for (int i = 0; i < 100; ++i)
    REQUIRE(p.send_packet(kernel::terminal_bytes_head, "y\n"));
  REQUIRE(p.fds->deliver());
  p.s.step(me.heard->session);
  p.s.settle();
  CHECK(me.heard->output.size() == 64); // 32 packets in one go
  p.settle();
  CHECK(me.heard->output.size() == 200);
}

TEST_CASE("a packet that is none, or is meant for the shim, harms nobody") {
  attach_play p;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  REQUIRE(p.send_packet('\x07', "who?"));
  REQUIRE(p.send_packet('\x01', "12345678"));
  REQUIRE(p.send_packet('\x02', "short"));
  REQUIRE(p.send_packet(kernel::terminal_bytes_head, ""));
  p.print("fine");
  CHECK(me.heard->notices == lines{"fine"});
  CHECK(me.heard->ended.empty());
}

TEST_CASE("a shim that lives and never pauses does not keep an attach from ending") {
  attach_play p;
  p.port->shims_live = true;
  p.run();
  attacher me{p.s};
  REQUIRE(p.attach(me) == "");
  while (p.send_packet(kernel::terminal_bytes_head, "y\n")) {
  }
  p.happen(kernel::session_down_event{"another daemon took over the shim", true});
  CHECK(me.heard->ended.size() == 1);
  CHECK(p.typed().closed);
}

TEST_CASE("destroy while in each state, with an attach where there can be one") {
  // How far the bring-up came, and what happens after the stop until all is gone.
  for (int depth = 0; depth <= 7; ++depth) {
    CAPTURE(depth);
    attach_play p;
    attacher me{p.s};
    const auto before = p.actors();
    if (depth >= 1) p.image();
    if (depth >= 2) p.happen(kernel::ready_event{only, 77});
    if (depth >= 3) p.happen(kernel::built_event{only});
    if (depth >= 4) p.happen(kernel::running_event{only, 77, 5});
    if (depth >= 5) REQUIRE(p.attach(me) == "");
    if (depth == 6) p.stop();   // stopping
    if (depth == 7) p.stop(0s); // killing
    p.stop();
    if (depth == 0) {
      // ended already
    } else if (depth <= 2) {
      CHECK(p.last_call() == "abort main");
      p.happen(kernel::aborted_event{only});
    } else {
      p.happen(kernel::signaled_event{only, 15, false, 9});
    }
    p.happen(kernel::session_down_event{"closed"});
    CHECK(p.ended->value().cause == stop_cause::stopped);
    CHECK(me.heard->ended.size() == (depth >= 5 ? 1 : 0));
    p.check_forgotten();
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
    REQUIRE(p.typed().bytes == "x");
    if (i % 3 == 0)
      REQUIRE(p.end(me.self) == "");
    else if (i % 3 == 1)
      p.say(me, attach_leave{});
    else
      caf::anon_send_exit(me.heard->session, caf::exit_reason::kill);
    p.settle();
    // what the test itself keeps
    me.heard->output.clear();
    me.heard->notices.clear();
    me.heard->ended.clear();
    p.session->calls.clear();
    p.session->terminals.clear();
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

} // namespace attach_flow_test

// The daemon's end against a shim played by the test: no process, no root.
#include "kernel/port.hpp"
#include "kernel/protocol.hpp"
#include "tests/unit/kernel/played_shim.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace session_test {

using namespace tank;
using namespace tank::kernel;
using protocol::frame_type;
using testing::played_shim;

namespace {
const instance web{"web", 0};

/// A shim of today.
struct modern_shim : played_shim {
  explicit modern_shim(shim_session::origin from = shim_session::origin::started)
      : played_shim(from) {}

  /// Up to the end of its greeting.
  void greet() {
    say(protocol::hello_frame{});
    CHECK(next<sandbox_ready_event>().version == 2);
  }
  void say_at(frame_type type, stage at, const instance& who = web, std::uint32_t serial = 0) {
    protocol::container_frame f{.head = {type}, .serial = serial, .attempt = who.attempt, .at = at};
    f.host_pid = 42;
    f.result = 3;
    std::strcpy(f.container, who.container.c_str());
    say(f, offsetof(protocol::container_frame, object) + 1);
  }
  void happens(stage at, const instance& who = web, std::uint32_t serial = 0) {
    say_at(frame_type::event, at, who, serial);
  }
  void refuses(request about, refusal why, std::uint32_t serial, const instance& who = web) {
    protocol::refused_frame f;
    f.serial = serial;
    f.attempt = who.attempt;
    f.about = about;
    f.why = why;
    std::strcpy(f.container, who.container.c_str());
    say(f);
  }
  /// The next request, which must be that one.
  protocol::request_frame hear(request what) {
    const auto f = packet<protocol::request_frame>();
    CHECK(f.head.type == frame_type::request);
    CHECK(f.what == what);
    return f;
  }
  /// A container that is made and has reached `at`.
  void bring_to(stage at, const instance& who = web) {
    REQUIRE(session->create(plan_of(who)));
    hear(request::create);
    for (auto s = stage::ready; s <= at && s <= stage::running;
         s = static_cast<stage>(static_cast<unsigned>(s) + 1)) {
      happens(s, who);
      REQUIRE(session->next_event()->has_value());
    }
  }
  static launch_plan plan_of(const instance& who) {
    launch_plan plan{.container = who.container, .attempt = who.attempt};
    plan.process.argv = {"/bin/true"};
    return plan;
  }
};

std::string cause(const result<void>& r) {
  return r ? std::string{} : r.error().cause;
}
} // namespace

TEST_CASE("the first event says which protocol is spoken and brings the network namespace") {
  modern_shim shim;
  const unique_fd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  shim.say(protocol::hello_frame{}, sizeof(protocol::hello_frame), null.get());
  const auto ready = shim.next<sandbox_ready_event>();
  CHECK(ready.version == 2);
  REQUIRE(ready.network);
  struct stat sent {};
  struct stat got {};
  REQUIRE(::fstat(null.get(), &sent) == 0);
  REQUIRE(::fstat(ready.network->get(), &got) == 0);
  CHECK(sent.st_ino == got.st_ino);
  CHECK((::fcntl(ready.network->get(), F_GETFD) & FD_CLOEXEC) != 0);
  shim.say(protocol::hello_frame{}); // once is enough
  CHECK(!shim.session->next_event()->has_value());
}

TEST_CASE("a pod in the host's network has no namespace to bring") {
  modern_shim shim;
  shim.say(protocol::hello_frame{});
  CHECK(!shim.next<sandbox_ready_event>().network);
}

TEST_CASE("a shim of a later protocol is left alone, at once, and it is said why") {
  modern_shim shim{shim_session::origin::adopted};
  shim.say(protocol::hello_frame{.protocol = 3});
  const auto down = shim.next<session_down_event>();
  CHECK(down.why == "the shim speaks version 3 of the protocol, this Tank versions 1 and 2");
  CHECK(down.shim_lives);
  CHECK(shim.session->down() == down);
  CHECK(cause(shim.session->build(web)) == "no_process");
  CHECK(!shim.session->next_event()->has_value());
}

TEST_CASE("every request has its serial, counted from 1") {
  modern_shim shim;
  shim.greet();
  REQUIRE(shim.session->create(modern_shim::plan_of(web)));
  CHECK(shim.hear(request::create).serial == 1);
  CHECK(shim.session->create(modern_shim::plan_of(web)).error().code == errc::exists);
  REQUIRE(shim.session->build(web));
  CHECK(shim.hear(request::build).serial == 2); // what was refused here took none
  REQUIRE(shim.session->signal(web, 15));
  const auto signal = shim.hear(request::signal);
  CHECK(signal.serial == 3);
  CHECK(signal.value == 15);
  CHECK(std::string{signal.container} == "web");
  REQUIRE(shim.session->shutdown());
  const auto last = shim.packet<protocol::shutdown_frame>();
  CHECK(last.head.type == frame_type::shutdown);
  CHECK(last.serial == 4);
}

TEST_CASE("requests reach the shim once, and a second build or proceed is refused at this end") {
  modern_shim shim;
  shim.greet();
  REQUIRE(shim.session->create(modern_shim::plan_of(web)));
  shim.hear(request::create);
  REQUIRE(shim.session->build(web));
  shim.hear(request::build);
  CHECK(cause(shim.session->build(web)) == "built");
  shim.happens(stage::ready, web, 1);
  CHECK(shim.next<ready_event>() == ready_event{web, 42});
  shim.happens(stage::built, web, 2);
  CHECK(shim.next<built_event>().who == web);
  REQUIRE(shim.session->proceed(web));
  shim.hear(request::proceed);
  CHECK(cause(shim.session->proceed(web)) == "running");
  shim.happens(stage::running, web, 3);
  CHECK(shim.next<running_event>().host_pid == 42);
  shim.happens(stage::exited);
  CHECK(shim.next<exited_event>().code == 3);
  CHECK(shim.session->info().at(0).at == stage::exited);
}

TEST_CASE("at most 64 signals are held for a container that does not run yet") {
  modern_shim shim;
  shim.greet();
  REQUIRE(shim.session->create(modern_shim::plan_of(web)));
  for (int i = 0; i < 64; ++i)
    REQUIRE(shim.session->signal(web, 10));
  CHECK(shim.session->signal(web, 10).error().code == errc::limit);
}

TEST_CASE("requests about what there is not, or no more, are refused at this end") {
  modern_shim shim;
  shim.greet();
  CHECK(shim.session->build(web).error().code == errc::not_found);
  shim.bring_to(stage::running);
  CHECK(cause(shim.session->abort(web)) == "running");
  CHECK(shim.session->signal(web, 65).error().code == errc::invalid);
  CHECK(shim.session->signal(web, 0).error().code == errc::invalid);
  CHECK(shim.session->kill({"web", 1}).error().code == errc::not_found);
  shim.happens(stage::signaled);
  CHECK(shim.next<signaled_event>().signal == 3);
  CHECK(cause(shim.session->kill(web)) == "no_process");
  CHECK(shim.session->create(modern_shim::plan_of(web)).error().code == errc::exists);
  const instance second{"web", 1};
  shim.bring_to(stage::ready, second);
  CHECK(shim.session->info().size() == 1);
  CHECK(cause(shim.session->kill(web)) == "no_process"); // the first one
  CHECK(shim.session->kill(second));
}

TEST_CASE("a name that no frame can hold is refused at this end") {
  modern_shim shim;
  shim.greet();
  CHECK(shim.session->create(modern_shim::plan_of({std::string(128, 'x'), 0})).error().code ==
        errc::limit);
  CHECK(shim.session->create(modern_shim::plan_of({std::string(127, 'x'), 0})));
}

TEST_CASE("a refused create is all that is heard of it, and the name is free") {
  modern_shim shim;
  shim.greet();
  REQUIRE(shim.session->create(modern_shim::plan_of(web)));
  shim.refuses(request::create, refusal::full, 1);
  const auto refused = shim.next<refused_event>();
  CHECK(refused.who == web);
  CHECK(refused.about == request::create);
  CHECK(refused.why == refusal::full);
  CHECK(shim.session->info().empty());
  CHECK(shim.session->kill(web).error().code == errc::not_found);
  CHECK(shim.session->create(modern_shim::plan_of(web)));
}

TEST_CASE("a refused build or proceed can be asked again") {
  modern_shim shim;
  shim.greet();
  REQUIRE(shim.session->create(modern_shim::plan_of(web)));
  REQUIRE(shim.session->build(web)); // serial 2
  shim.refuses(request::build, refusal::failed, 2);
  CHECK(shim.next<refused_event>().about == request::build);
  REQUIRE(shim.session->build(web)); // serial 3
  shim.happens(stage::ready);
  shim.happens(stage::built);
  shim.next<ready_event>();
  shim.next<built_event>();
  REQUIRE(shim.session->proceed(web)); // serial 4
  shim.refuses(request::proceed, refusal::not_ready, 4);
  CHECK(shim.next<refused_event>().why == refusal::not_ready);
  CHECK(shim.session->proceed(web));
}

TEST_CASE("a refusal that answers nothing is not news") {
  modern_shim shim;
  shim.greet();
  shim.bring_to(stage::running);
  shim.refuses(request::create, refusal::full, 1); // it was made long ago
  shim.refuses(request::build, refusal::failed, 1);
  shim.refuses(request::open_terminal, refusal::no_pty, 1);
  shim.refuses(request::kill, refusal::no_container, 1, {"other", 0});
  shim.refuses(request::kill, refusal::no_process, 1, {"web", 5});
  shim.refuses(static_cast<request>(77), refusal::failed, 1);
  CHECK(!shim.session->next_event()->has_value());
  CHECK(shim.session->info().at(0).at == stage::running);
  shim.refuses(request::kill, static_cast<refusal>(200), 1); // of a later shim
  CHECK(shim.next<refused_event>().why == refusal::failed);
}

TEST_CASE("a terminal is opened by an event that brings its stream, or refused") {
  modern_shim shim;
  shim.greet();
  shim.bring_to(stage::running);
  REQUIRE(shim.session->open_terminal(web, {.rows = 24, .columns = 80}));
  const auto asked = shim.hear(request::open_terminal);
  CHECK(asked.window[0] == 24);
  CHECK(asked.window[1] == 80);
  const unique_fd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  protocol::terminal_frame f;
  std::strcpy(f.container, "web");
  f.serial = asked.serial + 1;
  shim.say(f, sizeof f, null.get()); // answers nothing
  CHECK(!shim.session->next_event()->has_value());
  f.serial = asked.serial;
  shim.say(f, sizeof f, null.get());
  const auto opened = shim.next<terminal_opened_event>();
  CHECK(opened.who == web);
  REQUIRE(opened.stream);
  CHECK(::fcntl(opened.stream->get(), F_GETFD) >= 0);
  shim.say(f, sizeof f, null.get()); // a second time
  CHECK(!shim.session->next_event()->has_value());
  REQUIRE(shim.session->open_terminal(web, {}));
  shim.refuses(request::open_terminal, refusal::no_pty, shim.hear(request::open_terminal).serial);
  CHECK(shim.next<refused_event>().why == refusal::no_pty);
}

TEST_CASE("what a shim says of an attempt that is over changes nothing") {
  modern_shim shim;
  shim.greet();
  shim.bring_to(stage::running);
  shim.happens(stage::exited);
  shim.next<exited_event>();
  shim.happens(stage::exited); // one end is told once
  CHECK(!shim.session->next_event()->has_value());
  const instance second{"web", 1};
  shim.bring_to(stage::running, second);
  shim.happens(stage::exited); // of the first
  CHECK(!shim.session->next_event()->has_value());
  CHECK(shim.session->info().at(0).at == stage::running);
  shim.happens(stage::exited, second);
  CHECK(shim.next<exited_event>().who == second);
}

TEST_CASE("a container's end says whether memory was why, and a failure its kind") {
  modern_shim shim;
  shim.greet();
  shim.bring_to(stage::running);
  protocol::container_frame f{.head = {frame_type::event}, .at = stage::signaled};
  f.result = 9;
  f.out_of_memory = 1;
  f.core_dumped = 1;
  std::strcpy(f.container, "web");
  shim.say(f);
  const auto end = shim.next<signaled_event>();
  CHECK(end.out_of_memory);
  CHECK(end.core_dumped);
  CHECK(shim.session->info().at(0).out_of_memory);
  const instance two{"two", 0};
  shim.bring_to(stage::built, two);
  f.at = stage::failed;
  f.code = launch_failure::enter_cwd;
  f.sys = ENOENT;
  std::strcpy(f.container, "two");
  std::strcpy(f.step, "change directory to");
  std::strcpy(f.object, "/srv");
  shim.say(f);
  CHECK(shim.next<failed_event>() == failed_event{two, launch_failure::enter_cwd, ENOENT,
                                                  "change directory to", "/srv", -1, true});
  const auto info = shim.session->info().at(1);
  CHECK(info.code == launch_failure::enter_cwd);
  CHECK(info.step_index == -1);
}

TEST_CASE("a shim of another mind is survived: short, unknown and unterminated frames") {
  modern_shim shim;
  shim.say_at(frame_type::event, stage::ready); // before its hello
  CHECK(!shim.session->next_event()->has_value());
  shim.greet();
  shim.say('x');
  shim.say(protocol::header{static_cast<frame_type>(999)});
  shim.say(protocol::header{frame_type::event}); // a container without a name, all zero
  CHECK(!shim.session->next_event()->has_value());
  protocol::container_frame full{.head = {frame_type::event}, .at = stage::failed};
  full.code = static_cast<launch_failure>(99);
  std::memset(full.container, 'c', sizeof full.container);
  std::memset(full.step, 's', sizeof full.step);
  std::memset(full.object, 'o', sizeof full.object);
  shim.say(full);
  const auto failed = shim.next<failed_event>();
  CHECK(failed.who.container == std::string(sizeof full.container, 'c'));
  CHECK(failed.object == std::string(sizeof full.object, 'o'));
  CHECK(failed.code == launch_failure::other);
  full.at = static_cast<stage>(200);
  full.container[0] = 'd';
  shim.say(full);
  CHECK(shim.next<failed_event>().who.container[0] == 'd');
  CHECK(!shim.session->next_event()->has_value());
}

TEST_CASE("a shim that invents containers without end fills no memory of ours") {
  modern_shim shim;
  shim.greet();
  for (int i = 0; i < 100; ++i) {
    shim.happens(stage::running, {std::to_string(i), 0});
    (void)shim.session->next_event();
  }
  CHECK(shim.session->info().size() == protocol::max_containers);
}

TEST_CASE("a shim that answers nobody any more blocks no daemon that wants to adopt it") {
  char name[] = "/tmp/tank-adopt-test.XXXXXX";
  const std::filesystem::path dir = ::mkdtemp(name);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  (dir / protocol::socket_name).string().copy(address.sun_path, sizeof address.sun_path - 1);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  const auto socket = [] {
    return unique_fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  };
  const auto stuck = socket();
  REQUIRE(::bind(stuck.get(), where, sizeof address) == 0);
  REQUIRE(::listen(stuck.get(), 1) == 0);
  std::vector<unique_fd> waiting; // daemons that gave up before
  do
    waiting.push_back(socket());
  while (::connect(waiting.back().get(), where, sizeof address) == 0);
  REQUIRE(errno == EAGAIN);
  const auto adopted = make_port("/no/such")->adopt_session(dir);
  REQUIRE(!adopted);
  CHECK(adopted.error().code == errc::timeout);
  std::filesystem::remove_all(dir);
}

TEST_CASE("a replaced session ends once, and then refuses everything") {
  modern_shim shim;
  shim.greet();
  REQUIRE(shim.session->create(modern_shim::plan_of(web)));
  shim.say(protocol::header{frame_type::replaced});
  shim.end.reset();
  CHECK(shim.next<session_down_event>() ==
        session_down_event{"another daemon took over the shim", true});
  CHECK(!shim.session->next_event()->has_value());
  CHECK(cause(shim.session->build(web)) == "no_process");
  CHECK(shim.session->shutdown().error().code == errc::conflict);
  shim.session->end(); // must not end another daemon's shim, which is this process here
}

TEST_CASE("a greeting tells what the shim holds, and its end is the adoption") {
  modern_shim shim{shim_session::origin::adopted};
  shim.greet();
  shim.say_at(frame_type::state, stage::running, {"web", 4});
  CHECK(!shim.session->next_event()->has_value());
  shim.say(protocol::header{frame_type::info_end});
  shim.next<adopted_event>();
  const auto info = shim.session->info().at(0);
  CHECK(info.at == stage::running);
  CHECK(info.who == instance{"web", 4});
  CHECK(cause(shim.session->abort({"web", 4})) == "running");
  CHECK(shim.session->create(modern_shim::plan_of({"web", 5})).error().code == errc::exists);
  CHECK(!shim.session->next_event()->has_value());
}

TEST_CASE("a shim of a later protocol that was told to shut down is waited for") {
  modern_shim shim{shim_session::origin::adopted};
  REQUIRE(shim.session->shutdown());
  shim.say(protocol::hello_frame{.protocol = 3});
  shim.happens(stage::exited); // whatever that means in its protocol
  shim.say(protocol::header{frame_type::info_end});
  CHECK(!shim.session->next_event()->has_value());
  CHECK(!shim.session->down());
}

TEST_CASE("what a shim says before it greets is why it ends") {
  using said = std::optional<frames::heard>;
  const auto text = [](const protocol::error_frame& f) {
    const said heard = frames::read(0, {reinterpret_cast<const char*>(&f), sizeof f});
    REQUIRE(heard);
    REQUIRE(std::holds_alternative<frames::trouble>(*heard));
    return std::get<frames::trouble>(*heard).text;
  };
  protocol::error_frame f;
  f.about = frame_type::sandbox;
  f.sys = EPERM;
  std::strcpy(f.step, "make the pod's namespaces");
  CHECK(text(f) == "cannot make the pod's namespaces: Operation not permitted");
  f.sys = EPROTO; // a shim of protocol 1, by mistake
  std::strcpy(f.step, "agree on the protocol's version");
  CHECK(text(f) == "cannot agree on the protocol's version: Protocol error (the tank-shim that is "
                   "installed is not this Tank's)");
}

TEST_CASE("shutdown can be asked of a shim that has not spoken yet, whatever it speaks") {
  modern_shim shim{shim_session::origin::adopted};
  REQUIRE(shim.session->shutdown());
  CHECK(shim.packet<protocol::header>().type == frame_type::shutdown);
}

TEST_CASE("a shim that closes the connection and lives on is told, so that it is adopted again") {
  modern_shim shim; // its process is this one
  shim.greet();
  shim.end.reset();
  CHECK(!shim.session->next_event()->has_value()); // most close by ending: a moment for that
  pollfd readable{shim.session->poll_fd(), POLLIN, 0};
  REQUIRE(::poll(&readable, 1, 10'000) == 1);
  const auto down = shim.next<session_down_event>();
  CHECK(down.why == "the shim closed the connection");
  CHECK(down.shim_lives);
  CHECK(!shim.session->next_event()->has_value());
}

} // namespace session_test

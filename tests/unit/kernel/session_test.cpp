// The daemon's end against a shim played by the test: no process, no root.
#include "kernel/session.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

using namespace tank;
using namespace tank::kernel;
using protocol::frame_type;

namespace {
struct played_shim {
  unique_fd end;
  std::unique_ptr<shim_session> session;

  played_shim() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    end.reset(ends[1]);
    unique_fd self{static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))};
    auto made = shim_session::make(unique_fd{ends[0]}, std::move(self), ::getpid(),
                                   std::make_shared<graveyard>());
    REQUIRE(made);
    session = std::move(*made);
  }
  template <class Frame>
  void say(const Frame& f, std::size_t size = sizeof(Frame)) {
    REQUIRE(::send(end.get(), &f, size, 0) == static_cast<ssize_t>(size));
  }
  void say(frame_type type, stage at, const char* name = "web") {
    protocol::container_frame f{.head = {type}, .at = at, .host_pid = 42, .result = 3};
    std::strcpy(f.container, name);
    say(f, offsetof(protocol::container_frame, object) + 1);
  }
  /// The type of the next request.
  frame_type hear() {
    protocol::request_frame f;
    REQUIRE(::recv(end.get(), &f, sizeof f, MSG_DONTWAIT) > 0);
    return f.head.type;
  }
  template <class Event>
  Event next() {
    const auto event = session->next_event();
    REQUIRE(event);
    REQUIRE(event->has_value());
    REQUIRE(std::holds_alternative<Event>(**event));
    return std::get<Event>(**event);
  }
};

launch_plan web() {
  launch_plan plan{.container = "web"};
  plan.process.argv = {"/bin/true"};
  return plan;
}
} // namespace

TEST_CASE("requests reach the shim once, and a second build or proceed is refused at this end") {
  played_shim shim;
  REQUIRE(shim.session->create(web()));
  CHECK(shim.hear() == frame_type::create);
  REQUIRE(shim.session->build("web"));
  CHECK(shim.hear() == frame_type::build);
  CHECK(shim.session->build("web").error().cause == "built");
  shim.say(frame_type::ready, stage::ready);
  CHECK(shim.next<ready_event>() == ready_event{"web", 42});
  shim.say(frame_type::built, stage::built);
  shim.next<built_event>();
  REQUIRE(shim.session->proceed("web"));
  CHECK(shim.hear() == frame_type::proceed);
  CHECK(shim.session->proceed("web").error().cause == "running");
  shim.say(frame_type::exited, stage::exited);
  CHECK(shim.next<exited_event>().code == 3);
  CHECK(shim.session->info().at(0).at == stage::exited);
}

TEST_CASE("at most 64 signals are held for a container that does not run yet") {
  played_shim shim;
  REQUIRE(shim.session->create(web()));
  for (int i = 0; i < 64; ++i)
    REQUIRE(shim.session->signal("web", 10));
  CHECK(shim.session->signal("web", 10).error().code == errc::limit);
}

TEST_CASE("a refused create becomes the container's failed event") {
  played_shim shim;
  REQUIRE(shim.session->create(web()));
  protocol::error_frame f;
  f.about = frame_type::create;
  f.sys = ENOSPC;
  std::strcpy(f.container, "web");
  std::strcpy(f.step, "create container");
  shim.say(f);
  const auto failed = shim.next<failed_event>();
  CHECK(failed.sys == ENOSPC);
  CHECK(failed.step == "create container");
  CHECK(shim.session->kill("web").error().cause == "no_process");
}

TEST_CASE("a shim of another mind is survived: short, unknown and unterminated frames") {
  played_shim shim;
  shim.say('x');
  shim.say(protocol::header{static_cast<frame_type>(999)});
  shim.say(protocol::header{frame_type::ready}); // a container without a name, all zero
  CHECK(shim.next<ready_event>().container.empty());
  protocol::container_frame full{.head = {frame_type::failed}, .at = stage::failed};
  std::memset(full.container, 'c', sizeof full.container);
  std::memset(full.step, 's', sizeof full.step);
  std::memset(full.object, 'o', sizeof full.object);
  shim.say(full);
  const auto failed = shim.next<failed_event>();
  CHECK(failed.container == std::string(sizeof full.container, 'c'));
  CHECK(failed.object == std::string(sizeof full.object, 'o'));
  CHECK(!shim.session->next_event()->has_value());
}

TEST_CASE("a shim that invents containers without end fills no memory of ours") {
  played_shim shim;
  for (int i = 0; i < 40; ++i) {
    shim.say(frame_type::running, stage::running, std::to_string(i).c_str());
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
  played_shim shim;
  REQUIRE(shim.session->create(web()));
  shim.say(protocol::header{frame_type::replaced});
  shim.end.reset();
  CHECK(shim.next<session_down_event>() ==
        session_down_event{"another daemon took over the shim", true});
  CHECK(!shim.session->next_event()->has_value());
  CHECK(shim.session->build("web").error().cause == "no_process");
  CHECK(shim.session->shutdown().error().code == errc::conflict);
}

TEST_CASE("a greeting tells what the shim holds, and its end is the adoption") {
  played_shim shim;
  shim.session->expect_greeting();
  shim.say(protocol::hello_frame{});
  shim.say(frame_type::state, stage::running);
  CHECK(!shim.session->next_event()->has_value());
  shim.say(protocol::header{frame_type::info_end});
  shim.next<adopted_event>();
  CHECK(shim.session->info().at(0).at == stage::running);
  CHECK(shim.session->abort("web").error().cause == "running");
  CHECK(!shim.session->next_event()->has_value());
}

TEST_CASE("a shim that closes the connection and lives on is told, so that it is adopted again") {
  played_shim shim; // its process is this one
  shim.end.reset();
  CHECK(!shim.session->next_event()->has_value()); // most close by ending: a moment for that
  pollfd readable{shim.session->poll_fd(), POLLIN, 0};
  REQUIRE(::poll(&readable, 1, 10'000) == 1);
  const auto down = shim.next<session_down_event>();
  CHECK(down.why == "the shim closed the connection");
  CHECK(down.shim_lives);
  CHECK(!shim.session->next_event()->has_value());
}

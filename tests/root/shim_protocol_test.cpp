// A daemon that misbehaves, and processes that die when nobody asked them to.
#include "kernel/protocol.hpp"
#include "kernel/wire_encode.hpp"
#include "tests/root/shim_fixture.hpp"

#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

namespace shim_protocol_test {

using namespace tank;
using namespace tank::kernel;
using protocol::frame_type;

namespace {
/// A bare connection to the shim of a room.
class raw_peer {
 public:
  explicit raw_peer(const shim_room& room)
      : fd_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    (room.dir / "run" / "shim.sock").string().copy(address.sun_path, 107);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  [[nodiscard]] bool connected() const { return connected_; }

  template <class Frame>
  void send(const Frame& frame, std::size_t size = sizeof(Frame), int with_fd = -1) {
    iovec data{const_cast<Frame*>(&frame), size};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (with_fd >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      auto* c = CMSG_FIRSTHDR(&message);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(c), &with_fd, sizeof(int));
    }
    REQUIRE(::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(size));
  }
  /// With a serial of its own, which it returns.
  std::uint32_t ask(request what, const instance& who, int value = 0, int with_fd = -1) {
    protocol::request_frame f{.serial = ++serial_, .attempt = who.attempt, .what = what};
    f.value = value;
    std::strncpy(f.container, who.container.c_str(), sizeof f.container - 1);
    send(f, sizeof f, with_fd);
    return serial_;
  }
  /// The next frame's type, its bytes in `packet`; 0 at the end of the connection.
  std::uint32_t receive() {
    pollfd readable{fd_.get(), POLLIN, 0};
    REQUIRE(::poll(&readable, 1, 10'000) == 1);
    std::memset(packet, 0, sizeof packet);
    if (::recv(fd_.get(), packet, sizeof packet, 0) <= 0) return 0;
    std::uint32_t type = 0;
    std::memcpy(&type, packet, sizeof type);
    return type;
  }
  template <class Frame>
  Frame expect(frame_type type) {
    CHECK(receive() == static_cast<std::uint32_t>(type));
    Frame f;
    std::memcpy(static_cast<void*>(&f), packet, sizeof f);
    return f;
  }
  void expect_refused(std::uint32_t serial, refusal why) {
    CAPTURE(serial);
    const auto f = expect<protocol::refused_frame>(frame_type::refused);
    CHECK(f.serial == serial);
    CHECK(to_string(f.why) == to_string(why));
  }
  protocol::container_frame expect_event(stage at, std::uint32_t serial) {
    const auto f = expect<protocol::container_frame>(frame_type::event);
    CHECK(to_string(f.at) == to_string(at));
    CHECK(f.serial == serial);
    return f;
  }
  void read_greeting() {
    while (receive() != static_cast<std::uint32_t>(frame_type::info_end)) {
    }
  }

  alignas(8) char packet[protocol::max_frame] = {};

 private:
  unique_fd fd_;
  bool connected_ = false;
  std::uint32_t serial_ = 0;
};

const instance web{"web"};

unique_fd sealed(const launch_plan& plan) {
  return *wire::make_sealed_memfd("plan", *wire::encode_plan(plan));
}
} // namespace

TEST_CASE("what is no request is refused by serial 0 and harms nothing") {
  shim_room room;
  auto s = room.start();
  const pid_t pid = run(*s, shell_plan("web", "sleep 1000"));
  {
    raw_peer peer{room};
    REQUIRE(peer.connected());
    peer.read_greeting();
    peer.send(protocol::header{static_cast<frame_type>(77)});
    peer.expect_refused(0, refusal::unknown_request);
    peer.send('x');
    peer.expect_refused(0, refusal::unknown_request);
    peer.send(protocol::sandbox_frame{}); // not the first frame
    peer.expect_refused(0, refusal::unknown_request);
    struct {
      char bytes[1 << 16] = {'x', 'x', 'x', 'x'};
    } const huge;
    peer.send(huge);
    peer.expect_refused(0, refusal::unknown_request);
  }
  const auto adopted = room.adopt();
  CHECK(adopted->info().at(0).host_pid == pid);
  CHECK(adopted->info().at(0).at == stage::running);
  finish(*adopted);
}

TEST_CASE("each refusal has its code, and names the request that it answers") {
  shim_room room;
  auto s = room.start();
  run(*s, shell_plan("web", "sleep 1000"));
  raw_peer peer{room};
  peer.read_greeting();
  peer.expect_refused(peer.ask(request::signal, web, 65), refusal::bad_value);
  peer.expect_refused(peer.ask(request::signal, web, -1), refusal::bad_value);
  peer.expect_refused(peer.ask(request::build, {"nobody"}), refusal::no_container);
  peer.expect_refused(peer.ask(request::build, {"web", 1}), refusal::no_container);
  peer.expect_refused(peer.ask(request::build, web), refusal::running);
  peer.expect_refused(peer.ask(request::proceed, web), refusal::running);
  peer.expect_refused(peer.ask(request::abort, web), refusal::running);
  peer.expect_refused(peer.ask(request::open_terminal, web), refusal::no_pty);
  peer.expect_refused(peer.ask(static_cast<request>(99), web), refusal::unknown_request);
  peer.expect_refused(peer.ask(request::shutdown, web), refusal::unknown_request);
  peer.expect_refused(peer.ask(request::create, {"two"}), refusal::bad_plan); // there is none

  const auto live = sealed(shell_plan("web", "exit 0"));
  peer.expect_refused(peer.ask(request::create, web, 0, live.get()), refusal::exists);
  const instance second{"web", 1};
  const auto next = sealed(as_next(*s, shell_plan("web", "exit 0")));
  peer.expect_refused(peer.ask(request::create, second, 0, next.get()), refusal::exists);
  peer.expect_refused(peer.ask(request::create, {"two"}, 0, live.get()), refusal::bad_plan);

  const auto plan = sealed(shell_plan("two", "exit 0"));
  const instance two{"two"};
  const auto made = peer.ask(request::create, two, 0, plan.get());
  peer.expect_event(stage::ready, made);
  peer.expect_refused(peer.ask(request::proceed, two), refusal::not_ready);
  for (int i = 0; i < 64; ++i)
    peer.ask(request::signal, two, SIGCHLD);
  peer.expect_refused(peer.ask(request::signal, two, SIGCHLD), refusal::too_many);
  const auto built = peer.ask(request::build, two);
  peer.expect_event(stage::built, built);
  peer.expect_refused(peer.ask(request::build, two), refusal::built);
  peer.ask(request::kill, two);
  peer.expect_event(stage::signaled, 0);
  peer.expect_refused(peer.ask(request::kill, two), refusal::no_process);
  peer.expect_refused(peer.ask(request::open_terminal, two), refusal::no_process);
  peer.expect_refused(peer.ask(request::create, two, 0, plan.get()), refusal::exists);

  peer.send(protocol::shutdown_frame{});
  peer.expect_refused(peer.ask(request::create, {"three"}, 0, plan.get()), refusal::shutting_down);
}

TEST_CASE("events answer by serial, of this connection only") {
  shim_room room;
  auto s = room.start();
  run(*s, shell_plan("keep", "sleep 1000"));
  raw_peer peer{room};
  peer.read_greeting();
  const auto plan = sealed(shell_plan("web", "sleep 1000"));
  peer.expect_event(stage::ready, peer.ask(request::create, web, 0, plan.get()));
  peer.expect_event(stage::built, peer.ask(request::build, web));
  peer.expect_event(stage::running, peer.ask(request::proceed, web));
  const auto broken = sealed(host_plan("broken", {"/no/such"}));
  const instance failing{"broken"};
  peer.expect_event(stage::ready, peer.ask(request::create, failing, 0, broken.get()));
  peer.expect_event(stage::built, peer.ask(request::build, failing));
  const auto failed = peer.expect_event(stage::failed, peer.ask(request::proceed, failing));
  CHECK(failed.code == launch_failure::execute);
  const auto parked = sealed(shell_plan("parked", "exit 0"));
  const instance third{"parked"};
  peer.expect_event(stage::ready, peer.ask(request::create, third, 0, parked.get()));
  raw_peer next{room}; // another daemon, which has asked for nothing of that
  next.read_greeting();
  const auto aborted = next.ask(request::abort, third);
  CHECK(aborted == 1);
  next.expect_event(stage::aborted, aborted);
  next.ask(request::kill, web);
  next.expect_event(stage::signaled, 0);
}

TEST_CASE("a shim without descriptors lets a new daemon wait, at no cost, and takes it later") {
  shim_room room;
  auto s = room.start();
  run(*s, shell_plan("web", "sleep 1000"));
  rlimit before{};
  REQUIRE(::prlimit(s->shim_pid(), RLIMIT_NOFILE, nullptr, &before) == 0);
  // No descriptor below the first free one is to be had; poll(2) wants a limit above its own count.
  rlim_t open = 0;
  const auto fds = "/proc/" + std::to_string(s->shim_pid()) + "/fd/";
  while (std::filesystem::is_symlink(fds + std::to_string(open)))
    ++open;
  REQUIRE(open >= 6);
  const rlimit none{open, before.rlim_max};
  REQUIRE(::prlimit(s->shim_pid(), RLIMIT_NOFILE, &none, nullptr) == 0);
  clockid_t clock{};
  REQUIRE(::clock_getcpuclockid(s->shim_pid(), &clock) == 0);
  const auto cpu_ms = [&] {
    timespec t{};
    ::clock_gettime(clock, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1'000'000;
  };
  const auto from = cpu_ms();
  auto next = room.kernel->adopt_session(room.dir / "run");
  REQUIRE(next);
  pollfd heard{(*next)->poll_fd(), POLLIN, 0};
  CHECK(::poll(&heard, 1, 1200) == 0); // time is what is looked at
  CHECK(cpu_ms() - from < 300);
  REQUIRE(::prlimit(s->shim_pid(), RLIMIT_NOFILE, &before, nullptr) == 0);
  expect<sandbox_ready_event>(**next);
  expect<adopted_event>(**next);
  CHECK((*next)->info().at(0).at == stage::running);
  finish(**next);
}

TEST_CASE("a plan that is not sealed, is no plan, or lies is refused") {
  shim_room room;
  auto s = room.start();
  run(*s, shell_plan("web", "sleep 1000"));
  raw_peer peer{room};
  peer.read_greeting();
  const auto bytes = *wire::encode_plan(shell_plan("two", "exit 0"));
  const instance two{"two"};
  const unique_fd open_memfd{::memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  REQUIRE(::write(open_memfd.get(), bytes.data(), bytes.size()) ==
          static_cast<ssize_t>(bytes.size()));
  peer.expect_refused(peer.ask(request::create, two, 0, open_memfd.get()), refusal::bad_plan);
  const unique_fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  peer.expect_refused(peer.ask(request::create, two, 0, null.get()), refusal::bad_plan);
  const auto cut = wire::make_sealed_memfd("plan", std::string_view{bytes}.substr(0, 99));
  REQUIRE(cut);
  peer.expect_refused(peer.ask(request::create, two, 0, cut->get()), refusal::bad_plan);
  const auto adopted = room.adopt();
  CHECK(adopted->info().size() == 1);
  finish(*adopted);
}

TEST_CASE("another user may not connect to a shim") {
  shim_room room;
  auto s = room.start();
  run(*s, shell_plan("web", "sleep 1000"));
  // Even with the doors open, the shim itself checks who is there.
  std::filesystem::permissions(room.dir, std::filesystem::perms::all);
  std::filesystem::permissions(room.dir / "run", std::filesystem::perms::all);
  std::filesystem::permissions(room.dir / "run" / "shim.sock", std::filesystem::perms::all);
  REQUIRE(::seteuid(65534) == 0);
  {
    raw_peer peer{room};
    CHECK(peer.connected());
    CHECK(peer.receive() == 0); // closed without a word
  }
  REQUIRE(::seteuid(0) == 0);
  CHECK(!s->next_event()->has_value()); // and the daemon's own connection stands
  finish(*s);
}

TEST_CASE("a parked process killed by somebody else fails its container") {
  shim_room room;
  auto s = room.start();
  REQUIRE(s->create(shell_plan("web", "exit 0")));
  ::kill(expect<ready_event>(*s).host_pid, SIGKILL);
  const auto failed = expect<failed_event>(*s);
  CHECK(failed.sys == ESRCH);
  CHECK(failed.code == launch_failure::killed);
  CHECK(failed.object == "web");
  finish(*s);
}

TEST_CASE("killing or aborting a built container ends it once, before its first instruction") {
  shim_room room;
  auto s = room.start();
  const auto trace = room.dir / "trace";
  for (const bool kill : {true, false}) {
    CAPTURE(kill);
    REQUIRE(s->create(as_next(*s, shell_plan("web", "echo ran > " + trace.string()))));
    const auto who = last(*s, "web");
    REQUIRE(s->build(who));
    expect<ready_event>(*s);
    expect<built_event>(*s);
    if (kill) {
      REQUIRE(s->kill(who));
      CHECK(expect<signaled_event>(*s).signal == SIGKILL);
    } else {
      REQUIRE(s->abort(who));
      expect<aborted_event>(*s);
    }
    CHECK(!std::filesystem::exists(trace));
  }
  finish(*s);
}

TEST_CASE("a kill that races with proceed never counts as running without an exec") {
  shim_room room;
  auto s = room.start();
  for (int i = 0; i < 40; ++i) {
    REQUIRE(s->create(as_next(*s, shell_plan("web", "sleep 1000"))));
    const auto who = last(*s, "web");
    REQUIRE(s->build(who));
    expect<ready_event>(*s);
    expect<built_event>(*s);
    REQUIRE(s->proceed(who));
    REQUIRE(s->kill(who));
    auto event = await(*s);
    if (std::holds_alternative<running_event>(event)) event = await(*s);
    CHECK(std::get<signaled_event>(event).signal == SIGKILL);
  }
  finish(*s);
}

TEST_CASE(
    "a pod holds 64 containers, ended ones included, and a name takes its predecessor's place") {
  shim_room room;
  auto s = room.start();
  for (unsigned i = 0; i < protocol::max_containers; ++i) {
    auto plan = host_plan("c" + std::to_string(i), {"/no/such"});
    plan.log.path = room.dir / std::string(200, 'x') / std::string(200, 'y') / "0.log";
    REQUIRE(s->create(plan));
    CHECK(expect<failed_event>(*s).code == launch_failure::open_log);
  }
  CHECK(s->create(shell_plan("one-more", "exit 0")).error().code == errc::limit);
  {
    raw_peer peer{room}; // the shim itself
    peer.read_greeting();
    const auto plan = sealed(shell_plan("one-more", "exit 0"));
    peer.expect_refused(peer.ask(request::create, {"one-more"}, 0, plan.get()), refusal::full);
    const auto next = sealed([&] {
      auto again = shell_plan("c3", "sleep 1000");
      again.attempt = 5;
      return again;
    }());
    peer.expect_event(stage::ready, peer.ask(request::create, {"c3", 5}, 0, next.get()));
  }
  auto adopted = room.adopt();
  CHECK(adopted->info().size() == protocol::max_containers);
  CHECK(last(*adopted, "c3") == instance{"c3", 5});
  finish(*adopted);
}

TEST_CASE("a socket left by a dead shim is replaced, a living shim's is not") {
  shim_room room;
  auto s = room.start();
  run(*s, shell_plan("web", "sleep 1000"));
  const auto refused = room.kernel->start_session({.uid = "u", .run_dir = room.dir / "run"});
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::exists);
  CHECK(!s->next_event()->has_value()); // and nobody was disturbed by the question
  finish(*s);
  auto next = room.start();
  run(*next, shell_plan("web", "exit 0"));
  expect<exited_event>(*next);
  finish(*next);
}

TEST_CASE("a run directory with a path longer than a socket address works") {
  shim_room room;
  const auto deep = room.dir / std::string(120, 'd') / "run";
  std::filesystem::create_directories(deep);
  auto s = start(*room.kernel, {.uid = "u", .run_dir = deep, .host_network = true});
  run(*s, shell_plan("web", "sleep 1000"));
  s.reset();
  const auto adopted = adopt(*room.kernel, deep);
  finish(*adopted);
}

TEST_CASE("a sandbox that cannot be made is the reason why the session is down") {
  shim_room room;
  auto s = room.kernel->start_session(
      {.uid = "u", .run_dir = room.dir / "run", .hostname = std::string(65, 'x')});
  REQUIRE(!s);
  CHECK(s.error().code == errc::limit);
}

} // namespace shim_protocol_test

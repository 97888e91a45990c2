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
  void request(frame_type type, const char* container, int value = 0) {
    protocol::request_frame f{.head = {type}, .value = value};
    std::strncpy(f.container, container, sizeof f.container - 1);
    send(f);
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
  protocol::error_frame expect_error() {
    CHECK(receive() == static_cast<std::uint32_t>(frame_type::error));
    protocol::error_frame f;
    std::memcpy(static_cast<void*>(&f), packet, sizeof f);
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
};
} // namespace

TEST_CASE("a frame the shim cannot follow is answered with an error and harms nothing") {
  shim_room room;
  auto s = room.start();
  const pid_t pid = run(*s, shell_plan("web", "sleep 1000"));
  {
    raw_peer peer{room};
    REQUIRE(peer.connected());
    peer.read_greeting();
    peer.send(protocol::header{static_cast<frame_type>(77)});
    CHECK(peer.expect_error().sys == EPROTO);
    peer.send('x');
    CHECK(peer.expect_error().sys == EBADMSG);
    peer.request(frame_type::signal, "web", 65);
    CHECK(peer.expect_error().sys == EINVAL);
    peer.request(frame_type::signal, "web", -1);
    CHECK(peer.expect_error().sys == EINVAL);
    peer.request(frame_type::build, "nobody");
    CHECK(peer.expect_error().sys == ENOENT);
    peer.request(frame_type::proceed, "web");
    CHECK(peer.expect_error().sys == EBUSY);
    peer.send(protocol::header{frame_type::create}); // without a plan
    CHECK(peer.expect_error().sys == EINVAL);
    peer.send(protocol::sandbox_frame{}); // not the first frame
    CHECK(peer.expect_error().sys == EPROTO);
    struct {
      char bytes[1 << 16] = {'x', 'x', 'x', 'x'};
    } const huge;
    peer.send(huge);
    CHECK(peer.expect_error().sys == EPROTO);
  }
  const auto adopted = room.adopt();
  CHECK(adopted->info().at(0).host_pid == pid);
  CHECK(adopted->info().at(0).at == stage::running);
  finish(*adopted);
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
  const unique_fd open_memfd{::memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  REQUIRE(::write(open_memfd.get(), bytes.data(), bytes.size()) ==
          static_cast<ssize_t>(bytes.size()));
  peer.send(protocol::header{frame_type::create}, sizeof(protocol::header), open_memfd.get());
  CHECK(peer.expect_error().sys == EINVAL);
  const unique_fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  peer.send(protocol::header{frame_type::create}, sizeof(protocol::header), null.get());
  CHECK(peer.expect_error().sys == EINVAL);
  const auto cut = wire::make_sealed_memfd("plan", std::string_view{bytes}.substr(0, 99));
  REQUIRE(cut);
  peer.send(protocol::header{frame_type::create}, sizeof(protocol::header), cut->get());
  CHECK(peer.expect_error().sys == EINVAL);
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
  CHECK(failed.object == "web");
  finish(*s);
}

TEST_CASE("killing or aborting a built container ends it once, before its first instruction") {
  shim_room room;
  auto s = room.start();
  const auto trace = room.dir / "trace";
  for (const bool kill : {true, false}) {
    CAPTURE(kill);
    REQUIRE(s->create(shell_plan("web", "echo ran > " + trace.string())));
    REQUIRE(s->build("web"));
    expect<ready_event>(*s);
    expect<built_event>(*s);
    if (kill) {
      REQUIRE(s->kill("web"));
      CHECK(expect<signaled_event>(*s).signal == SIGKILL);
    } else {
      REQUIRE(s->abort("web"));
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
    REQUIRE(s->create(shell_plan("web", "sleep 1000")));
    REQUIRE(s->build("web"));
    expect<ready_event>(*s);
    expect<built_event>(*s);
    REQUIRE(s->proceed("web"));
    REQUIRE(s->kill("web"));
    auto event = await(*s);
    if (std::holds_alternative<running_event>(event)) event = await(*s);
    CHECK(std::get<signaled_event>(event).signal == SIGKILL);
  }
  finish(*s);
}

TEST_CASE(
    "a pod holds sixteen containers, ended ones included, and their names can be used again") {
  shim_room room;
  auto s = room.start();
  for (int i = 0; i < 16; ++i) {
    run(*s, shell_plan("c" + std::to_string(i), "exit 0"));
    expect<exited_event>(*s);
  }
  CHECK(s->create(shell_plan("one-more", "exit 0")).error().code == errc::limit);
  run(*s, shell_plan("c3", "exit 6"));
  CHECK(expect<exited_event>(*s).code == 6);
  finish(*s);
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
  auto s = room.kernel->start_session({.uid = "u", .run_dir = deep, .host_network = true});
  REQUIRE(s);
  run(**s, shell_plan("web", "sleep 1000"));
  s->reset();
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

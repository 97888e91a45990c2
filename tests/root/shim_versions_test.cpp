// A shim of today and daemons of other versions of the protocol.
#include "kernel/protocol.hpp"
#include "kernel/protocol_v1.hpp"
#include "tests/root/shim_fixture.hpp"

#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

namespace shim_versions_test {

using namespace tank;
using namespace tank::kernel;

namespace {
unique_fd connect_to(const shim_room& room) {
  unique_fd fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  (room.dir / "run" / "shim.sock").string().copy(address.sun_path, 107);
  REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

/// The next packet; empty at the end of the connection.
std::string receive(const unique_fd& from) {
  pollfd readable{from.get(), POLLIN, 0};
  REQUIRE(::poll(&readable, 1, 10'000) == 1);
  char packet[4096];
  const auto n = ::recv(from.get(), packet, sizeof packet, 0);
  return {packet, static_cast<std::size_t>(n > 0 ? n : 0)};
}

std::uint32_t type_of(const std::string& packet) {
  std::uint32_t type = 0;
  if (packet.size() >= sizeof type) std::memcpy(&type, packet.data(), sizeof type);
  return type;
}

template <class Frame>
Frame as(const std::string& packet) {
  Frame f{};
  std::memcpy(static_cast<void*>(&f), packet.data(), std::min(packet.size(), sizeof f));
  return f;
}

/// The shim program with `first` as the first frame of its connection, as a daemon starts it.
struct started {
  unique_fd connection;
  pid_t pid = -1;

  template <class Frame>
  explicit started(const Frame& first) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    connection.reset(ends[0]);
    const unique_fd theirs{ends[1]};
    const unique_fd listening{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    REQUIRE(::send(connection.get(), &first, sizeof first, 0) == sizeof first);
    const auto program = shim_program();
    pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      // Out of the way first: the two may be 3 and 4 already, the other way round.
      const int a = ::fcntl(theirs.get(), F_DUPFD, 10);
      const int b = ::fcntl(listening.get(), F_DUPFD, 10);
      ::dup2(a, protocol::first_connection_fd);
      ::dup2(b, protocol::socket_fd);
      ::execl(program.c_str(), "tank-shim", nullptr);
      ::_exit(99);
    }
  }
  int wait() const {
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};
} // namespace

// It ignores frames that it does not know, and takes `state` and `info_end` by their old layout:
// what is checked here is all that it can understand.
TEST_CASE("a daemon of protocol 1 that adopts a shim of today is told why it cannot, and ends it") {
  shim_room room;
  auto s = room.start();
  run(*s, shell_plan("web", "sleep 1000"));
  run(*s, shell_plan("two", "sleep 1000"));
  const auto old = connect_to(room);
  std::vector<protocol_v1::container_frame> states;
  for (;;) {
    const auto packet = receive(old);
    const auto type = static_cast<protocol_v1::frame_type>(type_of(packet));
    REQUIRE(!packet.empty());
    if (type == protocol_v1::frame_type::state)
      states.push_back(as<protocol_v1::container_frame>(packet));
    else if (type == protocol_v1::frame_type::info_end)
      break;
    else // its hello, and frames of today, which it does not know
      CHECK((type == protocol_v1::frame_type::hello || type_of(packet) == 121));
  }
  REQUIRE(states.size() == 2);
  CHECK(std::string{states[0].container} == "web");
  CHECK(states[0].at == stage::failed);
  CHECK(fail_errno(states[0].sys, states[0].step, states[0].object).value().message() ==
        "cannot use the newer protocol of the shim of 'web': Protocol not supported");
  CHECK(states[0].step_index == -1);
  CHECK(std::string{states[1].container} == "two");
  CHECK(expect<session_down_event>(*s).shim_lives);
  const protocol_v1::request_frame shutdown{.head = {protocol_v1::frame_type::shutdown}};
  REQUIRE(::send(old.get(), &shutdown, sizeof shutdown, 0) == sizeof shutdown);
  while (!receive(old).empty()) {
  }
  siginfo_t how{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(s->shim_pid()), &how, WEXITED) == 0);
  CHECK(how.si_code == CLD_EXITED);
}

TEST_CASE("other requests of a daemon of protocol 1 do nothing to a shim of today") {
  shim_room room;
  auto s = room.start();
  const pid_t pid = run(*s, shell_plan("web", "sleep 1000"));
  {
    const auto old = connect_to(room);
    for (const auto type : {protocol_v1::frame_type::create, protocol_v1::frame_type::build,
                            protocol_v1::frame_type::proceed, protocol_v1::frame_type::abort,
                            protocol_v1::frame_type::signal, protocol_v1::frame_type::kill}) {
      protocol_v1::request_frame f{.head = {type}, .value = 9};
      std::strcpy(f.container, "web");
      REQUIRE(::send(old.get(), &f, sizeof f, 0) == sizeof f);
    }
    unsigned refused = 0;
    while (refused < 6)
      if (type_of(receive(old)) == 123) ++refused;
  }
  const auto adopted = room.adopt();
  CHECK(adopted->info().at(0).host_pid == pid);
  CHECK(adopted->info().at(0).at == stage::running);
  finish(*adopted);
}

TEST_CASE("a daemon of another protocol that starts a shim of today reads why, at once") {
  for (const std::uint32_t version : {1U, 3U}) {
    CAPTURE(version);
    protocol::sandbox_frame frame;
    frame.protocol = version;
    const started shim{frame};
    const auto packet = receive(shim.connection);
    CHECK(type_of(packet) == static_cast<std::uint32_t>(protocol_v1::frame_type::error));
    const auto f = as<protocol_v1::error_frame>(packet);
    CHECK(f.sys == EPROTONOSUPPORT);
    CHECK(std::string{f.step} == "serve a Tank of another version than tank-shim is (restart it)");
    CHECK(receive(shim.connection).empty());
    CHECK(shim.wait() == 1);
  }
}

TEST_CASE("what is no description of a sandbox starts nothing") {
  const started shim{protocol::shutdown_frame{}};
  CHECK(type_of(receive(shim.connection)) == 111);
  CHECK(shim.wait() == 1);
}

} // namespace shim_versions_test

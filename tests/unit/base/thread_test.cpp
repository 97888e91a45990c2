#include "base/descriptor_passing.hpp"
#include "base/thread.hpp"
#include "base/unique_fd.hpp"

#include <array>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>

namespace thread_test {

using namespace tank;

namespace {

bool blocked(int signal) {
  sigset_t now{};
  pthread_sigmask(SIG_SETMASK, nullptr, &now);
  return sigismember(&now, signal) == 1;
}

struct socket_pair {
  unique_fd ours;
  unique_fd theirs;
  socket_pair() {
    std::array<int, 2> ends{-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
    ours.reset(ends[0]);
    theirs.reset(ends[1]);
  }
};

} // namespace

TEST_CASE("a quiet thread blocks signals, and who makes it does not") {
  bool inside = false;
  REQUIRE_FALSE(blocked(SIGTERM));
  quiet_thread([&] { inside = blocked(SIGTERM) && blocked(SIGINT); }).join();
  CHECK(inside);
  CHECK_FALSE(blocked(SIGTERM));
}

TEST_CASE("a descriptor travels beside bytes, close-on-exec") {
  const socket_pair s;
  const unique_fd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  REQUIRE(send_with_descriptor(s.ours.get(), "ab", 2, null.get(), MSG_NOSIGNAL) == 2);
  REQUIRE(send_with_descriptor(s.ours.get(), "c", 1, -1, MSG_NOSIGNAL) == 1);
  std::array<char, 8> bytes{};
  int raw = -1;
  REQUIRE(receive_with_descriptor(s.theirs.get(), bytes.data(), bytes.size(), raw, 0) == 2);
  const unique_fd got{raw};
  REQUIRE(got);
  CHECK((::fcntl(got.get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(got.get() != null.get());
  REQUIRE(receive_with_descriptor(s.theirs.get(), bytes.data(), bytes.size(), raw, 0) == 1);
  CHECK(raw == -1);
}

TEST_CASE("of several descriptors the last one is taken, and none is left open") {
  const socket_pair s;
  const std::array<int, 2> both{s.ours.get(), s.theirs.get()};
  char byte = 'x';
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof both)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  auto* c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof both);
  std::memcpy(CMSG_DATA(c), both.data(), sizeof both);
  REQUIRE(::sendmsg(s.ours.get(), &message, MSG_NOSIGNAL) == 1);
  const int next = unique_fd{::dup(0)}.get(); // the lowest number that is free
  int raw = -1;
  REQUIRE(receive_with_descriptor(s.theirs.get(), &byte, 1, raw, 0) == 1);
  const unique_fd got{raw};
  REQUIRE(got);
  const unique_fd after{::dup(0)};
  CHECK(after.get() == next); // the surplus one had it, and was closed
}

} // namespace thread_test

/// A shim played by the test, whose process is the test itself: what it says and hears, as frames
/// of whichever version.
#pragma once

#include "kernel/shim_session.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <utility>
#include <variant>

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tank::kernel::testing {

struct played_shim {
  unique_fd end;
  std::unique_ptr<shim_session> session;

  explicit played_shim(shim_session::origin from) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    end.reset(ends[1]);
    unique_fd self{static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))};
    auto made = shim_connection::make(unique_fd{ends[0]}, std::move(self), ::getpid(),
                                      std::make_shared<shim_reaper>());
    REQUIRE(made);
    session = std::make_unique<shim_session>(*std::move(made), from);
  }

  template <class Frame>
  void say(const Frame& f, std::size_t size = sizeof(Frame), int beside = -1) {
    iovec data{const_cast<Frame*>(&f), size};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof beside)] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (beside >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      auto* c = CMSG_FIRSTHDR(&message);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(sizeof beside);
      std::memcpy(CMSG_DATA(c), &beside, sizeof beside);
    }
    REQUIRE(::sendmsg(end.get(), &message, 0) == static_cast<ssize_t>(size));
  }

  /// The next packet of the daemon.
  template <class Frame>
  Frame packet() {
    Frame f{};
    REQUIRE(::recv(end.get(), static_cast<void*>(&f), sizeof f, MSG_DONTWAIT) > 0);
    return f;
  }
  [[nodiscard]] bool heard_nothing() const {
    char byte = 0;
    return ::recv(end.get(), &byte, 1, MSG_DONTWAIT) < 0;
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

} // namespace tank::kernel::testing

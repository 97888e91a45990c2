/// Descriptors beside bytes on a unix socket (SCM_RIGHTS). No heap, nothing thrown: the shim uses
/// it too.
#pragma once

#include <cstddef>
#include <cstring>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace tank {

/// sendmsg of `size` bytes, and of a copy of the descriptor `fd` unless it is -1 (borrowed).
/// `flags` are sendmsg's; returns what it returns.
inline ssize_t send_with_descriptor(int socket, const void* bytes, std::size_t size, int fd,
                                    int flags) noexcept {
  iovec data{const_cast<void*>(bytes), size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
  }
  return ::sendmsg(socket, &message, flags);
}

/// recvmsg of at most `size` bytes. `fd` becomes the descriptor that came along, close-on-exec and
/// the caller's to close, or -1. At most four are taken; all but the last are closed. Returns what
/// recvmsg returns.
inline ssize_t receive_with_descriptor(int socket, void* bytes, std::size_t size, int& fd,
                                       int flags) noexcept {
  fd = -1;
  iovec data{bytes, size};
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const auto n = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  if (n < 0) return n;
  for (auto* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
      if (fd >= 0) ::close(fd);
      std::memcpy(&fd, reinterpret_cast<char*>(c) + at, sizeof fd);
    }
  }
  return n;
}

} // namespace tank

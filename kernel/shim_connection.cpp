#include "kernel/shim_connection.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tank::kernel {

static constexpr idtype_t by_pidfd = static_cast<idtype_t>(3); // P_PIDFD

bool shim_connection::watch(const unique_fd& fd) noexcept {
  epoll_event readable{.events = EPOLLIN, .data = {}};
  return fd && ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd.get(), &readable) == 0;
}

result<std::unique_ptr<shim_connection>>
shim_connection::make(unique_fd socket, unique_fd pidfd, pid_t pid,
                      std::shared_ptr<shim_reaper> reaper) {
  std::unique_ptr<shim_connection> c{new shim_connection};
  c->socket_ = std::move(socket);
  c->pidfd_ = std::move(pidfd);
  c->pid_ = pid;
  c->reaper_ = std::move(reaper);
  c->poll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!c->poll_ || !c->watch(c->socket_) || !c->watch(c->pidfd_))
    return fail_errno(errno, "watch the shim", std::to_string(pid));
  return c;
}

shim_connection::~shim_connection() {
  if (!pidfd_) return;
  siginfo_t how{};
  if (::waitid(by_pidfd, static_cast<id_t>(pidfd_.get()), &how, WEXITED | WNOHANG) == 0 &&
      how.si_pid == 0)
    reaper_->add(std::move(pidfd_));
}

result<void> shim_connection::send(std::span<const char> packet, int beside,
                                   const std::string& doing, const std::string& object) {
  iovec data{const_cast<char*>(packet.data()), packet.size()};
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
  if (::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return {};
  if (errno == EPIPE || errno == ECONNRESET) // its end of file is on the way to receive()
    return fail(errc::conflict, doing, object, "no_process");
  auto failed = fail_errno(errno, doing, object);
  failed.value().code = errc::unavailable;
  return failed;
}

std::optional<std::size_t> shim_connection::receive(std::span<char> packet, unique_fd& beside) {
  iovec data{packet.data(), packet.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  while (socket_) {
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const auto n = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    // A peer that closed with our requests unread resets the connection, and the kernel says so,
    // once, before it hands out the frames that came first: they still count.
    if (n < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    if (n < 0 && errno == EAGAIN) return std::nullopt;
    if (n <= 0) {
      forget_socket();
      return std::nullopt;
    }
    const auto* c = CMSG_FIRSTHDR(&message);
    if (c != nullptr && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int))) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
      beside.reset(fd);
    }
    return static_cast<std::size_t>(n);
  }
  return std::nullopt;
}

/// How long a shim that closed its connection may take to be dead.
static constexpr itimerspec closing_time{.it_interval = {},
                                         .it_value = {.tv_sec = 1, .tv_nsec = 0}};

void shim_connection::forget_socket() noexcept {
  if (!socket_) return;
  ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, socket_.get(), nullptr);
  socket_.reset();
  if (left_) return;
  moment_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!moment_ || ::timerfd_settime(moment_.get(), 0, &closing_time, nullptr) != 0 ||
      !watch(moment_))
    moment_.reset(); // its death alone is waited for
}

void shim_connection::leave() noexcept {
  left_ = true;
  forget_socket();
}

/// It closed the connection and did not end: a shim in trouble, or one that could not greet.
bool shim_connection::moment_is_over() const noexcept {
  pollfd over{moment_.get(), POLLIN, 0};
  return moment_ && ::poll(&over, 1, 0) > 0;
}

std::optional<shim_connection::end> shim_connection::ended() {
  if (left_) return end{.shim_lives = true, .why = {}};
  pollfd dead{pidfd_.get(), POLLIN, 0};
  if (::poll(&dead, 1, 0) <= 0) {
    if (!moment_is_over()) return std::nullopt;
    return end{.shim_lives = true, .why = "the shim closed the connection"};
  }
  siginfo_t how{};
  end e{.shim_lives = false, .why = "the shim is gone"}; // another process's child
  if (::waitid(by_pidfd, static_cast<id_t>(pidfd_.get()), &how, WEXITED | WNOHANG) == 0 &&
      how.si_pid != 0) {
    if (how.si_code != CLD_EXITED)
      e.why = "the shim was killed by signal " + std::to_string(how.si_status);
    else if (how.si_status == 0)
      e.why = "the shim ended";
    else
      e.why = "the shim exited with status " + std::to_string(how.si_status);
    if (how.si_code == CLD_EXITED) e.status = how.si_status;
  }
  ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, pidfd_.get(), nullptr);
  pidfd_.reset();
  return e;
}

void shim_connection::kill() noexcept {
  if (!pidfd_) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

} // namespace tank::kernel

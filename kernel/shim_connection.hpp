/// The socket to a shim, and the shim's death. Private to kernel/.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "kernel/shim_reaper.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <sys/types.h>

namespace tank::kernel {

class shim_connection {
 public:
  /// How it is over.
  struct end {
    bool shim_lives = false;
    std::string why; ///< of a dead shim: how it ended
    int status = 0;  ///< of a shim that exited
  };

  /// `socket` is a SEQPACKET socket to the shim; `pidfd` refers to it.
  static result<std::unique_ptr<shim_connection>> make(unique_fd socket, unique_fd pidfd, pid_t pid,
                                                       std::shared_ptr<shim_reaper> reaper);
  ~shim_connection();
  shim_connection(const shim_connection&) = delete;
  shim_connection& operator=(const shim_connection&) = delete;

  /// Readable for a packet, for the end of the connection and for the shim's death.
  [[nodiscard]] int poll_fd() const noexcept { return poll_.get(); }
  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(socket_); }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  /// One packet, with a descriptor beside it unless that is -1. errc::unavailable when there is no
  /// room for it now, errc::conflict when the shim reads no more. `doing` and `object` are for the
  /// message.
  result<void> send(std::span<const char> packet, int beside, const std::string& doing,
                    const std::string& object);

  /// The size of the packet that is there, with the descriptor that came with it. Nullopt when
  /// there is none now, or no more: then is_open() is false.
  std::optional<std::size_t> receive(std::span<char> packet, unique_fd& beside);

  /// Closes this end for good: the shim goes on, and its death is not waited for.
  void leave() noexcept;

  /// Of a connection that is not open any more. Nullopt as long as it is not known: a shim closes
  /// by ending, and gets a moment for that; poll_fd() tells when. It is reaped here.
  std::optional<end> ended();

  /// SIGKILL. Does nothing when it is reaped.
  void kill() noexcept;

 private:
  shim_connection() = default;
  bool watch(const unique_fd& fd) noexcept;
  void forget_socket() noexcept;
  [[nodiscard]] bool moment_is_over() const noexcept;

  unique_fd poll_; ///< epoll over the others
  unique_fd socket_;
  unique_fd pidfd_; ///< empty once reaped
  pid_t pid_ = 0;
  std::shared_ptr<shim_reaper> reaper_;
  unique_fd moment_; ///< timerfd, from the end of the connection on
  bool left_ = false;
};

} // namespace tank::kernel

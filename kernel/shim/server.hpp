/// The shim's one loop: the daemon's connection, the containers, and the children to reap.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/protocol.hpp"
#include "kernel/shim/container.hpp"

#include <poll.h>

namespace tank::kernel::shim {

/// Serves until told to shut down, or until it has neither a daemon nor a container. Never blocks
/// but in poll. Containers live in mappings of their own, made when needed: an idle shim touches
/// few pages.
class server {
 public:
  /// Takes the first connection and the bound socket (made to listen by `start`).
  server(unique_fd connection, unique_fd socket) noexcept
      : connection_(std::move(connection))
      , listener_(std::move(socket)) {}

  /// Reads the sandbox frame and carries it out. False: said why to the daemon, exit.
  bool start() noexcept;
  void serve() noexcept;

 private:
  struct packet {
    protocol::frame_type type{};
    std::size_t size = 0;
    unique_fd fd;
    alignas(8) char bytes[protocol::max_frame] = {};
  };
  enum class read_status { frame, none, gone };

  read_status read_frame(packet* out, int flags) noexcept;
  template <class Frame>
  bool send_frame(const Frame& frame, std::size_t size = sizeof(Frame)) noexcept;
  bool send_container(const protocol::container_frame& frame, int process) noexcept;
  void send_error(protocol::frame_type about, int sys, const char* step,
                  const char* name = "") noexcept;

  void on_listener() noexcept;
  void on_connection() noexcept;
  void handle(packet& p) noexcept;
  void create(packet& p) noexcept;
  void on_children() noexcept;
  void begin_shutdown() noexcept;
  void kill_orphans() noexcept;
  void flush() noexcept;
  bool greet() noexcept;
  [[nodiscard]] bool finished() const noexcept;
  [[nodiscard]] bool any_untold() const noexcept;

  container* find(const char* name) noexcept;
  container* add(const char* name) noexcept;
  void forget(unsigned slot) noexcept;

  unique_fd connection_;
  unique_fd listener_;
  unique_fd children_; ///< signalfd of SIGCHLD
  user_space users_;
  container* containers_[protocol::max_containers] = {};
  bool shutting_down_ = false;
  bool childless_ = false; ///< waitid said there is nobody left
  bool deaf_ = false;      ///< no descriptor to be had for whoever connects: not listened to
};

} // namespace tank::kernel::shim

/// The shim's one loop: the daemon's connection, the containers, and the children to reap.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/protocol.hpp"
#include "kernel/shim/container.hpp"
#include "kernel/shim/sandbox.hpp"

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

  /// Reads the sandbox frame and carries it out. False when that failed: the daemon was told why, and
  /// the shim is to exit.
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
  /// `beside` is a descriptor to go with it, or -1.
  template <class Frame>
  bool send_frame(const Frame& frame, std::size_t size = sizeof(Frame), int beside = -1) noexcept;
  bool send_container(const protocol::container_frame& frame, int process) noexcept;
  bool send_old_state(const container& c) noexcept;
  void send_error(int sys, const char* step) noexcept;
  void send_refused(const protocol::request_frame& about, refusal why, int sys = 0,
                    const char* text = "") noexcept;

  void on_listener() noexcept;
  void on_connection() noexcept;
  void handle(packet& p) noexcept;
  void create(const protocol::request_frame& wanted, int plan) noexcept;
  void on_children() noexcept;
  void begin_shutdown() noexcept;
  void kill_orphans() noexcept;
  void flush() noexcept;
  bool greet() noexcept;
  [[nodiscard]] bool finished() const noexcept;
  [[nodiscard]] bool any_untold() const noexcept;

  /// Where the container of that name is; nullptr when there is none.
  container** find(const char* name) noexcept;
  /// An empty place; nullptr when all are taken.
  container** find_room() noexcept;

  unique_fd connection_;
  unique_fd listener_;
  unique_fd children_; ///< signalfd of SIGCHLD
  sandbox sandbox_;
  container* containers_[protocol::max_containers] = {};
  bool shutting_down_ = false;
  bool childless_ = false;      ///< waitid has said that there are no children
  bool no_descriptors_ = false; ///< for a new connection: the listener is not polled for a while
};

} // namespace tank::kernel::shim

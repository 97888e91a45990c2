/// The daemon's end of a shim's connection. Private to kernel/: others see kernel::session.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/port.hpp"
#include "kernel/protocol.hpp"

#include <memory>
#include <mutex>
#include <span>

namespace tank::kernel {

/// Shims whose session was destroyed before they ended are still this process's children; somebody
/// must reap them. Thread-safe.
class graveyard {
 public:
  void add(unique_fd pidfd);
  /// Reaps those that ended meanwhile. Never blocks.
  void sweep();

 private:
  std::mutex mutex_;
  std::vector<unique_fd> pidfds_;
};

class shim_session final : public session {
 public:
  /// `connection` is a SEQPACKET socket to the shim; `pidfd` refers to it.
  static result<std::unique_ptr<shim_session>> make(unique_fd connection, unique_fd pidfd,
                                                    pid_t pid, std::shared_ptr<graveyard> graves);
  ~shim_session() override;

  [[nodiscard]] int poll_fd() const noexcept override { return poll_.get(); }
  result<std::optional<session_event>> next_event() override;
  result<void> create(const launch_plan& plan) override;
  result<void> build(const std::string& container) override;
  result<void> proceed(const std::string& container) override;
  result<void> abort(const std::string& container) override;
  result<void> signal(const std::string& container, int signum) override;
  result<void> kill(const std::string& container) override;
  result<void> pty_listen(const std::string& container, bool on) override;
  result<std::size_t> pty_write(const std::string& container, std::string_view bytes) override;
  result<void> pty_resize(const std::string& container, const window_size& size) override;
  result<void> shutdown() override;
  void end() noexcept override;
  [[nodiscard]] std::vector<container_info> info() const override;
  [[nodiscard]] std::optional<session_down_event> down() const override { return down_; }
  [[nodiscard]] pid_t shim_pid() const noexcept override { return pid_; }

  /// What the shim says first, up to the end of its greeting, is an adoption: -> adopted_event.
  void expect_greeting() noexcept { adopting_ = true; }

 private:
  /// One container as this end has seen it, and what it has asked for and not yet seen done.
  struct entry {
    container_info known;
    bool build_sent = false;
    bool proceed_sent = false;
    unsigned held_signals = 0;
    unique_fd process; ///< pidfd, while it lives
  };

  shim_session() = default;
  entry* find(const std::string& container);
  result<entry*> allowed(verb what, const char* doing, const std::string& container);
  result<void> request(protocol::frame_type type, const std::string& container, int value,
                       const char* doing);
  result<void> send(std::span<const char> bytes, int fd, const char* doing,
                    const std::string& container);
  long receive(std::span<char> packet, unique_fd& beside);
  std::optional<session_event> take(std::span<const char> packet, unique_fd beside);
  std::optional<session_event> take_container(const protocol::container_frame& frame,
                                              unique_fd process);
  std::optional<session_event> take_error(const protocol::error_frame& frame);
  std::optional<session_event> take_end();
  void drop_connection();
  void end_processes();
  [[nodiscard]] bool shim_stays() const;

  unique_fd poll_; ///< epoll over the next two
  unique_fd connection_;
  unique_fd pidfd_; ///< empty once reaped
  pid_t pid_ = 0;
  std::shared_ptr<graveyard> graves_;
  std::vector<entry> containers_;
  bool adopting_ = false;
  unique_fd closing_; ///< timerfd, from the end of the connection on
  bool replaced_ = false;
  std::optional<session_down_event> down_; ///< told
  std::string last_error_;
};

} // namespace tank::kernel

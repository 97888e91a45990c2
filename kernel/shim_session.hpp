/// The real session: what is asked and heard, put together from the connection, the frames and the
/// table of containers. Private to kernel/: others see kernel::session.
#pragma once

#include "kernel/container_table.hpp"
#include "kernel/frames.hpp"
#include "kernel/session.hpp"
#include "kernel/shim_connection.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace tank::kernel {

class shim_session final : public session {
 public:
  enum class origin : std::uint8_t { started, adopted };
  shim_session(std::unique_ptr<shim_connection> connection, origin from)
      : connection_(std::move(connection))
      , adopting_(from == origin::adopted) {}

  [[nodiscard]] int poll_fd() const noexcept override { return connection_->poll_fd(); }
  result<std::optional<session_event>> next_event() override;
  result<void> create(const launch_plan& plan) override;
  result<void> build(const instance& who) override;
  result<void> proceed(const instance& who) override;
  result<void> abort(const instance& who) override;
  result<void> signal(const instance& who, int signum) override;
  result<void> kill(const instance& who) override;
  result<void> open_terminal(const instance& who, const window_size& size) override;
  result<void> shutdown() override;
  void end() noexcept override {
    if (!replaced_) connection_->kill();
  }
  [[nodiscard]] std::vector<container_info> info() const override { return containers_.info(); }
  [[nodiscard]] std::optional<session_down_event> down() const override { return down_; }
  [[nodiscard]] pid_t shim_pid() const noexcept override { return connection_->pid(); }

 private:
  result<void> ask(frames::ask wanted, int beside = -1);
  std::optional<session_event> take(frames::heard said, unique_fd beside);
  std::optional<session_event> greet(const frames::hello& said, unique_fd network);
  std::optional<session_event> take_end();

  std::unique_ptr<shim_connection> connection_;
  container_table containers_;
  std::uint32_t version_ = 0; ///< the shim's, once it has said it
  std::uint32_t serial_ = 0;  ///< of the last request
  bool adopting_ = false;     ///< up to the end of the shim's greeting
  bool ending_ = false;       ///< it was told to shut down
  bool replaced_ = false;     ///< the shim is another daemon's now
  std::string why_left_;      ///< why this end has closed the connection
  std::string trouble_;       ///< what the shim said last before it ended
  std::optional<session_down_event> down_;
};

} // namespace tank::kernel

#include "actors/sessions/attach_session.hpp"

#include "actors/role.hpp"
#include "actors/sessions/messages.hpp"
#include "kernel/terminal_stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace tank {

// --- what it tells itself ------------------------------------------------------------------------

struct attacher_down {
  bool operator==(const attacher_down&) const = default;
};

} // namespace tank

#define TANK_ATTACH_SESSION_MESSAGES(M, O, b) M(b, attacher_down)
TANK_PRIVATE_MESSAGES(tank_attach_session, ::tank::compat::roles::sessions,
                      TANK_ATTACH_SESSION_MESSAGES);

namespace tank {

namespace {

/// Packets read in one go: a workload that never pauses must not keep the actor from its messages,
/// nor its thread from other actors.
constexpr int packets_at_once = 32;
/// More than a socket holds.
constexpr int packets_in_socket = 4096;

class attach_session final : public role {
 public:
  attach_session(caf::actor_config& cfg, attach_args args)
      : role(cfg)
      , stream_(std::move(args.stream))
      , fds_(std::move(args.fds))
      , attacher_(std::move(args.attacher))
      , runtime_(args.runtime.address())
      , serial_(args.serial)
      , limits_(args.limits) {}

  const char* name() const override { return "tank.attach_session"; }

  caf::behavior make_behavior() override {
    attacher_watch_ = compat::watch_until_reset(attacher_, self(),
                                                [](const caf::error&) { return attacher_down{}; });
    if (auto watching = fds_->watch(stream_->get(), EPOLLIN, self()))
      watch_ = *std::move(watching);
    else
      finish(lost(watching.error().message()));
    return {
        [this](const fd_ready& m) { on_ready(m); },
        [this](const attach_input& m) { on_input(m.bytes); },
        [this](const attach_resize& m) { on_resize(m); },
        [this](const attach_taken& m) { on_taken(m.bytes); },
        [this](const attach_leave&) {
          finish({attach_end::detached, 0, {}});
        },
        [this](const attach_over& m) { on_over(m.how); },
        [this](const attacher_down&) {
          finish({attach_end::detached, 0, {}});
        },
    };
  }

  void on_exit() override {
    if (!over_) {
      give_back();
      compat::anon_send(attacher_, attach_ended{attach_end::lost, 0, "the attach session failed"});
    }
    let_go();
    attacher_watch_.reset();
    attacher_ = nullptr;
  }

 private:
  template <class Message>
  void tell(Message m) {
    compat::send(this, attacher_, std::move(m));
  }

  // --- from the terminal -------------------------------------------------------------------------

  void on_ready(const fd_ready& m) {
    if (over_ || m.id != watch_.id()) return;
    flush_input();
    auto last = got::packet;
    for (int i = 0; i < packets_at_once && !over_ && last == got::packet; ++i)
      last = read_packet();
    if (over_ || last == got::end) return; // at its end only attach_over is waited for
    const std::uint32_t events = input_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
    if (const auto armed = watch_.rearm(events); !armed) finish(lost(armed.error().message()));
  }

  enum class got : std::uint8_t { packet, nothing, end };

  got read_packet() {
    std::array<char, kernel::max_terminal_packet> buffer;
    ssize_t n = 0;
    do
      n = ::recv(stream_->get(), buffer.data(), buffer.size(), 0);
    while (n < 0 && errno == EINTR);
    if (n < 0) return errno == EAGAIN ? got::nothing : got::end;
    if (n == 0) return got::end;
    if (const auto packet =
            kernel::decode_terminal_packet({buffer.data(), static_cast<std::size_t>(n)}))
      on_packet(*packet);
    return got::packet;
  }

  void on_packet(const kernel::terminal_packet& p) {
    if (p.kind == kernel::terminal_kind::dropped) tell(attach_dropped{true, p.dropped});
    if (p.kind != kernel::terminal_kind::bytes) return;
    // Behind a gap nothing goes out before the gap was told: order is all that a terminal has.
    if (dropped_ > 0 || unanswered_ + p.bytes.size() > limits_.output) {
      dropped_ += p.bytes.size();
      return;
    }
    unanswered_ += p.bytes.size();
    tell(attach_output{std::string{p.bytes}});
  }

  void on_over(const attach_ended& how) {
    if (over_) return;
    // The shim writes what the terminal printed before it tells of the end: it is all here. A shim
    // that lives, and is lost to us, may go on writing.
    for (int i = 0; i < packets_in_socket && !over_; ++i)
      if (read_packet() != got::packet) break;
    finish(how);
  }

  void on_taken(std::uint64_t bytes) {
    unanswered_ -= std::min<std::uint64_t>(bytes, unanswered_);
    if (unanswered_ <= limits_.output / 2) tell_gap(); // room for more than one chunk behind it
  }

  void tell_gap() {
    if (dropped_ > 0) tell(attach_dropped{false, std::exchange(dropped_, 0)});
  }

  // --- to the terminal ---------------------------------------------------------------------------

  void on_input(const std::string& bytes) {
    if (over_) return;
    const auto kept = std::min(bytes.size(), limits_.input - input_.size());
    input_.append(bytes, 0, kept);
    if (kept < bytes.size()) tell(attach_dropped{true, bytes.size() - kept});
    flush_input();
  }

  void flush_input() {
    while (!input_.empty()) {
      auto head = kernel::terminal_bytes_head;
      const auto size = std::min(input_.size(), kernel::max_terminal_bytes);
      std::array<iovec, 2> parts{iovec{&head, 1}, iovec{input_.data(), size}};
      if (!send_packet(parts.data(), parts.size())) return;
      input_.erase(0, size);
    }
  }

  void on_resize(const attach_resize& m) {
    if (over_) return;
    auto packet = kernel::encode_resize({m.rows, m.columns, m.x_pixels, m.y_pixels});
    iovec part{packet.data(), packet.size()};
    static_cast<void>(send_packet(&part, 1)); // a full stream: the next resize will do
  }

  /// False: there is no room now, or nobody to take it. Who types while the workload ends will hear
  /// of the end: its message is on the way.
  bool send_packet(iovec* parts, std::size_t count) {
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    ssize_t sent = 0;
    do
      sent = ::sendmsg(stream_->get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) return true;
    if (errno == EAGAIN)
      static_cast<void>(watch_.rearm(EPOLLIN | EPOLLOUT));
    else if (errno == EPIPE || errno == ECONNRESET)
      input_.clear();
    else
      finish(lost(fail_errno(errno, "type into", "the terminal").value().message()));
    return false;
  }

  // --- the end -----------------------------------------------------------------------------------

  static attach_ended lost(std::string text) { return {attach_end::lost, 0, std::move(text)}; }

  void finish(attach_ended how) {
    if (std::exchange(over_, true)) return;
    // Given back first: who hears that it is over may attach again at once.
    let_go();
    give_back();
    if (!input_.empty()) tell(attach_dropped{true, input_.size()});
    tell_gap();
    tell(std::move(how));
    stop(stop_normal());
  }

  void give_back() {
    if (const auto runtime = caf::actor_cast<caf::actor>(runtime_))
      compat::anon_send(runtime, attach_down{serial_});
  }

  void let_go() {
    watch_.reset();
    stream_.reset();
    fds_.reset();
  }

  std::shared_ptr<const unique_fd> stream_;
  std::shared_ptr<fd_source> fds_;
  fd_subscription watch_; ///< of stream_: gone before it
  caf::actor attacher_;
  compat::end_watch attacher_watch_;
  caf::actor_addr runtime_;
  const std::uint64_t serial_;
  const attach_limits limits_;
  std::string input_;            ///< typed and not yet taken
  std::uint64_t unanswered_ = 0; ///< bytes of output
  std::uint64_t dropped_ = 0;    ///< bytes of output, not yet told
  bool over_ = false;
};

} // namespace

caf::actor spawn_attach_session(caf::actor_system& sys, attach_args args) {
  return sys.spawn<attach_session>(std::move(args));
}

} // namespace tank

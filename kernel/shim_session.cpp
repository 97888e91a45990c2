#include "kernel/shim_session.hpp"

#include "kernel/protocol.hpp"
#include "kernel/wire_encode.hpp"

#include <utility>
#include <variant>

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tank::kernel {

// --- requests ----------------------------------------------------------------------------------

result<void> shim_session::ask(frames::ask wanted, int beside) {
  TANK_TRY(containers_.allow(wanted, connection_->is_open()));
  wanted.serial = serial_ + 1;
  const auto packet = TANK_TRY(frames::write(version_, wanted));
  const auto object =
      wanted.what == request::shutdown ? std::string{"the shim"} : to_string(wanted.who);
  TANK_TRY(connection_->send(packet, beside, std::string{to_string(wanted.what)}, object));
  ++serial_;
  containers_.note(wanted);
  return {};
}

result<void> shim_session::create(const launch_plan& plan) {
  const frames::ask wanted{.what = request::create, .who = instance_of(plan)};
  // Before the work: most of what can be wrong is seen here.
  TANK_TRY(containers_.allow(wanted, connection_->is_open()));
  TANK_TRY(frames::write(version_, wanted));
  const auto bytes = TANK_TRY(wire::encode_plan(plan));
  const auto memfd = TANK_TRY(wire::make_sealed_memfd("tank-plan", bytes));
  return ask(wanted, memfd.get());
}

result<void> shim_session::build(const instance& who) {
  return ask({.what = request::build, .who = who});
}

result<void> shim_session::proceed(const instance& who) {
  return ask({.what = request::proceed, .who = who});
}

result<void> shim_session::abort(const instance& who) {
  return ask({.what = request::abort, .who = who});
}

result<void> shim_session::signal(const instance& who, int signum) {
  return ask({.what = request::signal, .who = who, .value = signum});
}

result<void> shim_session::kill(const instance& who) {
  return ask({.what = request::kill, .who = who});
}

result<void> shim_session::open_terminal(const instance& who, const window_size& size) {
  return ask({.what = request::open_terminal, .who = who, .window = size});
}

result<void> shim_session::shutdown() {
  TANK_TRY(ask({.what = request::shutdown}));
  ending_ = true;
  return {};
}

// --- events ------------------------------------------------------------------------------------

std::optional<session_event> shim_session::greet(const frames::hello& said, unique_fd network) {
  if (version_ != 0) return std::nullopt;
  if (!frames::is_spoken(said.version)) {
    if (ending_) return std::nullopt; // shutting down is understood by all: its end will come
    why_left_ = "the shim speaks version " + std::to_string(said.version) +
                " of the protocol, this Tank versions 1 and " + std::to_string(protocol::version);
    connection_->leave();
    return std::nullopt;
  }
  version_ = said.version;
  sandbox_ready_event ready{.version = version_, .network = nullptr};
  if (network) ready.network = std::make_shared<const unique_fd>(std::move(network));
  return ready;
}

std::optional<session_event> shim_session::take(frames::heard said, unique_fd beside) {
  struct hearing {
    shim_session& self;
    unique_fd& beside;
    using event = std::optional<session_event>;

    event operator()(const frames::hello& h) const { return self.greet(h, std::move(beside)); }
    event operator()(frames::container& c) const {
      return self.containers_.take(std::move(c), std::move(beside));
    }
    event operator()(frames::refused& r) const { return self.containers_.take(std::move(r)); }
    event operator()(frames::terminal& t) const {
      return self.containers_.take(std::move(t), std::move(beside));
    }
    event operator()(frames::trouble& t) const {
      self.trouble_ = std::move(t.text);
      return std::nullopt;
    }
    event operator()(frames::info_end) const {
      if (self.version_ == 0 || !std::exchange(self.adopting_, false)) return std::nullopt;
      return adopted_event{};
    }
    event operator()(frames::replaced) const {
      self.replaced_ = true;
      self.why_left_ = "another daemon took over the shim";
      self.connection_->leave();
      return std::nullopt;
    }
  };
  return std::visit(hearing{*this, beside}, said);
}

/// After the end of the connection.
std::optional<session_event> shim_session::take_end() {
  if (down_) return std::nullopt;
  auto end = connection_->ended();
  if (!end) return std::nullopt;
  // A workload dies with its shim only as long as it has not cleared its parent-death signal, which
  // prctl or executing a set-user-ID program does.
  if (!end->shim_lives)
    for (const auto& process : containers_.release_processes())
      ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  if (!why_left_.empty())
    end->why = why_left_;
  else if (end->status != 0 && !trouble_.empty())
    end->why = trouble_;
  down_ = session_down_event{end->why, end->shim_lives};
  return down_;
}

result<std::optional<session_event>> shim_session::next_event() {
  alignas(8) char packet[protocol::max_frame];
  for (;;) {
    unique_fd beside;
    const auto size = connection_->receive(packet, beside);
    if (!size) break;
    auto said = frames::read(version_, {packet, *size});
    if (!said) continue;
    if (auto event = take(*std::move(said), std::move(beside))) return event;
  }
  if (connection_->is_open()) return std::nullopt;
  return take_end();
}

} // namespace tank::kernel

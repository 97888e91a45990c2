#include "actors/sessions/attach_session.hpp"

#include "actors/sessions/messages.hpp"
#include "actors/role.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

namespace tank {

// --- what it tells itself ---

struct attacher_down {
  bool operator==(const attacher_down&) const = default;
};

} // namespace tank

#define TANK_ATTACH_SESSION_MESSAGES(M, O, b) \
  M(b, attacher_down)
TANK_PRIVATE_MESSAGES(tank_attach_session, ::tank::compat::roles::sessions, TANK_ATTACH_SESSION_MESSAGES);

namespace tank {

namespace {

/// Events read in one go: a workload that never pauses must not keep the actor from its messages,
/// nor its thread from other actors.
constexpr int events_at_once = 32;

class attach_session final : public role {
 public:
  attach_session(caf::actor_config& cfg, std::shared_ptr<stream_lease> lease, caf::actor attacher,
                 const attach_limits& limits)
      : role(cfg)
      , lease_(std::move(lease))
      , attacher_(std::move(attacher))
      , limits_(limits) {}

  const char* name() const override { return "tank.attach_session"; }

  caf::behavior make_behavior() override {
    attacher_watch_ = compat::watch_until_reset(attacher_, self(),
                                                [](const caf::error&) { return attacher_down{}; });
    return {
        [this](const fd_ready& m) { on_ready(m); },
        [this](const attach_input& m) { on_input(m.bytes); },
        [this](const attach_resize& m) { on_resize(m); },
        [this](const attach_taken& m) { on_taken(m.bytes); },
        [this](const attach_leave&) {
          finish({attach_end::detached, 0, {}});
        },
        [this](const attach_revoked& m) { finish(m.why); },
        [this](const attacher_down&) {
          finish({attach_end::detached, 0, {}});
        },
    };
  }

  void on_exit() override {
    if (!over_) {
      lease_->end();
      compat::anon_send(attacher_, attach_ended{attach_end::lost, 0, "the attach session failed"});
    }
    attacher_watch_.reset();
    attacher_ = nullptr;
    lease_.reset();
  }

 private:
  template <class Message>
  void tell(Message m) {
    compat::send(this, attacher_, std::move(m));
  }

  // --- from the terminal -------------------------------------------------------------------------

  void on_ready(const fd_ready& m) {
    if (over_ || !lease_->is_ready(m.id)) return;
    flush_input();
    for (int i = 0; i < events_at_once && !over_; ++i) {
      auto next = lease_->next_event();
      if (!next) return finish(lost(next.error().message()));
      if (!*next) break;
      std::visit([this](const auto& e) { on_event(e); }, **next);
    }
    if (over_) return;
    if (const auto armed = lease_->rearm(); !armed) finish(lost(armed.error().message()));
  }

  void on_event(const kernel::pty_output_event& e) {
    if (e.bytes.empty()) return;
    // Behind a gap nothing goes out before the gap was told: order is all that a terminal has.
    if (dropped_ > 0 || unanswered_ + e.bytes.size() > limits_.output) {
      dropped_ += e.bytes.size();
      return;
    }
    unanswered_ += e.bytes.size();
    tell(attach_output{e.bytes});
  }
  void on_event(const kernel::pty_input_dropped_event& e) { tell(attach_dropped{true, e.bytes}); }
  void on_event(const kernel::exited_event& e) { finish({attach_end::exited, e.code, {}}); }
  void on_event(const kernel::signaled_event& e) { finish({attach_end::signaled, e.signal, {}}); }
  void on_event(const kernel::aborted_event&) { finish(lost("it was aborted")); }
  void on_event(const kernel::failed_event& e) { finish(lost("it failed: " + e.step)); }
  void on_event(const kernel::session_down_event& e) { finish(lost(e.why)); }
  // of a bring-up, which was over before there was something to attach to
  void on_event(const kernel::ready_event&) {}
  void on_event(const kernel::built_event&) {}
  void on_event(const kernel::running_event&) {}
  void on_event(const kernel::adopted_event&) {}

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
    if (input_.empty()) return;
    const auto taken = lease_->write(input_);
    if (taken)
      input_.erase(0, *taken);
    else
      refused(taken.error());
  }

  void on_resize(const attach_resize& m) {
    const auto resized = lease_->resize({m.rows, m.columns, m.x_pixels, m.y_pixels});
    if (!resized) refused(resized.error());
  }

  /// Who types while the workload ends will hear of the end: its event is on the way.
  void refused(const error& why) {
    if (why.code == errc::conflict || why.code == errc::unavailable) return;
    finish(lost(why.message()));
  }

  // --- the end -----------------------------------------------------------------------------------

  static attach_ended lost(std::string text) { return {attach_end::lost, 0, std::move(text)}; }

  void finish(attach_ended how) {
    if (std::exchange(over_, true)) return;
    // Given back first: who hears that it is over may attach again at once.
    lease_->end();
    if (!input_.empty()) tell(attach_dropped{true, input_.size()});
    tell_gap();
    tell(std::move(how));
    stop(stop_normal());
  }

  std::shared_ptr<stream_lease> lease_;
  caf::actor attacher_;
  compat::end_watch attacher_watch_;
  const attach_limits limits_;
  std::string input_;            ///< typed and not yet taken
  std::uint64_t unanswered_ = 0; ///< bytes of output
  std::uint64_t dropped_ = 0;    ///< bytes of output, not yet told
  bool over_ = false;
};

} // namespace

caf::actor spawn_attach_session(caf::actor_system& sys, std::shared_ptr<stream_lease> lease,
                                caf::actor attacher, const attach_limits& limits) {
  return sys.spawn<attach_session>(std::move(lease), std::move(attacher), limits);
}

} // namespace tank

#include "pod/sandbox_machine.hpp"

#include "pod/sandbox_rules.hpp"

#include <array>
#include <utility>

namespace tank {

/// Of one run. A shim that throws its daemon out again and again is none to go on with.
static constexpr unsigned max_tries = 5;
static constexpr std::chrono::milliseconds retry_time{1000};

std::string_view to_string(sandbox_state s) noexcept {
  static constexpr std::array<std::string_view, sandbox_states> names{
      "idle",    "preparing", "abandoning", "starting", "up",
      "closing", "cleaning",  "gone",       "adopting"};
  return names[static_cast<std::size_t>(s)];
}

void sandbox_machine::handle(const sandbox_event& event, run::actions& out) {
  if (const auto* timer = std::get_if<run::timer_due>(&event)) {
    if (timer->serial != timer_ || timer_ == 0) return;
    timer_ = 0;
  }
  (this->*table::cells[state_.index()][event.index()])(event, out);
}

void sandbox_machine::too_late(const sandbox_event&, run::actions&) {}

void sandbox_machine::cannot_be(const sandbox_event& e, run::actions& out) {
  out.emplace_back(run::unexpected{std::nullopt, static_cast<unsigned>(state_.index()),
                                   static_cast<unsigned>(e.index())});
}

void sandbox_machine::on_open(const sandbox_event& e, run::actions& out) {
  lost_ = false;
  state_ = preparing{};
  out.emplace_back(run::prepare{true, std::get<run::open_sandbox>(e).with});
}

void sandbox_machine::on_prepared(const sandbox_event&, run::actions& out) {
  had_session_ = true;
  state_ = starting{};
  out.emplace_back(run::start_session{});
  arm(limits_.bring_up, out);
}

void sandbox_machine::on_not_prepared(const sandbox_event& e, run::actions& out) {
  fail_with(run::outcome::failed, std::get<run::sandbox_not_prepared>(e).why);
  enter_cleaning(out);
}

void sandbox_machine::on_abandoned(const sandbox_event&, run::actions& out) {
  enter_cleaning(out);
}

void sandbox_machine::on_up(const sandbox_event&, run::actions& out) {
  state_ = up{};
  disarm(out);
}

/// Of an adopted shim: what it holds comes next.
void sandbox_machine::on_greeting(const sandbox_event&, run::actions&) {}

void sandbox_machine::on_start_failed(const sandbox_event& e, run::actions& out) {
  fail_with(run::outcome::failed, std::get<run::session_failed>(e).why);
  enter_closing(out);
}

void sandbox_machine::on_request_failed(const sandbox_event& e, run::actions& out) {
  // A request failed on a session that worked so far: the connection is gone, not the pod wrong.
  fail_with(run::outcome::session_down, std::get<run::session_failed>(e).why);
  enter_closing(out);
}

void sandbox_machine::on_down(const sandbox_event& e, run::actions& out) {
  const auto& down = std::get<run::session_down>(e);
  out.emplace_back(run::drop_session{});
  if (down.shim_lives && tries_ < max_tries) return connect(false, out);
  fail_with(run::outcome::session_down, down.why);
  enter_cleaning(out);
}

void sandbox_machine::on_start_overdue(const sandbox_event&, run::actions& out) {
  fail_with(run::outcome::failed,
            fail(errc::timeout, "bring up", name_,
                 "its shim says nothing for " +
                     std::to_string(limits_.bring_up / std::chrono::seconds{1}) + " s")
                .value());
  enter_closing(out);
}

// --- the way out ---------------------------------------------------------------------------------

void sandbox_machine::on_close_idle(const sandbox_event&, run::actions& out) {
  enter_cleaning(out);
}

void sandbox_machine::on_close_preparing(const sandbox_event&, run::actions&) {
  // The worker may be making the very directories that cleaning removes: let it end first.
  state_ = abandoning{};
}

void sandbox_machine::on_close(const sandbox_event&, run::actions& out) {
  enter_closing(out);
}

void sandbox_machine::on_closed(const sandbox_event&, run::actions& out) {
  out.emplace_back(run::drop_session{});
  enter_cleaning(out);
}

void sandbox_machine::on_close_overdue(const sandbox_event& e, run::actions& out) {
  auto& now = std::get<closing>(state_);
  if (now.end_sent) return on_closed(e, out); // stuck in the kernel: not even SIGKILL is served
  now.end_sent = true;
  out.emplace_back(run::end_session{});
  arm(limits_.close, out);
}

void sandbox_machine::on_cleaned(const sandbox_event&, run::actions&) {
  state_ = gone{};
}

// --- adoption ------------------------------------------------------------------------------------

void sandbox_machine::on_adopt(const sandbox_event&, run::actions& out) {
  connect(false, out);
}

void sandbox_machine::connect(bool close, run::actions& out) {
  adopting next;
  next.connected = true; // unless session_failed says otherwise
  next.close = close;
  state_ = next;
  ++tries_;
  out.emplace_back(run::adopt_session{});
  arm(limits_.adopt, out);
}

void sandbox_machine::on_close_adopting(const sandbox_event&, run::actions&) {
  std::get<adopting>(state_).close = true; // how, the shim's answer decides
}

void sandbox_machine::on_adopted(const sandbox_event&, run::actions& out) {
  if (std::get<adopting>(state_).close) return enter_closing(out);
  had_session_ = true;
  state_ = up{};
  disarm(out);
}

void sandbox_machine::no_shim(const error& why, run::actions& out) {
  if (had_session_) { // what this run has begun by it is half done
    fail_with(run::outcome::session_down, why);
    return enter_cleaning(out);
  }
  const bool close = std::get<adopting>(state_).close;
  lost_ = true;
  lost_why_ = why;
  disarm(out);
  state_ = idle{};
  if (close) enter_cleaning(out);
}

void sandbox_machine::on_not_adopted(const sandbox_event& e, run::actions& out) {
  auto& now = std::get<adopting>(state_);
  now.connected = false;
  const auto& why = std::get<run::session_failed>(e).why;
  if (why.code == errc::not_found) return no_shim(why, out);
  out.emplace_back(run::drop_session{}); // it may be a request that failed
  if (tries_ >= max_tries) return no_shim(why, out);
  arm(retry_time, out); // want of descriptors, or a full queue: it may be there all the same
}

void sandbox_machine::on_adopting_down(const sandbox_event& e, run::actions& out) {
  const auto& down = std::get<run::session_down>(e);
  out.emplace_back(run::drop_session{});
  if (!down.shim_lives || tries_ >= max_tries) return no_shim(down.why, out);
  std::get<adopting>(state_).connected = false;
  arm(retry_time, out);
}

void sandbox_machine::on_adoption_overdue(const sandbox_event&, run::actions& out) {
  auto& now = std::get<adopting>(state_);
  if (!now.connected) return connect(now.close, out);
  if (!now.end_sent) {
    now.end_sent = true;
    out.emplace_back(run::end_session{});
    return arm(limits_.close, out);
  }
  out.emplace_back(run::drop_session{}); // not even SIGKILL is served
  fail_with(run::outcome::session_down,
            fail(errc::timeout, "adopt", name_,
                 "its shim says nothing for " +
                     std::to_string(limits_.adopt / std::chrono::seconds{1}) + " s")
                .value());
  enter_cleaning(out);
}

// --- entering states -----------------------------------------------------------------------------

void sandbox_machine::fail_with(run::outcome how, const error& why) {
  if (!failure_) failure_ = sandbox_failure{how, why};
}

void sandbox_machine::arm(std::chrono::milliseconds after, run::actions& out) {
  timer_ = ++*serials_;
  out.emplace_back(run::arm_timer{std::nullopt, after, timer_});
}

void sandbox_machine::disarm(run::actions& out) {
  if (std::exchange(timer_, 0) != 0) out.emplace_back(run::disarm_timer{std::nullopt});
}

void sandbox_machine::enter_closing(run::actions& out) {
  state_ = closing{};
  out.emplace_back(run::shut_down{});
  arm(limits_.close, out);
}

void sandbox_machine::enter_cleaning(run::actions& out) {
  disarm(out);
  state_ = cleaning{};
  out.emplace_back(run::clean{});
}

} // namespace tank

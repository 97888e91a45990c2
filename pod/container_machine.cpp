#include "pod/container_machine.hpp"

#include "pod/container_rules.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace tank {

using run::outcome;

std::string_view to_string(container_state s) noexcept {
  static constexpr std::array<std::string_view, container_states> names{
      "waiting", "resolving", "found",    "preparing", "abandoning", "prepared", "creating",
      "parked",  "built",     "released", "running",   "stopping",   "killing",  "ended"};
  return names[static_cast<std::size_t>(s)];
}

std::chrono::seconds effective_grace(std::chrono::seconds manifest,
                                     std::optional<std::chrono::seconds> override_) {
  using std::chrono::seconds;
  if (override_) return std::clamp(*override_, seconds{0}, most_grace);
  if (manifest <= seconds{0}) return seconds{0};
  return std::clamp(manifest, seconds{2}, most_grace);
}

/// The attempt that an event is about, if it is about one.
static std::optional<std::uint32_t> attempt_of(const container_event& event) {
  return std::visit(
      [](const auto& e) -> std::optional<std::uint32_t> {
        using type = std::decay_t<decltype(e)>;
        if constexpr (requires { e.attempt; } && !std::is_same_v<type, run::begin_attempt>)
          return e.attempt;
        else
          return std::nullopt;
      },
      event);
}

void container_machine::handle(const container_event& event, run::actions& out) {
  if (const auto attempt = attempt_of(event); attempt && *attempt != attempt_) return;
  if (const auto* timer = std::get_if<run::timer_due>(&event)) {
    if (timer->serial != timer_ || timer_ == 0) return;
    timer_ = 0;
  }
  (this->*table::cells[state_.index()][event.index()])(event, out);
}

void container_machine::restore(std::uint32_t attempt, int stop_signal, bool was_released) {
  attempt_ = attempt;
  stop_signal_ = stop_signal;
  touched_ = let_go_ = was_released;
  state_ = creating{true};
}

void container_machine::restore_waiting(std::uint32_t last_attempt) {
  attempt_ = last_attempt;
}

void container_machine::restore_ended(std::uint32_t attempt, run::container_end end) {
  attempt_ = attempt;
  started_ns_ = end.started_ns;
  touched_ = started_ns_ != 0;
  state_ = ended{std::move(end)};
}

void container_machine::note_complaint(std::string complaint) {
  if (runs() && !complaint_) complaint_ = std::move(complaint);
}

pid_t container_machine::pid() const noexcept {
  return std::visit(
      [](const auto& s) -> pid_t {
        if constexpr (requires { s.pid; })
          return s.pid;
        else
          return 0;
      },
      state_);
}

bool container_machine::runs() const noexcept {
  return state() == container_state::running || state() == container_state::stopping;
}

bool container_machine::is_with_shim() const noexcept {
  return state() >= container_state::creating && state() <= container_state::killing;
}

bool container_machine::stuck() const noexcept {
  const auto* e = std::get_if<ended>(&state_);
  return e != nullptr && e->stuck;
}

const run::container_end* container_machine::end() const noexcept {
  const auto* e = std::get_if<ended>(&state_);
  return e == nullptr ? nullptr : &e->end;
}

// --- the handlers --------------------------------------------------------------------------------

void container_machine::too_late(const container_event&, run::actions&) {}

void container_machine::cannot_be(const container_event& e, run::actions& out) {
  out.emplace_back(run::unexpected{self_, static_cast<unsigned>(state_.index()),
                                   static_cast<unsigned>(e.index())});
}

void container_machine::on_begin(const container_event& e, run::actions& out) {
  attempt_ = std::get<run::begin_attempt>(e).attempt;
  let_go_ = false;
  stop_asked_ = false;
  complaint_.reset();
  started_ns_ = 0;
  stop_signal_ = 15;
  state_ = resolving{};
  out.emplace_back(run::resolve_image{self_});
}

void container_machine::on_image_found(const container_event&, run::actions&) {
  state_ = found{};
}

void container_machine::on_image_missing(const container_event& e, run::actions& out) {
  const auto& missing = std::get<run::image_missing>(e);
  run::container_end end;
  end.how = outcome::image_failed;
  end.why = missing.why;
  end.image = missing.problem;
  enter_ended(std::move(end), out);
}

void container_machine::on_prepare(const container_event&, run::actions&) {
  state_ = preparing{}; // whoever sent this asks a worker, for several machines at once
}

void container_machine::on_prepared(const container_event& e, run::actions&) {
  stop_signal_ = std::get<run::container_prepared>(e).facts.stop_signal;
  state_ = prepared{};
}

void container_machine::on_not_prepared(const container_event& e, run::actions& out) {
  run::container_end end;
  end.how = outcome::failed;
  end.why = std::get<run::container_not_prepared>(e).why;
  enter_ended(std::move(end), out);
}

void container_machine::on_abandoned(const container_event&, run::actions& out) {
  enter_ended({}, out);
}

void container_machine::on_create(const container_event&, run::actions& out) {
  state_ = creating{};
  out.emplace_back(run::create{self_, attempt_});
  arm(settings_.limits.bring_up, out);
}

void container_machine::on_ready(const container_event& e, run::actions&) {
  state_ = parked{std::get<run::child_ready>(e).pid};
}

void container_machine::on_built(const container_event&, run::actions&) {
  state_ = built{pid()};
}

void container_machine::on_release(const container_event& e, run::actions& out) {
  touched_ = let_go_ = true;
  state_ = released{pid()};
  out.emplace_back(run::proceed{self_});
  if (std::get<run::release_attempt>(e).waited || timer_ == 0) arm(settings_.limits.bring_up, out);
}

void container_machine::on_running(const container_event& e, run::actions& out) {
  const auto& now = std::get<run::child_running>(e);
  started_ns_ = now.at_ns;
  state_ = running{now.pid != 0 ? now.pid : pid()};
  disarm(out);
}

void container_machine::on_end(const container_event& e, run::actions& out) {
  auto end = std::get<run::child_ended>(e).end;
  if (auto* k = std::get_if<killing>(&state_); k != nullptr && k->known) end = *k->known;
  enter_ended(std::move(end), out);
}

void container_machine::on_late_end(const container_event& e, run::actions&) {
  auto& known = std::get<ended>(state_);
  known.stuck = false;
  if (known.end.how != outcome::none) return; // the first is the cause, later ones are its wake
  const bool stopped = known.end.stopped;
  known.end = std::get<run::child_ended>(e).end;
  known.end.stopped = stopped;
  known.end.started_ns = started_ns_;
}

void container_machine::on_session_down(const container_event& e, run::actions& out) {
  const auto& down = std::get<run::session_down>(e);
  if (down.shim_lives) return; // another connection will tell
  if (const auto* c = std::get_if<creating>(&state_); c != nullptr && c->adopted && !let_go_) {
    disarm(out);
    state_ = waiting{}; // nothing of it has run: it may begin anew
    return;
  }
  run::container_end end;
  if (auto* k = std::get_if<killing>(&state_); k != nullptr && k->known) {
    end = *k->known;
  } else {
    end.how = outcome::session_down;
    end.why = down.why;
  }
  enter_ended(std::move(end), out);
}

// --- stops ---------------------------------------------------------------------------------------

void container_machine::on_stop_idle(const container_event&, run::actions& out) {
  stop_asked_ = true;
  enter_ended({}, out);
}

void container_machine::on_stop_preparing(const container_event&, run::actions&) {
  // The worker may be making the very directories that cleaning removes: let it end first.
  stop_asked_ = true;
  state_ = abandoning{};
}

void container_machine::on_stop_parked(const container_event&, run::actions& out) {
  stop_asked_ = true;
  out.emplace_back(run::abort{self_});
  enter_killing(out);
}

void container_machine::on_stop_released(const container_event&, run::actions& out) {
  // Past abort, and nothing of the workload has run that a grace period could serve.
  stop_asked_ = true;
  out.emplace_back(run::kill{self_});
  enter_killing(out);
}

void container_machine::on_stop_running(const container_event& e, run::actions& out) {
  stop_asked_ = true;
  const auto grace = std::get<run::terminate>(e).grace;
  if (grace <= std::chrono::milliseconds{0}) {
    out.emplace_back(run::kill{self_});
    return enter_killing(out);
  }
  state_ = stopping{pid()};
  out.emplace_back(run::signal{self_, stop_signal_});
  arm(grace, out);
}

void container_machine::on_stop_again(const container_event& e, run::actions& out) {
  const auto grace = std::get<run::terminate>(e).grace;
  if (grace <= std::chrono::milliseconds{0}) return on_grace_over(e, out);
  arm(grace, out); // the newest word on patience counts; the signal was sent
}

// --- timers --------------------------------------------------------------------------------------

/// For its turn, as long as that takes.
void container_machine::on_waits(const container_event&, run::actions&) {}

void container_machine::on_bring_up_overdue(const container_event&, run::actions& out) {
  run::container_end end;
  end.how = outcome::failed;
  end.why = fail(errc::timeout, "bring up", settings_.name,
                 "stuck in '" + std::string{to_string(state())} + "' for " +
                     std::to_string(settings_.limits.bring_up / std::chrono::seconds{1}) + " s",
                 "is a volume on a file system that hangs?")
                .value();
  out.emplace_back(run::kill{self_});
  enter_killing(out, std::move(end));
}

void container_machine::on_grace_over(const container_event&, run::actions& out) {
  out.emplace_back(run::kill{self_});
  enter_killing(out);
}

void container_machine::on_kill_overdue(const container_event&, run::actions& out) {
  const auto& k = std::get<killing>(state_);
  enter_ended(k.known.value_or(run::container_end{}), out, true);
}

// --- adoption ------------------------------------------------------------------------------------

void container_machine::on_held(const container_event& e, run::actions& out) {
  const auto& told = std::get<run::held_container>(e);
  if (state() != container_state::killing) {
    disarm(out);
    return resume(told, out);
  }
  if (kernel::is_terminal(told.at)) return on_end(run::child_ended{self_, attempt_, told.end}, out);
  if (told.at == kernel::stage::starting)
    return enter_ended(std::get<killing>(state_).known.value_or(run::container_end{}), out);
  out.emplace_back(run::kill{self_}); // the first may have been lost with the connection
}

/// Goes on where the shim stands.
void container_machine::resume(const run::held_container& told, run::actions& out) {
  if (told.started_ns != 0) started_ns_ = told.started_ns;
  switch (told.at) {
  case kernel::stage::starting: // the shim has not heard of it
    if (let_go_) return enter_ended({}, out);
    state_ = waiting{};
    return;
  case kernel::stage::ready:
    state_ = parked{told.pid};
    out.emplace_back(run::build{self_}); // a second time does no harm
    return arm(settings_.limits.bring_up, out);
  case kernel::stage::built:
    state_ = built{told.pid}; // so does a second proceed
    return;
  case kernel::stage::running:
    touched_ = let_go_ = true;
    state_ = running{told.pid};
    return;
  default:
    enter_ended(told.end, out);
  }
}

// --- entering states -----------------------------------------------------------------------------

void container_machine::arm(std::chrono::milliseconds after, run::actions& out) {
  timer_ = ++*serials_;
  out.emplace_back(run::arm_timer{self_, after, timer_});
}

void container_machine::disarm(run::actions& out) {
  if (std::exchange(timer_, 0) != 0) out.emplace_back(run::disarm_timer{self_});
}

void container_machine::enter_killing(run::actions& out, std::optional<run::container_end> known) {
  state_ = killing{pid(), std::move(known)};
  arm(settings_.limits.close, out);
}

void container_machine::enter_ended(run::container_end end, run::actions& out, bool is_stuck) {
  disarm(out);
  end.stopped = stop_asked_;
  end.started_ns = started_ns_;
  if (complaint_) {
    end.unhealthy = true;
    end.complaint = *complaint_;
  }
  state_ = ended{std::move(end), is_stuck};
}

} // namespace tank

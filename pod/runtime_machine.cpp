#include "pod/runtime_machine.hpp"

#include "pod/runtime_rules.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace tank {

using kind = runtime_event_kind;
using act = runtime_action_kind;
using state = runtime_state;

std::string_view to_string(runtime_state s) noexcept {
  static constexpr std::array<std::string_view, runtime_states> names{
      "image",    "preparing", "abandoning", "spawned", "ready",    "built", "running",
      "attached", "stopping",  "killing",    "closing", "cleaning", "done",  "adopting"};
  return names[static_cast<std::size_t>(s)];
}

std::string_view to_string(runtime_event_kind k) noexcept {
  static constexpr std::array<std::string_view, runtime_event_kinds> names{
      "image_ready",   "image_failed", "prepared",      "prepare_failed", "session_failed",
      "child_ready",   "child_built",  "child_running", "child_exited",   "child_signaled",
      "child_aborted", "child_failed", "session_down",  "stop",           "timer",
      "cleaned",       "begin_attach", "end_attach",    "attach_over",    "adopted"};
  return names[static_cast<std::size_t>(k)];
}

std::string_view to_string(runtime_action_kind k) noexcept {
  static constexpr std::array<std::string_view, runtime_action_kinds> names{
      "resolve_image", "prepare",      "start_session", "adopt_session", "build",
      "proceed",       "abort",        "signal",        "kill",          "shutdown",
      "end_session",   "arm_timer",    "drop_session",  "clean",         "report_running",
      "finish",        "begin_attach", "refuse_attach", "end_attach",    "reclaim",
      "unexpected"};
  return names[static_cast<std::size_t>(k)];
}

/// Of one run. A shim that throws its daemon out again and again is none to go on with.
static constexpr unsigned max_tries = 5;
static constexpr std::chrono::milliseconds retry_time{1000};

std::chrono::seconds effective_grace(std::chrono::seconds manifest,
                                     std::optional<std::chrono::seconds> override_) {
  using std::chrono::seconds;
  if (override_) return std::max(*override_, seconds{0});
  if (manifest <= seconds{0}) return seconds{0};
  return std::max(manifest, seconds{2});
}

std::vector<runtime_action> runtime_machine::begin() {
  return {{.kind = act::resolve_image}};
}

std::vector<runtime_action> runtime_machine::handle(const runtime_event& event) {
  actions out;
  if (event.kind == kind::timer && event.serial != serial_) return out; // of a state already left
  const auto h =
      table::rows[static_cast<std::size_t>(state_)][static_cast<std::size_t>(event.kind)];
  if (h != nullptr) (this->*h)(event, out);
  return out;
}

bool runtime_machine::has_cgroups() const noexcept {
  return state_ != state::image && state_ != state::adopting && state_ != state::abandoning &&
         state_ != state::closing && state_ != state::cleaning && state_ != state::done;
}

bool runtime_machine::runs() const noexcept {
  return state_ == state::running || state_ == state::attached || state_ == state::stopping;
}

void runtime_machine::too_late(const runtime_event&, actions&) {}

void runtime_machine::cannot_be(const runtime_event& e, actions& out) {
  out.push_back({.kind = act::unexpected, .about = e.kind});
}

void runtime_machine::on_image_ready(const runtime_event&, actions& out) {
  state_ = state::preparing;
  out.push_back({.kind = act::prepare});
}

void runtime_machine::on_image_failed(const runtime_event& e, actions& out) {
  record(outcome::image_failed, e);
  enter_cleaning(out);
}

void runtime_machine::on_prepared(const runtime_event&, actions& out) {
  state_ = state::spawned;
  arm(settings_.bring_up_limit, out);
  out.push_back({.kind = act::start_session});
}

void runtime_machine::on_prepare_failed(const runtime_event& e, actions& out) {
  record(outcome::failed, e);
  enter_cleaning(out);
}

void runtime_machine::on_abandoned(const runtime_event&, actions& out) {
  enter_cleaning(out);
}

void runtime_machine::on_session_failed(const runtime_event& e, actions& out) {
  record(outcome::failed, e);
  enter_closing(out);
}

void runtime_machine::on_session_lost(const runtime_event& e, actions& out) {
  // A verb failed on a session that worked so far: the connection is gone, not the bring-up wrong.
  record(outcome::session_down, e);
  enter_closing(out);
}

void runtime_machine::on_ready(const runtime_event& e, actions&) {
  pid_ = e.pid;
  state_ = state::ready;
}

void runtime_machine::on_built(const runtime_event&, actions& out) {
  state_ = state::built;
  untouched_ = false;
  out.push_back({.kind = act::proceed});
}

void runtime_machine::on_running(const runtime_event& e, actions& out) {
  if (e.pid != 0) pid_ = e.pid;
  started_ns_ = e.at_ns;
  state_ = state::running;
  ++serial_; // the bring-up deadline no longer counts
  out.push_back({.kind = act::report_running});
}

void runtime_machine::on_end(const runtime_event& e, actions& out) {
  on_late_end(e, out);
  enter_closing(out);
}

void runtime_machine::on_late_end(const runtime_event& e, actions&) {
  switch (e.kind) {
  case kind::child_exited:
    record(outcome::exited, e);
    break;
  case kind::child_signaled:
    record(outcome::signaled, e);
    break;
  case kind::child_aborted:
    record(outcome::aborted, e);
    break;
  default:
    record(outcome::failed, e);
  }
}

void runtime_machine::on_session_down(const runtime_event& e, actions& out) {
  if (e.shim_lives && tries_ < max_tries && state_ != state::killing) {
    if (stop_asked_) stop_ = runtime_event{.kind = kind::stop}; // begins anew
    lent_ = false;
    out.push_back({.kind = act::drop_session});
    return adopt(out);
  }
  record(outcome::session_down, e);
  lent_ = false; // dropping the session takes its events back
  out.push_back({.kind = act::drop_session});
  enter_cleaning(out);
}

void runtime_machine::on_closed(const runtime_event&, actions& out) {
  out.push_back({.kind = act::drop_session});
  enter_cleaning(out);
}

void runtime_machine::on_close_overdue(const runtime_event& e, actions& out) {
  if (end_sent_) return on_closed(e, out); // stuck in the kernel: not even SIGKILL is served
  end_sent_ = true;
  out.push_back({.kind = act::end_session});
  arm(settings_.close_limit, out);
}

void runtime_machine::on_bring_up_overdue(const runtime_event& e, actions& out) {
  auto late = e;
  late.why = fail(errc::timeout, "bring up", settings_.name,
                  "stuck in '" + std::string{to_string(state_)} + "' for " +
                      std::to_string(settings_.bring_up_limit.count()) + " s",
                  "is a volume on a file system that hangs?")
                 .value();
  record(outcome::failed, late);
  out.push_back({.kind = act::kill});
  enter_killing(out);
}

void runtime_machine::on_grace_over(const runtime_event&, actions& out) {
  out.push_back({.kind = act::kill});
  enter_killing(out);
}

void runtime_machine::on_kill_overdue(const runtime_event&, actions& out) {
  enter_closing(out);
}

void runtime_machine::on_stop_idle(const runtime_event&, actions& out) {
  stop_asked_ = true;
  enter_cleaning(out);
}

void runtime_machine::on_stop_preparing(const runtime_event&, actions&) {
  // The worker may be making the very directories that cleaning removes: let it end first.
  stop_asked_ = true;
  state_ = state::abandoning;
}

void runtime_machine::on_stop_parked(const runtime_event&, actions& out) {
  stop_asked_ = true;
  out.push_back({.kind = act::abort});
  enter_killing(out);
}

void runtime_machine::on_stop_released(const runtime_event&, actions& out) {
  // Past abort, and nothing of the workload has run that a grace period could serve.
  stop_asked_ = true;
  out.push_back({.kind = act::kill});
  enter_killing(out);
}

void runtime_machine::on_stop_running(const runtime_event& e, actions& out) {
  stop_asked_ = true;
  const auto grace = effective_grace(settings_.grace, e.grace);
  if (grace == std::chrono::seconds{0}) {
    out.push_back({.kind = act::kill});
    enter_killing(out);
    return;
  }
  state_ = state::stopping;
  out.push_back({.kind = act::signal, .signum = settings_.stop_signal});
  arm(grace, out);
}

void runtime_machine::on_stop_again(const runtime_event& e, actions& out) {
  if (!e.grace) return; // already under way
  if (*e.grace <= std::chrono::seconds{0}) {
    on_grace_over(e, out);
    return;
  }
  arm(*e.grace, out); // the newest word on patience counts; the signal was sent
}

void runtime_machine::on_stop_late(const runtime_event&, actions&) {
  stop_asked_ = true;
}

void runtime_machine::on_cleaned(const runtime_event&, actions& out) {
  state_ = state::done;
  out.push_back({.kind = act::finish});
}

void runtime_machine::on_begin_attach(const runtime_event&, actions& out) {
  if (!settings_.tty) {
    out.push_back({.kind = act::refuse_attach, .refusal = "not_a_tty"});
    return;
  }
  state_ = state::attached;
  lent_ = true;
  out.push_back({.kind = act::begin_attach});
}

void runtime_machine::on_attach_not_running(const runtime_event&, actions& out) {
  out.push_back({.kind = act::refuse_attach, .refusal = "not_running"});
}

void runtime_machine::on_attach_again(const runtime_event&, actions& out) {
  out.push_back({.kind = act::refuse_attach, .refusal = "attached"});
}

void runtime_machine::on_end_attach(const runtime_event&, actions& out) {
  out.push_back({.kind = act::end_attach});
}

void runtime_machine::on_attach_over(const runtime_event&, actions& out) {
  state_ = state::running;
  reclaim(out);
}

void runtime_machine::on_attach_over_at_the_end(const runtime_event&, actions& out) {
  reclaim(out);
}

void runtime_machine::reclaim(actions& out) {
  if (std::exchange(lent_, false)) out.push_back({.kind = act::reclaim});
}

// --- adoption ------------------------------------------------------------------------------------

std::vector<runtime_action> runtime_machine::begin_adoption(const run_record& run) {
  end_ = run.end;
  untouched_ = run.phase == run_phase::starting;
  settings_.stop_signal = run.facts.stop_signal;
  actions out;
  adopt(out);
  return out;
}

void runtime_machine::adopt(actions& out) {
  state_ = state::adopting;
  connected_ = true; // unless session_failed says otherwise
  ++tries_;
  arm(settings_.adopt_limit, out);
  out.push_back({.kind = act::adopt_session});
}

void runtime_machine::on_adopted(const runtime_event& e, actions& out) {
  ++serial_; // it has answered in time
  if (end_) return enter_closing(out);
  if (e.at == kernel::stage::starting) { // it had not heard of the container yet
    if (untouched_ && !stop_asked_) {
      out.push_back(
          {.kind = act::drop_session}); // without a daemon it ends, and `prepare` awaits it
      return no_shim(e, out);
    }
    return enter_closing(out);
  }
  resume(e, out);
  if (!stop_) return;
  const auto stop = *std::exchange(stop_, std::nullopt);
  const auto more = handle(stop);
  out.insert(out.end(), more.begin(), more.end());
}

/// Goes on where the shim stands.
void runtime_machine::resume(const runtime_event& e, actions& out) {
  pid_ = e.pid;
  started_ns_ = e.started_ns;
  runtime_event end = e;
  switch (e.at) {
  case kernel::stage::ready:
    state_ = state::ready;
    arm(settings_.bring_up_limit, out);
    out.push_back({.kind = act::build}); // a second time does no harm
    return;
  case kernel::stage::built:
    state_ = state::ready;
    arm(settings_.bring_up_limit, out);
    return on_built(e, out); // so does a second proceed
  case kernel::stage::running:
    state_ = state::running;
    out.push_back({.kind = act::report_running});
    return;
  case kernel::stage::exited:
    end.kind = kind::child_exited;
    break;
  case kernel::stage::signaled:
    end.kind = kind::child_signaled;
    break;
  case kernel::stage::aborted:
    end.kind = kind::child_aborted;
    break;
  default:
    end.kind = kind::child_failed;
  }
  on_end(end, out);
}

void runtime_machine::no_shim(const runtime_event& e, actions& out) {
  if (!end_ && untouched_ && !stop_asked_) {
    state_ = state::image;
    ++serial_;
    out.push_back({.kind = act::resolve_image});
    return;
  }
  if (!untouched_) record(outcome::session_down, e);
  enter_cleaning(out);
}

void runtime_machine::on_not_adopted(const runtime_event& e, actions& out) {
  connected_ = false;
  if (e.why.code == errc::not_found || tries_ >= max_tries) return no_shim(e, out);
  arm(retry_time, out); // want of descriptors, or a full queue: it may be there all the same
}

void runtime_machine::on_adopting_down(const runtime_event& e, actions& out) {
  out.push_back({.kind = act::drop_session});
  if (!e.shim_lives || tries_ >= max_tries) return no_shim(e, out);
  connected_ = false;
  arm(retry_time, out);
}

void runtime_machine::on_adoption_overdue(const runtime_event& e, actions& out) {
  if (!connected_) return adopt(out);
  auto late = e;
  late.why =
      fail(errc::timeout, "adopt", settings_.name,
           "its shim says nothing for " + std::to_string(settings_.adopt_limit.count()) + " s")
          .value();
  if (!end_sent_) {
    end_sent_ = true;
    out.push_back({.kind = act::end_session});
    arm(settings_.close_limit, out);
    return;
  }
  out.push_back({.kind = act::drop_session}); // not even SIGKILL is served
  untouched_ = false;                         // nobody knows
  no_shim(late, out);
}

void runtime_machine::on_stop_adopting(const runtime_event& e, actions&) {
  stop_asked_ = true;
  if (!stop_ || e.grace) stop_ = e; // how, the shim's answer decides
}

void runtime_machine::arm(std::chrono::milliseconds after, actions& out) {
  out.push_back({.kind = act::arm_timer, .after = after, .serial = ++serial_});
}

void runtime_machine::enter_killing(actions& out) {
  state_ = state::killing;
  arm(settings_.close_limit, out);
}

void runtime_machine::enter_closing(actions& out) {
  state_ = state::closing;
  reclaim(out);
  arm(settings_.close_limit, out);
  out.push_back({.kind = act::shutdown});
}

void runtime_machine::enter_cleaning(actions& out) {
  state_ = state::cleaning;
  ++serial_;
  out.push_back({.kind = act::clean});
}

} // namespace tank

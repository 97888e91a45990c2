#include "tests/model/run_world.hpp"

#include "tests/unit/pod/run_text.hpp"

#include <algorithm>

namespace tank::model {

namespace {

constexpr ms epoch = 1'000'000; ///< the clock at the beginning

const error no_image{errc::not_found, 0, "pull image", "x", "no such image", ""};
const error not_made{errc::io, 0, "make directory", "x", "it hangs", ""};
const error no_shim{errc::not_found, 0, "find the shim of", "web", "nobody listens", ""};
const error busy{errc::timeout, 0, "connect to", "web", "it takes no connection", ""};
const error vanished{errc::unavailable, 0, "reach the shim of", "web", "it is gone", ""};
const error cut_off{errc::unavailable, 0, "reach the shim of", "web", "cut", ""};
const error refused_request{errc::io, 0, "send to", "web", "no", ""};

bool is_alive(const run::held_container& c) {
  return !kernel::is_terminal(c.at);
}

} // namespace

run_world::run_world(const history& h, bool records)
    : h_(h)
    , records_(records)
    , starts_(h.containers)
    , wills_(h.containers) {
  ms last = 0;
  for (const auto& o : h_.incidents) {
    push(o.at, incident_due{o});
    last = std::max(last, o.at);
  }
  push(last + h_.left_alone, incident_due{{.what = incident::kind::stop, .at = 0, .grace = {}}});
}

std::chrono::steady_clock::time_point run_world::at(ms t) {
  return std::chrono::steady_clock::time_point{std::chrono::milliseconds{epoch + t}};
}

instant run_world::clock() const {
  return {at(now_), (epoch + now_) * 1'000'000};
}

void run_world::note(std::string_view text) {
  if (records_) record_.append(std::to_string(now_)).append(" ").append(text).append("\n");
}

void run_world::tell(run::event e, ms after) {
  push(now_ + after, told{daemon_, 0, std::move(e)});
}

/// The shim speaks to whoever is connected.
void run_world::say(run::event e) {
  if (!shim_ || shim_->peer == 0) return;
  if (shim_->mute && !std::holds_alternative<run::session_down>(e)) return;
  shim_->said_until = std::max(shim_->said_until, now_ + shim_->will.lag);
  push(shim_->said_until, told{daemon_, shim_->peer, std::move(e)});
}

void run_world::later(const std::optional<ms>& after, const held& h, step what) {
  if (after) push(now_ + *after, shim_step{shim_->number, h.is.who, h.is.attempt, what});
}

// --- what happens --------------------------------------------------------------------------------

std::optional<happening> run_world::next() {
  while (!queue_.empty() && violation_.empty()) {
    auto first = queue_.extract(queue_.begin());
    now_ = first.key().first;
    if (auto seen = std::visit([this](const auto& q) { return see(q); }, first.mapped()))
      return seen;
  }
  return std::nullopt;
}

std::optional<happening> run_world::see(const told& q) {
  if (q.daemon != daemon_ || (q.peer != 0 && q.peer != peer_)) return std::nullopt;
  return happens{q.event};
}

std::optional<happening> run_world::see(const image_known& q) {
  if (q.daemon != daemon_ || q.start != starts_[q.who]) return std::nullopt;
  return happens{q.event};
}

std::optional<happening> run_world::see(const timer_fires& q) {
  if (q.daemon != daemon_) return std::nullopt;
  const auto it = timers_.find(q.of);
  const bool wanted = it != timers_.end() && it->second == q.serial;
  if (wanted) timers_.erase(it);
  if (!wanted && !h_.echoes) return std::nullopt;
  happens out{run::timer_due{q.serial}};
  if (wanted) out.timer_of = q.of;
  return out;
}

std::optional<happening> run_world::see(const job_ends& q) {
  if (q.daemon != daemon_) return std::nullopt;
  --jobs_;
  if (q.what.clean) {
    if (shim_) end_shim("cleaned away");
    dirty_ = false;
    return happens{run::cleaned{}};
  }
  for (const auto& [who, can] : q.what.containers)
    in_job_.erase(who);
  const bool failed = q.what.sandbox && !q.what.will.prepares;
  if (failed) tell(run::sandbox_not_prepared{not_made});
  if (q.what.sandbox && !failed && q.what.will.sandbox_first) tell(run::sandbox_prepared{});
  for (const auto& [who, can] : q.what.containers) {
    if (can && !failed)
      tell(run::container_prepared{who, {10 + static_cast<int>(who), {}, {}}});
    else
      tell(run::container_not_prepared{who, not_made});
  }
  if (q.what.sandbox && !failed && !q.what.will.sandbox_first) tell(run::sandbox_prepared{});
  return std::nullopt;
}

std::optional<happening> run_world::see(const shim_step& q) {
  if (!shim_ || shim_->number != q.shim) return std::nullopt;
  const auto it = shim_->containers.find(q.who);
  if (it == shim_->containers.end() || it->second.is.attempt != q.attempt) return std::nullopt;
  auto& h = it->second;
  auto& c = h.is;
  if (!is_alive(c)) return std::nullopt;
  using kernel::stage;
  switch (q.what) {
  case step::built:
    if (c.at != stage::ready) break;
    if (!h.will.is_built) {
      end(h, run::outcome::failed, 0);
      break;
    }
    c.at = stage::built;
    say(run::child_built{c.who, c.attempt});
    break;
  case step::starts:
    if (!h.will.starts) {
      end(h, run::outcome::signaled, 9);
      break;
    }
    c.at = stage::running;
    c.started_ns = clock().wall_ns;
    say(run::child_running{c.who, c.attempt, c.pid, c.started_ns});
    later(h.will.runs_for, h, step::ends);
    break;
  case step::ends:
    c.end.out_of_memory = h.will.out_of_memory;
    end(h, h.will.ends_by, h.will.code);
    break;
  case step::obeys:
    end(h, run::outcome::exited, 0);
    break;
  case step::dies:
    end(h, run::outcome::signaled, 9);
    break;
  case step::aborts:
    end(h, run::outcome::aborted, 0);
    break;
  }
  return std::nullopt;
}

void run_world::end(held& h, run::outcome how, int code) {
  auto& c = h.is;
  using kernel::stage;
  c.at = how == run::outcome::exited     ? stage::exited
         : how == run::outcome::signaled ? stage::signaled
         : how == run::outcome::aborted  ? stage::aborted
                                         : stage::failed;
  c.end.how = how;
  c.end.code = code;
  c.end.finished_ns = clock().wall_ns;
  if (how == run::outcome::failed) c.end.why = not_made;
  if (records_) note("(" + std::to_string(c.who) + "." + std::to_string(c.attempt) + " has ended)");
  say(run::child_ended{c.who, c.attempt, c.end});
}

std::optional<happening> run_world::see(const shim_ends& q) {
  if (shim_ && shim_->number == q.shim) end_shim("has ended");
  return std::nullopt;
}

void run_world::end_shim(const char* why) {
  if (records_) note(std::string{"(the shim is gone: "} + why + ")");
  say(run::session_down{vanished, false});
  shim_.reset();
  lose_helpers();
}

std::optional<happening> run_world::see(const incident_due& q) {
  using k = incident::kind;
  switch (q.what.what) {
  case k::stop:
    if (!stop_ || q.what.grace) stop_ = run::stop{q.what.grace};
    if (!alive_) return std::nullopt;
    return happens{run::stop{q.what.grace}};
  case k::kill_daemon:
    if (!alive_) return std::nullopt;
    return daemon_killed{q.what.actions};
  case k::cut:
    if (!shim_ || shim_->peer == 0) return std::nullopt;
    note("(cut)");
    say(run::session_down{cut_off, true});
    shim_->peer = 0;
    lose_helpers();
    return std::nullopt;
  case k::kill_shim:
    if (shim_) end_shim("killed");
    return std::nullopt;
  case k::fail_request:
    fail_next_ = true;
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<happening> run_world::see(const stop_again& q) {
  if (q.daemon != daemon_) return std::nullopt;
  return happens{*stop_};
}

std::optional<happening> run_world::see(const daemon_begins& q) {
  note("another daemon begins");
  alive_ = true;
  if (stop_) push(now_, stop_again{daemon_});
  return q;
}

void run_world::kill_daemon() {
  note("the daemon is killed");
  alive_ = false;
  ++daemon_;
  peer_ = 0;
  if (shim_) shim_->peer = 0;
  timers_.clear();
  probes_.clear();
  hooks_.clear();
  jobs_ = 0;
  in_job_.clear();
  worker_free_ = now_;
  fail_next_ = false;
  push(now_ + 5, daemon_begins{});
}

// --- what a run does -----------------------------------------------------------------------------

void run_world::carry_out(const run::action& a) {
  if (records_) note(std::visit(testing::action_text{}, a));
  std::visit([this](const auto& one) { act(one); }, a);
}

void run_world::act(const run::resolve_image& a) {
  wills_[a.who] = h_.wills[(starts_[a.who]++ + a.who) % h_.wills.size()];
  const auto& w = wills_[a.who];
  run::event answer = run::image_found{a.who};
  if (w.no_image) answer = run::image_missing{a.who, no_image, *w.no_image};
  push(now_ + w.image_after, image_known{daemon_, a.who, starts_[a.who], std::move(answer)});
}

void run_world::submit(job j, ms takes) {
  ++jobs_;
  worker_free_ = std::max(worker_free_, now_) + takes;
  push(worker_free_, job_ends{daemon_, std::move(j)});
}

void run_world::act(const run::prepare& a) {
  if (a.sandbox) {
    if (jobs_ > 0) broken("the sandbox is prepared while a worker is at it");
    if (shim_) end_shim("in the way of a sandbox that is made");
    sandbox_ = h_.sandboxes[sandboxes_++ % h_.sandboxes.size()];
    dirty_ = true;
  } else if (!dirty_) {
    broken("a container is prepared without a sandbox");
  }
  job j{a.sandbox, false, {}, sandbox_};
  for (const auto who : a.containers) {
    if (!in_job_.insert(who).second) broken("a container is prepared twice at once");
    if (shim_ && shim_->containers.contains(who) && is_alive(shim_->containers.at(who).is))
      broken("a container is prepared while it runs");
    j.containers.emplace_back(who, wills_[who].prepares);
  }
  submit(std::move(j), sandbox_.prepares_after);
}

void run_world::act(const run::clean&) {
  if (peer_ != 0) broken("cleaned before the session is dropped");
  submit({.clean = true, .containers = {}, .will = {}}, sandbox_.prepares_after);
}

void run_world::act(const run::start_session&) {
  if (shim_) return broken("two shims");
  if (!dirty_ || jobs_ > 0) return broken("a shim before its directory is there");
  start_failed_ = !sandbox_.starts;
  if (start_failed_) return tell(run::session_failed{not_made});
  shim_.emplace();
  shim_->number = ++shims_;
  shim_->will = sandbox_;
  shim_->peer = peer_ = ++peers_;
  shim_->mute = !sandbox_.greets_after.has_value();
  shim_->said_until = now_ + sandbox_.greets_after.value_or(0);
  say(run::sandbox_up{});
}

void run_world::act(const run::adopt_session&) {
  if (peer_ != 0) return broken("a second session");
  if (!shim_) return tell(run::session_failed{no_shim});
  const auto answer = h_.welcomes[adoptions_++ % h_.welcomes.size()];
  if (answer == welcome::busy) return tell(run::session_failed{busy});
  shim_->peer = peer_ = ++peers_;
  shim_->said_until = now_;
  shim_->mute = answer == welcome::silent;
  say(run::sandbox_up{});
  run::adopted all;
  for (const auto& [who, h] : shim_->containers)
    all.containers.push_back(h.is);
  say(std::move(all));
}

/// The next request fails, whatever it is.
bool run_world::refused() {
  if (!std::exchange(fail_next_, false)) return false;
  tell(run::session_failed{refused_request});
  refused_by_ = peer_;
  return true;
}

/// The container that a request reaches; null: none.
run_world::held* run_world::request(run::index who, const char* verb) {
  if (peer_ == 0) {
    broken(std::string{verb} + " without a session");
    return nullptr;
  }
  if (!shim_ || shim_->peer != peer_ || shim_->going) return nullptr; // on its way it got lost
  if (refused()) return nullptr;
  const auto it = shim_->containers.find(who);
  if (it != shim_->containers.end()) return &it->second;
  if (refused_by_ != peer_) // else nobody got its create
    broken(std::string{verb} + " of a container that the shim does not hold");
  return nullptr;
}

void run_world::act(const run::create& a) {
  if (peer_ == 0 && start_failed_) return;
  if (peer_ == 0) return broken("create without a session");
  if (in_job_.contains(a.who)) broken("a container is created before it is prepared");
  if (!shim_ || shim_->peer != peer_) return;
  if (shim_->going) return broken("create after the shim was told to go");
  if (refused()) return;
  auto& h = shim_->containers[a.who];
  if (h.is.at != kernel::stage::starting) {
    if (is_alive(h.is)) return broken("a container is created twice");
    if (a.attempt <= h.is.attempt) return broken("an attempt is created twice");
  }
  h = {.is = {.who = a.who, .attempt = a.attempt}, .will = wills_[a.who], .build_asked = true};
  if (!h.will.is_created) return end(h, run::outcome::failed, 0);
  h.is.at = kernel::stage::ready;
  h.is.pid = 7;
  say(run::child_ready{a.who, a.attempt, h.is.pid});
  later(h.will.built_after, h, step::built);
}

void run_world::act(const run::build& a) {
  auto* h = request(a.who, "build");
  if (h == nullptr || std::exchange(h->build_asked, true)) return;
  if (h->is.at == kernel::stage::ready) later(h->will.built_after, *h, step::built);
}

void run_world::act(const run::proceed& a) {
  auto* h = request(a.who, "proceed");
  if (h == nullptr) return;
  if (h->is.at < kernel::stage::built) return broken("a container is let go before it is built");
  if (h->is.at == kernel::stage::built && !std::exchange(h->let_go, true))
    later(h->will.starts_after, *h, step::starts);
}

void run_world::act(const run::abort& a) {
  auto* h = request(a.who, "abort");
  if (h != nullptr && !h->let_go) later(h->will.dies_after, *h, step::aborts);
}

void run_world::act(const run::signal& a) {
  if (shim_ && shim_->going) broken("a signal after the shim was told to go");
  auto* h = request(a.who, "signal");
  if (h != nullptr) later(h->will.obeys_after, *h, step::obeys);
}

void run_world::act(const run::kill& a) {
  if (peer_ == 0) return; // it waits to be connected, and kills again then
  if (!shim_ || !shim_->containers.contains(a.who)) return; // a create that nobody got
  auto* h = request(a.who, "kill");
  if (h != nullptr) later(h->will.dies_after, *h, step::dies);
}

void run_world::act(const run::shut_down&) {
  start_failed_ = false;
  if (peer_ == 0) return tell(run::session_down{});
  if (!shim_ || shim_->peer != peer_) return; // its last word is on the way
  shim_->going = true;
  if (shim_->will.goes_after) push(now_ + *shim_->will.goes_after, shim_ends{shim_->number});
}

void run_world::act(const run::end_session&) {
  if (!shim_ || peer_ == 0 || shim_->peer != peer_) return;
  if (shim_->will.ends_after) push(now_ + *shim_->will.ends_after, shim_ends{shim_->number});
}

void run_world::act(const run::drop_session&) {
  if (peer_ == 0) return;
  if (shim_ && shim_->peer == peer_) shim_->peer = 0;
  peer_ = 0;
}

void run_world::act(const run::arm_timer& a) {
  timers_[a.of] = a.serial;
  const auto late = h_.lateness[timers_made_++ % h_.lateness.size()];
  push(now_ + a.after.count() + late, timer_fires{daemon_, a.of, a.serial});
}

void run_world::act(const run::disarm_timer& a) {
  if (timers_.erase(a.of) == 0) broken("a timer is disarmed that is not there");
}

void run_world::act(const run::unexpected& a) {
  broken("it finds unexpected what has happened: " + testing::action_text{}(a));
}

void run_world::check_released() {
  if (dirty_) broken("directories are left");
  if (shim_) broken("a shim is left");
  if (peer_ != 0) broken("a session is left");
  if (!timers_.empty()) broken("a timer is left");
  if (!probes_.empty()) broken("probes are left");
  if (!hooks_.empty()) broken("a hook is left");
  if (jobs_ > 0) broken("a worker is at it still");
}

} // namespace tank::model

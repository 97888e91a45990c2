#include "tests/model/reconciler_world.hpp"

#include "base/stop_reason.hpp"

namespace tank::model {

namespace {

/// Long enough after the last order: whatever is to end has ended. Restarts may go on for ever.
constexpr ms aftermath = 90'000;
constexpr std::uint8_t refused = 4;
constexpr std::uint8_t killed = 5;
constexpr std::uint8_t stopped = 6;

} // namespace

const std::vector<content>& contents() {
  static const std::vector<content> all{
      {.hash = "h0", .policy = "Always", .instance = "i0"},
      {.hash = "h1",
       .policy = "Always",
       .fast = true,
       .last_end = 4,
       .period = 20'000,
       .instance = "i1"},
      {.hash = "h2",
       .policy = "OnFailure",
       .last_end = 2,
       .period = 10'000,
       .grace = 0,
       .containers = 3},
      {.hash = "h3", .policy = "Never", .instance = "i3", .containers = 2},
      {.hash = "h4", .policy = "Always", .instance = "i0"},
      {.hash = "h5", .policy = "Never", .instance = "i3", .containers = 2},
      {.hash = "h6",
       .policy = "Always",
       .fast = true,
       .last_end = 4,
       .period = 20'000,
       .instance = "i1"},
      {.hash = "h7", .policy = "Always", .containers = 2}};
  return all;
}

const backoff_profile& profile(const content& of) {
  using std::chrono::milliseconds;
  static const backoff_profile usual{
      .base = milliseconds{2'000}, .cap = milliseconds{12'000}, .stable = milliseconds{30'000}};
  static const backoff_profile fast{
      .base = milliseconds{1'000}, .cap = milliseconds{60'000}, .stable = milliseconds{600'000}};
  return of.fast ? fast : usual;
}

const std::vector<ending>& endings() {
  static const std::vector<ending> all{
      {stop_normal(), 0, false},
      {stop_exited(3), 3, true},
      {stop_signaled(9), 137, true},
      {stop_session_down("gone"), 137, true},
      {{stop_class::abnormal, stop_cause::bring_up_failed, 0, "no"}, 128, true},
      {{stop_class::abnormal, stop_cause::killed, 0, {}}, 137, true},
      {stop_requested(""), 137, false},
  };
  return all;
}

const std::vector<std::string>& pods() {
  static const std::vector<std::string> all{"default/a", "default/b", "default/c"};
  return all;
}

history history::random(rng& r) {
  history h;
  h.wills.resize(1 + r.below(10));
  for (auto& w : h.wills) {
    w.refused = r.chance(5);
    if (r.chance(80)) w.up_after = static_cast<ms>(r.below(4) * 1000);
    if (r.chance(70)) w.ends_after = static_cast<ms>(r.below(r.chance(80) ? 8 : 45) * 1000);
    w.how = static_cast<std::uint8_t>(r.below(4));
    w.obeys_after = static_cast<ms>(r.below(6) * 1000);
    if (r.chance(15)) w.obeys_after.reset();
    w.tells = r.chance(50);
    w.wake_lost = r.chance(10);
    w.echoes = r.chance(15);
    if (r.chance(50)) w.begins_again = static_cast<std::uint32_t>(1 + r.below(3));
    w.refuses = r.chance(40);
    w.changes_after = static_cast<ms>(r.below(4) * 700);
  }
  h.adopts = r.chance(50);
  ms t = 0;
  const auto length = 2 + r.below(14);
  for (std::size_t i = 0; i < length; ++i) {
    if (r.chance(70)) t += static_cast<ms>(r.below(r.chance(80) ? 10 : 40) * 400);
    order o;
    o.at = t;
    const auto dice = r.below(100);
    using k = order::kind;
    o.what = i == 0      ? k::desire
             : dice < 40 ? k::desire
             : dice < 55 ? k::remove
             : dice < 72 ? k::restart
             : dice < 86 ? k::crash
             : dice < 98 ? k::failure
                         : k::stop_all;
    o.pod = r.below(pods().size());
    o.content = r.below(contents().size());
    o.quietly = r.chance(25);
    h.orders.push_back(o);
  }
  return h;
}

std::vector<history> history::simpler() const {
  std::vector<history> out;
  const auto with = [&](auto change) {
    out.push_back(*this);
    change(out.back());
  };
  without_parts(orders, [&](auto rest) { with([&](auto& h) { h.orders = std::move(rest); }); });
  for (std::size_t i = 0; i < wills.size(); ++i) {
    if (wills[i].echoes) with([&](auto& h) { h.wills[i].echoes = false; });
    if (wills[i].wake_lost) with([&](auto& h) { h.wills[i].wake_lost = false; });
    if (wills[i].refused) with([&](auto& h) { h.wills[i].refused = false; });
    if (wills[i].begins_again > 0) with([&](auto& h) { --h.wills[i].begins_again; });
    if (wills[i].refuses) with([&](auto& h) { h.wills[i].refuses = false; });
    if (wills[i].changes_after > 0) with([&](auto& h) { h.wills[i].changes_after = 0; });
    if (wills[i].tells) with([&](auto& h) { h.wills[i].tells = false; });
    if (wills[i].ends_after) with([&](auto& h) { h.wills[i].ends_after.reset(); });
    if (wills[i].obeys_after != ms{0}) with([&](auto& h) { h.wills[i].obeys_after = 0; });
  }
  if (adopts) with([&](auto& h) { h.adopts = false; });
  if (wills.size() > 1) with([&](auto& h) { h.wills.pop_back(); });
  return out;
}

std::string history::text() const {
  const auto of = [](const std::optional<ms>& t) { return t ? std::to_string(*t) : "never"; };
  std::string out = adopts ? "  runs outlive their runtimes\n" : "";
  for (std::size_t i = 0; i < wills.size(); ++i) {
    const auto& w = wills[i];
    out += "  start " + std::to_string(i) + " mod " + std::to_string(wills.size()) + ": " +
           (w.refused ? "refused, " : "") + "up " + of(w.up_after) + ", ends " + of(w.ends_after) +
           " with '" + to_string(endings()[w.how].why) + "', obeys " + of(w.obeys_after) +
           (w.tells ? ", tells" : "") + (w.wake_lost ? ", wake lost" : "") +
           (w.echoes ? ", echoes" : "") +
           (w.begins_again > 0 ? ", begins again " + std::to_string(w.begins_again) : "") +
           (w.refuses ? ", refuses" : ", changes") + " after " + of(w.changes_after) + "\n";
  }
  static constexpr std::string_view kinds[] = {"desire", "remove",  "restart",
                                               "crash",  "failure", "stop_all"};
  for (const auto& o : orders)
    out += "  " + std::to_string(o.at) +
           " ms: " + std::string{kinds[static_cast<std::size_t>(o.what)]} + " " + pods()[o.pod] +
           (o.what == order::kind::desire ? " " + contents()[o.content].hash : "") +
           (o.quietly ? " quietly" : "") + "\n";
  return out;
}

pod_world::pod_world(const history& h) : h_(h) {
  for (std::size_t i = 0; i < h_.orders.size(); ++i)
    push(h_.orders[i].at, order_event{i});
  horizon_ = aftermath + (h_.orders.empty() ? 0 : h_.orders.back().at);
  for (ms t = resync_every; t < horizon_; t += resync_every)
    push(t, resync_event{});
}

std::uint64_t pod_world::start(const std::string& key, const std::string& hash,
                               std::uint32_t restarts, bool has_heir) {
  for (const auto& r : runs_)
    if (r.alive && r.key == key) broken("two runs of '" + key + "' at once");
  // By the pod's own count: in which order pods start within a pass is free.
  const auto offset = static_cast<std::size_t>(key.back() - 'a');
  const auto& w = h_.wills[(offset + starts_[key]++) % h_.wills.size()];
  runs_.push_back({key, w});
  runs_.back().has_heir = has_heir;
  for (const auto& c : contents())
    if (c.hash == hash) runs_.back().containers = c.containers;
  const auto id = runs_.size();
  note(key, "start " + hash + " restarts=" + std::to_string(restarts));
  if (w.refused) {
    runs_.back().alive = false;
    dying_[id] = refused;
    push(now_, gone_event{id, refused});
    return id;
  }
  if (w.up_after) push(now_ + *w.up_after, up_event{id});
  if (w.ends_after) push(now_ + *w.ends_after, gone_event{id, w.how});
  if (w.echoes && w.up_after) push(now_ + *w.up_after + 3'000, up_event{id});
  for (std::uint32_t i = 1; i <= w.begins_again; ++i)
    push(now_ + w.up_after.value_or(0) + i * 900, containers_event{id});
  return id;
}

std::vector<container_status> pod_world::containers_of(std::uint64_t run,
                                                       container_phase state) const {
  const auto& r = runs_.at(run - 1);
  std::vector<container_status> out(r.containers);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].name = std::string(1, static_cast<char>('a' + i));
    out[i].state = state;
  }
  out.back().restarts = r.inside;
  return out;
}

void pod_world::stop(std::uint64_t run, std::optional<ms> grace) {
  auto& r = runs_.at(run - 1);
  note(r.key, "stop" + (grace ? " " + std::to_string(*grace) : std::string{}));
  if (!r.alive || r.told_to_stop) return;
  r.told_to_stop = true;
  if (r.will.obeys_after) push(now_ + *r.will.obeys_after, gone_event{run, stopped});
}

void pod_world::change(std::uint64_t run, const std::string& hash) {
  const auto& r = runs_.at(run - 1);
  note(r.key, "change to " + hash);
  std::size_t index = 0;
  while (contents()[index].hash != hash)
    ++index;
  const changed_event told{run, index, !r.will.refuses};
  push(now_ + r.will.changes_after, told);
  if (r.will.echoes) push(now_ + r.will.changes_after + 1'400, told);
}

void pod_world::take_over(std::uint64_t run, bool has_heir, const std::string& edited) {
  auto& r = runs_.at(run - 1);
  note(r.key, std::string{"take over"} + (has_heir ? "" : ", the last"));
  if (!r.orphan) broken("'" + r.key + "' is taken over from a runtime that lives");
  r.orphan = false;
  r.has_heir = has_heir;
  r.told_to_stop = false;
  if (r.up) push(now_, up_event{run});
  if (!edited.empty()) change(run, edited);
}

void pod_world::kill(std::uint64_t run) {
  note(runs_.at(run - 1).key, "kill");
  push(now_, lost_event{run});
}

/// A runtime without an heir takes its run along. True: the reconciler hears of it now.
bool pod_world::lose(std::uint64_t run) {
  auto& r = runs_[run - 1];
  if (!r.alive) return false;
  r.orphan = r.has_heir;
  if (!r.has_heir) end(run, killed);
  return r.orphan;
}

void pod_world::wake(std::uint64_t run, ms delay) {
  const auto& r = runs_.at(run - 1);
  if (!r.will.wake_lost) push(now_ + delay, due_event{run});
  if (!r.will.echoes) return;
  push(now_ + delay / 2, due_event{run}); // nobody's timer, too early
  push(now_ + delay + 1'000, due_event{run});
}

/// The run is gone now; the reconciler hears of it next.
void pod_world::end(std::uint64_t run, std::uint8_t how) {
  auto& r = runs_[run - 1];
  r.alive = false;
  dying_[run] = how;
  if (r.will.tells) push(now_, told_event{run});
  push(now_, gone_event{run, how});
  if (r.will.echoes) {
    push(now_ + 1'500, gone_event{run, how});
    push(now_ + 9'000, told_event{run});
  }
}

/// False: nothing a reconciler hears of.
bool pod_world::carry_out(const order& o) {
  const auto& key = pods()[o.pod];
  using k = order::kind;
  if (o.what != k::crash && o.what != k::failure) return true;
  for (std::uint64_t id = 1; id <= runs_.size(); ++id) {
    const auto& r = runs_[id - 1];
    if (!r.alive || r.key != key) continue;
    if (o.what == k::crash) push(now_, gone_event{id, 2});
    if (o.what == k::failure) push(now_, lost_event{id});
  }
  return false;
}

/// An end that the reconciler hears of now; otherwise it comes later, or came before.
bool pod_world::real(const gone_event& e) {
  if (!runs_[e.run - 1].alive) return dying_[e.run] == e.how; // on its way, or an echo
  end(e.run, e.how);
  return false;
}

std::optional<happening> pod_world::next() {
  while (!queue_.empty()) {
    const auto [when, e] = *queue_.begin();
    if (when.first > horizon_) return std::nullopt;
    queue_.erase(queue_.begin());
    now_ = when.first;
    if (const auto* gone = std::get_if<gone_event>(&e); gone != nullptr && !real(*gone)) continue;
    if (const auto* lost = std::get_if<lost_event>(&e); lost != nullptr && !lose(lost->run))
      continue;
    // Of a run that has ended it says no more than it said before.
    if (const auto* c = std::get_if<changed_event>(&e);
        c != nullptr && !runs_[c->run - 1].alive && !runs_[c->run - 1].will.echoes)
      continue;
    if (const auto* again = std::get_if<containers_event>(&e)) {
      auto& r = runs_[again->run - 1];
      if (!r.alive && !r.will.echoes) continue;
      if (r.alive && r.containers > 1) ++r.inside;
    }
    if (const auto* up = std::get_if<up_event>(&e)) {
      auto& r = runs_[up->run - 1];
      if (!r.alive && !r.will.echoes) continue;
      r.up = true;
    }
    if (const auto* o = std::get_if<order_event>(&e); o != nullptr && !carry_out(at(*o))) continue;
    return e;
  }
  return std::nullopt;
}

bool pod_world::all_gone() const {
  for (const auto& r : runs_)
    if (r.alive) return false;
  return true;
}

void pod_world::note(const std::string& key, const std::string& text) {
  records_[key] += std::to_string(now_) + " " + text + "\n";
}

void pod_world::status(const std::string& key, const std::string& now) {
  auto& last = status_[key];
  if (last == now) return;
  last = now;
  note(key, "= " + now);
}

std::string pod_world::record() const {
  std::string out;
  for (const auto& [key, record] : records_)
    out += key + "\n" + record;
  return out;
}

} // namespace tank::model

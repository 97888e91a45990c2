#include "tests/model/supervisor_world.hpp"

#include <algorithm>
#include <iterator>

namespace tank::model {

const std::vector<stop_reason>& reasons() {
  static const std::vector<stop_reason> all{
      stop_normal(),
      stop_shutdown(),
      stop_exited(3),
      {stop_class::abnormal, stop_cause::error, 0, "abnormal"},
      {stop_class::abnormal, stop_cause::killed, 0, {}}};
  return all;
}

namespace {

constexpr std::uint8_t killed = 4;

/// Restarts that take longer than the period may go on for ever. All commands come long before.
constexpr ms horizon = 2000;

const std::vector<std::string> ids{"a", "b", "c", "d", "e"};
constexpr std::string_view kinds[] = {"crash",   "start",  "terminate", "terminate_dynamic",
                                      "restart", "delete", "which",     "count",
                                      "exit",    "abandon"};

kid_spec random_kid(rng& r, const std::string& id, auto_shutdown when) {
  kid_spec out;
  out.id = id;
  out.restart = static_cast<child_restart>(r.below(3));
  const std::optional<ms> limits[] = {0, 5, 50, std::nullopt};
  out.limit = r.pick(limits);
  out.significant =
      when != auto_shutdown::never && out.restart != child_restart::permanent && r.chance(40);
  out.supervisor = r.chance(20);
  return out;
}

} // namespace

scenario scenario::random(rng& r) {
  scenario s;
  s.flags.strategy = static_cast<supervision>(r.below(4));
  s.flags.intensity = static_cast<std::uint32_t>(r.below(5));
  s.flags.period = std::chrono::milliseconds{20 + 10 * r.below(9)};
  s.flags.when_significant = static_cast<auto_shutdown>(r.below(3));
  const bool dynamic = s.flags.strategy == supervision::dynamic;
  const auto count = dynamic ? 1 : r.below(5);
  for (std::size_t i = 0; i < count; ++i)
    s.specs.push_back(random_kid(r, dynamic ? "t" : ids[i], s.flags.when_significant));
  s.wills.resize(1 + r.below(12));
  for (auto& w : s.wills) {
    if (r.chance(12)) w.start = will::start_kind::fails;
    if (r.chance(6)) w.start = will::start_kind::ignores;
    if (r.chance(35)) w.obey = r.chance(60) ? will::obey_kind::after : will::obey_kind::never;
    w.after = static_cast<ms>(r.below(12) * 5);
    w.why = r.chance(70) ? 1 : static_cast<std::uint8_t>(r.below(4));
    w.twice = r.chance(10);
  }
  ms t = 0;
  const auto length = 2 + r.below(14);
  for (std::size_t i = 0; i < length; ++i) {
    if (r.chance(60)) t += static_cast<ms>(r.below(9) * 5);
    command c;
    c.at = t;
    const auto dice = r.below(100);
    using k = command::kind;
    c.what = dice < 45   ? k::crash
             : dice < 60 ? k::start
             : dice < 68 ? k::terminate
             : dice < 76 ? (dynamic ? k::terminate_dynamic : k::terminate)
             : dice < 84 ? k::restart
             : dice < 89 ? k::remove
             : dice < 93 ? k::which
             : dice < 96 ? k::count
             : dice < 99 ? k::exit
                         : k::abandon;
    c.spec = random_kid(r, r.pick(ids), s.flags.when_significant);
    c.why = static_cast<std::uint8_t>(r.chance(50) ? 3 : r.below(4));
    c.nth = r.below(8);
    s.commands.push_back(c);
  }
  return s;
}

std::vector<scenario> scenario::simpler() const {
  std::vector<scenario> out;
  const auto with = [&](auto change) {
    out.push_back(*this);
    change(out.back());
  };
  without_parts(commands, [&](auto rest) { with([&](auto& s) { s.commands = std::move(rest); }); });
  if (flags.strategy != supervision::dynamic)
    without_parts(specs, [&](auto rest) { with([&](auto& s) { s.specs = std::move(rest); }); });
  for (std::size_t i = 0; i < wills.size(); ++i)
    if (wills[i] != will{}) with([&](auto& s) { s.wills[i] = will{}; });
  if (wills.size() > 1) with([&](auto& s) { s.wills.pop_back(); });
  for (std::size_t i = 0; i < specs.size(); ++i)
    if (specs[i].supervisor) with([&](auto& s) { s.specs[i].supervisor = false; });
  return out;
}

std::string scenario::text() const {
  const auto of = [](const kid_spec& k) {
    static constexpr std::string_view types[] = {"permanent", "transient", "temporary"};
    return k.id + " " + std::string{types[static_cast<std::size_t>(k.restart)]} +
           " limit=" + (k.limit ? std::to_string(*k.limit) : "infinity") +
           (k.significant ? " significant" : "") + (k.supervisor ? " supervisor" : "");
  };
  static constexpr std::string_view strategies[] = {"one_for_one", "one_for_all", "rest_for_one",
                                                    "dynamic"};
  static constexpr std::string_view when[] = {"never", "any_significant", "all_significant"};
  std::string out = std::string{strategies[static_cast<std::size_t>(flags.strategy)]} +
                    " intensity=" + std::to_string(flags.intensity) +
                    " period=" + std::to_string(flags.period.count()) + " auto_shutdown=" +
                    std::string{when[static_cast<std::size_t>(flags.when_significant)]} + "\n";
  for (const auto& k : specs)
    out += "  child " + of(k) + "\n";
  for (std::size_t i = 0; i < wills.size(); ++i) {
    const auto& w = wills[i];
    static constexpr std::string_view start[] = {"runs", "fails", "ignores"};
    static constexpr std::string_view obey[] = {"at once", "after", "never"};
    if (w == will{}) continue;
    out += "  start " + std::to_string(i) + " mod " + std::to_string(wills.size()) + ": " +
           std::string{start[static_cast<std::size_t>(w.start)]} + ", obeys " +
           std::string{obey[static_cast<std::size_t>(w.obey)]} + " " + std::to_string(w.after) +
           " ms with '" + to_string(reasons()[w.why]) + "'" + (w.twice ? ", told twice" : "") +
           "\n";
  }
  for (const auto& c : commands)
    out += "  " + std::to_string(c.at) +
           " ms: " + std::string{kinds[static_cast<std::size_t>(c.what)]} + " " +
           (c.what == command::kind::start ? of(c.spec) : c.spec.id) + " (" +
           to_string(reasons()[c.why]) + ", nth " + std::to_string(c.nth) + ")\n";
  return out;
}

world::world(const scenario& s) : s_(s) {
  for (std::size_t i = 0; i < s_.commands.size(); ++i)
    push(s_.commands[i].at, command_event{i});
}

world::started world::start(const std::string& id) {
  if (finished_) violation_ += "started after the end; ";
  for (const auto& c : children_)
    if (c.alive && c.id == id && s_.flags.strategy != supervision::dynamic)
      violation_ += "two of '" + id + "' at once; ";
  const auto& w = s_.wills[starts_++ % s_.wills.size()];
  if (w.start == will::start_kind::fails) {
    note('!', id);
    return {0, true};
  }
  if (w.start == will::start_kind::ignores) {
    note('~', id);
    return {};
  }
  children_.push_back({id, w});
  note('+', id);
  return {children_.size(), false};
}

void world::end(std::uint64_t ref, std::uint8_t why, ms after) {
  auto& c = children_[ref - 1];
  c.alive = c.alive && after > 0; // with a delay it is dying
  push(now_ + after, down_event{ref, why});
  if (c.w.twice) push(now_ + after + 7, down_event{ref, why});
}

void world::shutdown(std::uint64_t ref) {
  auto& c = children_.at(ref - 1);
  note('t', c.id + std::to_string(ref));
  if (!c.alive || c.told) return;
  c.told = true;
  if (c.w.obey == will::obey_kind::at_once) end(ref, c.w.why, 0);
  if (c.w.obey == will::obey_kind::after) end(ref, c.w.why, c.w.after);
}

void world::kill(std::uint64_t ref) {
  auto& c = children_.at(ref - 1);
  note('k', c.id + std::to_string(ref));
  if (c.alive) end(ref, killed, c.w.after % 2);
}

void world::report(supervisor_report::what kind, const std::string& id, const std::string& reason) {
  reports_.push_back(std::to_string(now_) + " report " + std::to_string(static_cast<int>(kind)) +
                     " " + id + ": " + reason + "\n");
}

void world::answer(std::size_t command, const std::string& text) {
  note('=', std::to_string(command) + " " + text);
}

void world::finished(const stop_reason& why) {
  if (finished_) violation_ += "ended twice; ";
  finished_ = true;
  for (const auto& c : children_)
    if (c.alive) violation_ += "'" + c.id + "' outlives its supervisor; ";
  note('F', to_string(why));
}

std::optional<event> world::next() {
  while (!queue_.empty()) {
    const auto [when, e] = *queue_.begin();
    if (when.first > horizon) return std::nullopt;
    queue_.erase(queue_.begin());
    now_ = when.first;
    if (const auto* d = std::get_if<down_event>(&e)) {
      auto& c = children_[d->ref - 1];
      c.alive = false;
      return e;
    }
    const auto* c = std::get_if<command_event>(&e);
    if (c == nullptr || at(*c).what != command::kind::crash) return e;
    for (std::size_t i = children_.size(); i-- > 0;)
      if (children_[i].alive && children_[i].id == at(*c).spec.id) {
        end(i + 1, at(*c).why, 0);
        break;
      }
  }
  return std::nullopt;
}

void world::note(char what, const std::string& text) {
  record_ += std::to_string(now_);
  record_ += ' ';
  record_ += what;
  record_ += text;
  record_ += '\n';
}

std::string world::record() const {
  auto sorted = reports_;
  std::sort(sorted.begin(), sorted.end());
  auto out = record_;
  for (const auto& r : sorted)
    out += r;
  return out;
}

std::string world::violation() const {
  return violation_;
}

} // namespace tank::model

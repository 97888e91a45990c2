#include "oci/pull_line.hpp"

#include <algorithm>
#include <utility>

namespace tank::oci {

// --- the decisions -------------------------------------------------------------------------------

pull_order::id pull_order::enter(std::string registry) {
  entry e;
  e.registry = std::move(registry);
  entries_.emplace(++last_, std::move(e));
  return last_;
}

void pull_order::leave(id who) {
  entries_.erase(who);
}

void pull_order::came(id who, std::uint64_t done, std::uint64_t total) {
  const auto at = entries_.find(who);
  if (at == entries_.end()) return;
  at->second.done = done;
  at->second.complete = total > 0 && done >= total;
}

unsigned pull_order::pulls_of(const std::string& registry) const {
  return static_cast<unsigned>(
      std::count_if(entries_.begin(), entries_.end(), [&](const auto& known) {
        return known.second.has_place && known.second.registry == registry;
      }));
}

pull_order::verdict pull_order::decide(time_point now) {
  verdict out;
  auto taken = static_cast<unsigned>(std::count_if(
      entries_.begin(), entries_.end(), [](const auto& known) { return known.second.has_place; }));
  for (;;) {
    auto next = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it)
      if (!it->second.has_place && (next == entries_.end() || pulls_of(it->second.registry) <
                                                                  pulls_of(next->second.registry)))
        next = it;
    if (next == entries_.end()) return out; // nobody waits, so nobody is measured
    if (taken >= rules_.places) break;
    next->second.has_place = true;
    next->second.since = now;
    ++taken;
    out.begin.push_back(next->first);
  }
  // One at a time: the place of one that gives way is for the first of those who wait.
  std::uint64_t slowest = rules_.useful_rate;
  for (auto& [who, e] : entries_) {
    if (!e.has_place || e.complete) continue;
    if (e.gives_way) return {std::move(out.begin), {}, {}};
    const auto span = std::chrono::duration_cast<std::chrono::milliseconds>(now - e.since);
    if (span < rules_.window) {
      const auto due = e.since + rules_.window;
      out.look_again = out.look_again ? std::min(*out.look_again, due) : due;
      continue;
    }
    const auto rate = (e.done - std::min(e.before, e.done)) * 1000 /
                      static_cast<std::uint64_t>(std::max<std::int64_t>(span.count(), 1));
    if (rate < slowest) {
      slowest = rate;
      out.give_way = who;
      continue;
    }
    e.since = now;
    e.before = e.done;
    const auto due = now + rules_.window;
    out.look_again = out.look_again ? std::min(*out.look_again, due) : due;
  }
  if (out.give_way) entries_.at(*out.give_way).gives_way = true;
  return out;
}

// --- threads -------------------------------------------------------------------------------------

/// Lets those go whose turn it is. Stops one that gives way. True when the lock was open meanwhile:
/// what was found then may be old.
bool pull_line::look(std::unique_lock<std::mutex>& lock,
                     std::optional<pull_order::time_point>* again) {
  const auto what = order_.decide(std::chrono::steady_clock::now());
  *again = what.look_again;
  for (const auto who : what.begin)
    all_.at(who)->begun = true;
  if (!what.begin.empty()) changed_.notify_all();
  if (!what.give_way) return false;
  const auto slow = all_.at(*what.give_way);
  slow->gave_way = true;
  lock.unlock(); // who is woken by it may come here
  slow->stop.cancel();
  lock.lock();
  return true;
}

pull_line::place::place(pull_line& line, const std::string& registry, cancellation& stop)
    : line_(line)
    , forward_(stop, [&line, mine = mine_] {
      mine->stop.cancel();
      const std::lock_guard woken{line.mutex_};
      line.changed_.notify_all();
    }) {
  std::unique_lock lock{line_.mutex_};
  id_ = line_.order_.enter(registry);
  line_.all_.emplace(id_, mine_);
  for (;;) {
    if (mine_->begun || mine_->stop.cancelled()) return;
    std::optional<pull_order::time_point> again;
    if (line_.look(lock, &again)) continue;
    if (mine_->begun) return;
    if (again)
      line_.changed_.wait_until(lock, *again);
    else
      line_.changed_.wait(lock);
  }
}

pull_line::place::~place() {
  std::unique_lock lock{line_.mutex_};
  line_.order_.leave(id_);
  line_.all_.erase(id_);
  line_.changed_.notify_all(); // those who wait look themselves
}

bool pull_line::place::begun() const {
  const std::lock_guard lock{line_.mutex_};
  return mine_->begun;
}

bool pull_line::place::gave_way() const {
  const std::lock_guard lock{line_.mutex_};
  return mine_->gave_way;
}

void pull_line::place::came(std::uint64_t done, std::uint64_t total) const {
  const std::lock_guard lock{line_.mutex_};
  line_.order_.came(id_, done, total);
}

} // namespace tank::oci

#include "kernel/container_table.hpp"

#include "kernel/protocol.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace tank::kernel {

/// Of one container, that are asked for and not answered yet. Nobody attaches that often at once.
static constexpr std::size_t max_open_terminals = 16;

static failure refused_here(const frames::ask& wanted, refusal why) {
  return fail(errc::conflict, std::string{to_string(wanted.what)}, to_string(wanted.who),
              std::string{to_string(why)});
}

const container_table::entry* container_table::find(const std::string& container) const {
  const auto it = std::find_if(entries_.begin(), entries_.end(),
                               [&](const entry& e) { return e.known.who.container == container; });
  return it == entries_.end() ? nullptr : &*it;
}

container_table::entry* container_table::find(const std::string& container) {
  return const_cast<entry*>(std::as_const(*this).find(container));
}

// --- requests ----------------------------------------------------------------------------------

result<void> container_table::allow_create(const instance& who) const {
  const auto* old = find(who.container);
  if (old == nullptr && entries_.size() >= protocol::max_containers)
    return fail(errc::limit, "create", to_string(who), "the pod has 64 containers");
  if (old == nullptr) return {};
  if (!is_terminal(old->known.at))
    return fail(errc::exists, "create", to_string(who),
                to_string(old->known.who) + " has not ended");
  if (who.attempt <= old->known.who.attempt)
    return fail(errc::exists, "create", to_string(who), "this attempt was made already");
  return {};
}

result<void> container_table::allow(const frames::ask& wanted, bool connected) const {
  const auto what = wanted.what;
  if (!connected) return refused_here(wanted, refusal::no_process);
  if (what == request::shutdown) return {};
  if (what == request::create) return allow_create(wanted.who);
  const auto* e = find(wanted.who.container);
  if (e == nullptr || e->known.who.attempt < wanted.who.attempt)
    return fail(errc::not_found, std::string{to_string(what)}, to_string(wanted.who),
                "the pod has no such container");
  if (e->known.who != wanted.who)
    return refused_here(wanted, refusal::no_process); // an earlier one
  if (what == request::open_terminal) {
    if (e->terminals.size() < max_open_terminals) return {};
    return fail(errc::limit, "open the terminal of", to_string(wanted.who),
                "too many wait for it already");
  }
  if (what == request::signal && (wanted.value < 1 || wanted.value > 64))
    return fail(errc::invalid, "signal", to_string(wanted.who), "a signal's number is 1 to 64");
  const auto judged = judge(e->known.at, what);
  if (judged.when == verdict::timing::never) return refused_here(wanted, judged.why);
  if (what == request::build && e->build_serial != 0) return refused_here(wanted, refusal::built);
  if (what == request::proceed && e->proceed_serial != 0)
    return refused_here(wanted, refusal::running);
  if (what == request::signal && judged == hold && e->held_signals >= protocol::max_held_signals)
    return fail(errc::limit, "signal", to_string(wanted.who),
                "64 signals wait for it to run already");
  return {};
}

void container_table::note(const frames::ask& sent) {
  if (sent.what == request::create) {
    std::erase_if(entries_,
                  [&](const entry& e) { return e.known.who.container == sent.who.container; });
    auto& made = entries_.emplace_back();
    made.known.who = sent.who;
    made.create_serial = sent.serial;
    return;
  }
  auto* e = find(sent.who.container);
  if (e == nullptr) return;
  if (sent.what == request::build) e->build_serial = sent.serial;
  if (sent.what == request::proceed) e->proceed_serial = sent.serial;
  if (sent.what == request::signal && e->known.at < stage::running) ++e->held_signals;
  if (sent.what == request::open_terminal) e->terminals.push_back(sent.serial);
}

// --- what is heard -----------------------------------------------------------------------------

/// The entry of a container that the shim speaks of; null when it is not to be heard.
container_table::entry* container_table::enter(const container_info& now) {
  auto* e = find(now.who.container);
  if (e == nullptr) {
    // No shim has more; one that says so is broken, and must not fill our memory.
    if (entries_.size() >= protocol::max_containers) return nullptr;
    e = &entries_.emplace_back();
    e->known.who = now.who;
    return e;
  }
  if (now.who.attempt < e->known.who.attempt) return nullptr;
  if (now.who.attempt > e->known.who.attempt) {
    *e = entry{};
    e->known.who = now.who;
  }
  return e;
}

static std::optional<session_event> event_of(const container_info& c, stage reached) {
  switch (reached) {
  case stage::ready:
    return ready_event{c.who, c.host_pid};
  case stage::built:
    return built_event{c.who};
  case stage::running:
    return running_event{c.who, c.host_pid, c.started_ns};
  case stage::exited:
    return exited_event{c.who, c.result, c.finished_ns, c.out_of_memory};
  case stage::signaled:
    return signaled_event{c.who, c.result, c.core_dumped, c.finished_ns, c.out_of_memory};
  case stage::aborted:
    return aborted_event{c.who};
  case stage::failed:
    return failed_event{c.who, c.code, c.sys, c.step, c.object, c.step_index, c.out_of_memory};
  case stage::starting:
    break;
  }
  return std::nullopt;
}

std::optional<session_event> container_table::take(frames::container said, unique_fd process) {
  auto* e = enter(said.now);
  // One end is told once: what comes behind it is a broken shim's.
  if (e == nullptr || is_terminal(e->known.at)) return std::nullopt;
  const stage reached = said.now.at;
  if (process) e->process = std::move(process);
  if (is_terminal(reached)) e->process.reset();
  // A shim tells facts as it has them now: the frame of an early stage may hold those of the end,
  // which has a frame of its own.
  if (is_terminal(reached)) {
    e->known = std::move(said.now);
  } else {
    e->known.at = reached;
    e->known.host_pid = said.now.host_pid;
    e->known.started_ns = said.now.started_ns;
  }
  return said.news ? event_of(e->known, reached) : std::nullopt;
}

std::optional<session_event> container_table::take(frames::refused said) {
  const auto& what = said.what;
  auto* e = find(what.who.container);
  if (e == nullptr || e->known.who != what.who) return std::nullopt;
  const auto is = [&](std::uint32_t asked) {
    return asked != 0 && (said.serial == 0 || said.serial == asked);
  };
  switch (what.about) {
  case request::create:
    if (!is(e->create_serial) || e->known.at != stage::starting) return std::nullopt;
    std::erase_if(entries_, [&](const entry& one) { return &one == e; });
    break;
  case request::build:
    if (!is(e->build_serial)) return std::nullopt;
    e->build_serial = 0;
    break;
  case request::proceed:
    if (!is(e->proceed_serial)) return std::nullopt;
    e->proceed_serial = 0;
    break;
  case request::open_terminal:
    if (std::erase(e->terminals, said.serial) == 0) return std::nullopt;
    break;
  case request::signal:
    if (e->held_signals > 0) --e->held_signals;
    break;
  case request::abort:
  case request::kill:
    break;
  default:
    return std::nullopt;
  }
  return std::move(said.what);
}

std::optional<session_event> container_table::take(frames::terminal said, unique_fd stream) {
  auto* e = find(said.who.container);
  if (e == nullptr || e->known.who != said.who || !stream) return std::nullopt;
  if (std::erase(e->terminals, said.serial) == 0) return std::nullopt;
  return terminal_opened_event{std::move(said.who),
                               std::make_shared<const unique_fd>(std::move(stream))};
}

std::vector<container_info> container_table::info() const {
  std::vector<container_info> all;
  all.reserve(entries_.size());
  for (const auto& e : entries_)
    all.push_back(e.known);
  return all;
}

std::vector<unique_fd> container_table::release_processes() {
  std::vector<unique_fd> all;
  for (auto& e : entries_)
    if (e.process) all.push_back(std::move(e.process));
  return all;
}

} // namespace tank::kernel

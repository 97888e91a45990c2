#include "actors/sessions/attach_table.hpp"

#include "actors/supervision/stop_reason.hpp"

#include <utility>

namespace tank {

attach_table::slots::iterator attach_table::find(const kernel::instance& who) {
  const auto it = slots_.find(who.container);
  return it != slots_.end() && it->second.attempt == who.attempt ? it : slots_.end();
}

void attach_table::begin(const kernel::instance& who, caf::actor attacher,
                         caf::response_promise answer) {
  slot s;
  s.attempt = who.attempt;
  s.attacher = std::move(attacher);
  s.begin = std::move(answer);
  slots_[who.container] = std::move(s);
}

void attach_table::open(const kernel::terminal_opened_event& e, caf::actor_system& sys,
                        attach_args args) {
  const auto it = find(e.who);
  if (it == slots_.end() || !it->second.begin)
    return; // nobody waits: closing the stream gives it back
  auto& s = it->second;
  s.serial = ++last_serial_;
  args.stream = e.stream;
  args.attacher = s.attacher;
  args.serial = s.serial;
  const auto runtime = args.runtime;
  s.session = spawn_attach_session(sys, std::move(args));
  // For a session that is killed; one that ends in order tells by itself.
  compat::watch(s.session, runtime,
                [serial = s.serial](const caf::error&) { return attach_down{serial}; });
  s.begin->deliver(attach_begun{s.session});
  s.begin.reset();
  if (!s.leaving.empty()) compat::anon_send(s.session, attach_leave{}); // asked to meanwhile
}

void attach_table::refuse(const kernel::instance& who, const error& why) {
  const auto it = find(who);
  if (it == slots_.end() || !it->second.begin) return;
  it->second.begin->deliver(to_error(why));
  free(it);
}

void attach_table::end(const std::string& container, const caf::actor& attacher,
                       caf::response_promise answer, const error& attached_by_another) {
  const auto it = slots_.find(container);
  if (it == slots_.end()) return answer.deliver(attach_finished{});
  if (it->second.attacher != attacher) return answer.deliver(to_error(attached_by_another));
  it->second.leaving.push_back(std::move(answer));
  if (it->second.session) compat::anon_send(it->second.session, attach_leave{});
}

void attach_table::over(const kernel::instance& who, const attach_ended& how,
                        const error& not_running) {
  const auto it = find(who);
  if (it == slots_.end()) return;
  if (it->second.begin) return refuse(who, not_running);
  compat::anon_send(it->second.session, attach_over{how});
}

void attach_table::end_all(const attach_ended& how, const error& not_running) {
  for (auto& [container, s] : std::exchange(slots_, {})) {
    if (s.begin) s.begin->deliver(to_error(not_running));
    if (s.session) compat::anon_send(s.session, attach_over{how});
    for (auto& waiting : s.leaving)
      waiting.deliver(attach_finished{});
  }
}

void attach_table::down(std::uint64_t serial) {
  for (auto it = slots_.begin(); it != slots_.end(); ++it)
    if (it->second.session && it->second.serial == serial) return free(it);
}

void attach_table::free(slots::iterator it) {
  auto gone = std::move(it->second);
  slots_.erase(it);
  for (auto& waiting : gone.leaving)
    waiting.deliver(attach_finished{});
}

} // namespace tank

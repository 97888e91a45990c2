#include "actors/sessions/attach_desk.hpp"

#include "actors/sessions/messages.hpp"

#include <utility>

namespace tank {

result<attach_begun> attach_desk::lend(const lending& what) {
  lease_ = std::make_shared<stream_lease>(what.session, what.container);
  attacher_ = what.attacher;
  attach_session_ = spawn_attach_session(what.system, lease_, attacher_, what.limits);
  compat::watch(attach_session_, what.lender,
                [serial = ++serial_](const caf::error&) { return attach_down{serial}; });
  TANK_TRY(lease_->begin(what.fds, attach_session_));
  return attach_begun{attach_session_};
}

void attach_desk::ask_to_leave() {
  if (lease_) compat::anon_send(attach_session_, attach_leave{});
}

void attach_desk::take_back(attach_ended why) {
  if (!lease_) return;
  lease_->end();
  compat::anon_send(attach_session_, attach_revoked{std::move(why)});
  lease_.reset();
  attach_session_ = nullptr;
  attacher_ = nullptr;
}

static void add_end(const kernel::container_info& c, std::vector<kernel::session_event>& out) {
  switch (c.at) {
  case kernel::stage::exited:
    out.emplace_back(kernel::exited_event{c.container, c.result, c.finished_ns});
    return;
  case kernel::stage::signaled:
    out.emplace_back(kernel::signaled_event{c.container, c.result, false, c.finished_ns});
    return;
  case kernel::stage::aborted:
    out.emplace_back(kernel::aborted_event{c.container});
    return;
  case kernel::stage::failed:
    out.emplace_back(kernel::failed_event{c.container, c.sys, c.step, c.object, -1});
    return;
  case kernel::stage::starting:
  case kernel::stage::ready:
  case kernel::stage::built:
  case kernel::stage::running:
    return;
  }
}

std::vector<kernel::session_event> known_ends(const kernel::session& session) {
  std::vector<kernel::session_event> out;
  for (const auto& container : session.info())
    add_end(container, out);
  if (auto end = session.down()) out.emplace_back(*std::move(end));
  return out;
}

} // namespace tank

#include "actors/runtime/runtime_attach.hpp"

#include "actors/supervision/stop_reason.hpp"
#include "pod/container_end.hpp"

#include <utility>

namespace tank {

static constexpr auto attaching = "attach to";

error refusal(const char* step, const std::string& key, std::string cause, std::string hint) {
  return fail(errc::conflict, step, key, std::move(cause), std::move(hint)).value();
}

result<run::index> running_container(const pod_run& run, const std::string& key,
                                     const std::string& container, const char* step) {
  const auto who = run.find(container);
  if (!who) return fail(errc::not_found, step, key, "it has no container '" + container + "'");
  if (!run.container(*who).runs()) return failure{refusal(step, key, "not_running")};
  return *who;
}

void runtime_attach::begin(const begin_attach& m, caf::response_promise answer,
                           kernel::session* session) {
  const auto refuse = [&](const error& why) { answer.deliver(to_error(why)); };
  if (!m.attacher)
    return refuse(fail(errc::invalid, attaching, key_, "there is no attacher").value());
  const auto index = running_container(run_, key_, m.container, attaching);
  if (!index) return refuse(index.error());
  const auto& c = run_.settings().containers[*index];
  const bool up = run_.sandbox() == sandbox_state::up && session != nullptr; // not being adopted
  if (run_.container(*index).state() != container_state::running || !up)
    return refuse(refusal(attaching, key_, "not_running"));
  if (!c.tty)
    return refuse(refusal(attaching, key_, "not_a_tty", "its container has no 'tty: true'"));
  if (table_.taken(c.name)) return refuse(refusal(attaching, key_, "attached"));
  const kernel::instance who{c.name, run_.container(*index).attempt()};
  table_.begin(who, m.attacher, std::move(answer));
  if (auto asked = session->open_terminal(who, {}); !asked) table_.refuse(who, asked.error());
}

void runtime_attach::end(const end_attach& m, caf::response_promise answer) {
  const auto index = run_.find(m.container);
  if (!index) return answer.deliver(attach_finished{}); // nobody can be attached to it
  table_.end(run_.settings().containers[*index].name, m.attacher, std::move(answer),
             refusal("end the attach to", key_, "attached", "by another one"));
}

void runtime_attach::refuse(const kernel::refused_event& e) {
  table_.refuse(e.who, refusal(attaching, key_, std::string{to_string(e.why)}));
}

void runtime_attach::container_ended(const run::child_ended& e) {
  attach_ended how{attach_end::lost, 0, describe(e.end)};
  if (e.end.how == run::outcome::exited) how = {attach_end::exited, e.end.code, {}};
  if (e.end.how == run::outcome::signaled) how = {attach_end::signaled, e.end.code, {}};
  table_.over({run_.settings().containers[e.who].name, e.attempt}, how,
              refusal(attaching, key_, "not_running"));
}

void runtime_attach::lose_all(std::string why) {
  table_.end_all({attach_end::lost, 0, std::move(why)}, refusal(attaching, key_, "not_running"));
}

} // namespace tank

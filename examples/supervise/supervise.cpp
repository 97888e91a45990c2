// OTP supervision in a CAF program: no pods, no root, nothing else of Tank.
#include <tank/actors/role.hpp>
#include <tank/actors/supervision/supervisor.hpp>
#include <tank/actors/supervision/messages.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>

namespace {

/// Divides 100. Any actor can be a child; as a tank::role its exceptions keep their text.
struct divider : tank::role {
  using role::role;
  caf::behavior make_behavior() override {
    return {[](int by) {
      if (by == 0) throw std::domain_error("division by zero");
      return 100 / by;
    }};
  }
};

void report(const tank::supervisor_report& r) {
  std::printf("supervisor: child %s: %s\n", r.id.c_str(), r.reason.c_str());
}

/// The child of this name, from outside of any actor.
caf::actor find(caf::scoped_actor& self, const caf::actor& supervisor, const std::string& id) {
  caf::actor found;
  tank::compat::ask(&*self, supervisor, tank::which_children{})
      .receive(
          [&](const tank::child_list& list) {
            for (const auto& c : list.children)
              if (c.id == id) found = c.child;
          },
          [](const caf::error&) {});
  return found;
}

void divide(caf::scoped_actor& self, const caf::actor& by_whom, int by) {
  tank::compat::ask(&*self, by_whom, by)
      .receive([&](int result) { std::printf("100 / %d = %d\n", by, result); },
               [&](const caf::error&) { std::printf("100 / %d: no answer\n", by); });
}

} // namespace

int main() {
  tank::init_supervisor_types();
  caf::actor_system_config config;
  caf::actor_system system{config};
  const auto boss = tank::spawn_supervisor(
      system,
      {.strategy = tank::supervision::one_for_all,
       .intensity = 3,
       .period = std::chrono::seconds{5}},
      {tank::child_of<divider>("first"), tank::child_of<divider>("second")}, report);
  if (!boss) {
    std::printf("%s\n", boss.error().message().c_str());
    return 1;
  }
  caf::scoped_actor self{system};
  const auto before = find(self, *boss, "second");
  divide(self, before, 5);
  divide(self, before, 0); // it fails; both are started anew
  auto after = before;
  while (!after || after == before) // the supervisor may not have heard of the failure yet
    after = find(self, *boss, "second");
  std::printf("another divider\n");
  divide(self, after, 4);
  tank::compat::send_exit(*boss, caf::make_error(caf::exit_reason::user_shutdown));
  self->wait_for(*boss); // its children have ended before it
  std::printf("stopped\n");
}

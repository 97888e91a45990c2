#include "actors/reconcile/janitor.hpp"
#include "actors/reconcile/messages.hpp"
#include "actors/role.hpp"
#include "pod/pod_storage.hpp"

#include <map>
#include <set>
#include <utility>

namespace tank {

// --- what it tells itself ---

/// The reconciler has ended (`down`), or it is time to look for its successor.
struct janitor_due {
  bool down = false;
  bool operator==(const janitor_due&) const = default;
};

} // namespace tank

#define TANK_JANITOR_MESSAGES(M, O, b) M(b, janitor_due, down)
TANK_PRIVATE_MESSAGES(tank_janitor, ::tank::compat::roles::janitor, TANK_JANITOR_MESSAGES);

namespace tank {

namespace {

class janitor final : public role {
 public:
  janitor(caf::actor_config& cfg, janitor_options options)
      : role(cfg)
      , options_(std::move(options))
      , uids_(std::move(options_.known)) {}

  const char* name() const override { return "tank.janitor"; }

  caf::behavior make_behavior() override {
    subscribe();
    return {
        [this](const pod_changed& m) { on_changed(m.status); },
        [this](const pod_removed& m) { on_removed(m.key); },
        [this](const janitor_due& m) {
          if (m.down)
            compat::send_after(this, self(), options_.resubscribe, janitor_due{false});
          else
            subscribe();
        },
    };
  }

 private:
  void subscribe() {
    const auto reconciler = options_.reconciler();
    compat::send(this, reconciler, watch_pods{self()});
    compat::watch(reconciler, self(), [](const caf::error&) { return janitor_due{true}; });
    // Whoever went before this one listened is not told of.
    compat::ask(this, reconciler, list_pods{})
        .then([this](const pod_list& all) { on_list(all); }, [](const caf::error&) {});
  }

  void on_list(const pod_list& all) {
    std::set<std::string> there;
    for (const auto& pod : all.pods)
      there.insert(pod.key);
    for (auto it = uids_.begin(); it != uids_.end();)
      if (there.contains(it->first)) {
        ++it;
      } else {
        options_.storage->forget(it->second);
        it = uids_.erase(it);
      }
  }

  void on_changed(const pod_status& status) {
    auto& uid = uids_[status.key];
    if (!uid.empty() && uid != status.uid) options_.storage->forget(uid); // edited: another pod
    uid = status.uid;
    options_.storage->want(uid);
  }

  void on_removed(const std::string& key) {
    if (const auto gone = uids_.extract(key); !gone.empty())
      options_.storage->forget(gone.mapped());
  }

  janitor_options options_;
  std::map<std::string, std::string> uids_; ///< by key: who is desired
};

} // namespace

caf::actor spawn_janitor(caf::actor_system& sys, janitor_options options) {
  return sys.spawn<janitor>(std::move(options));
}

} // namespace tank

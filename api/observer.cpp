#include "api/observer.hpp"

#include "actors/manifests/messages.hpp"
#include "actors/reconcile/messages.hpp"
#include "actors/role.hpp"
#include "api/messages.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include <sys/eventfd.h>

namespace tank {

status_board::status_board() : event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}

template <class Change>
void status_board::change(Change apply) {
  {
    const std::lock_guard lock{mutex_};
    apply();
  }
  ::eventfd_write(event_.get(), 1);
}

instance::view status_board::look() {
  eventfd_t count = 0;
  ::eventfd_read(event_.get(), &count);
  const std::lock_guard lock{mutex_};
  auto view = now_;
  view.pods.reserve(pods_.size());
  for (const auto& [key, pod] : pods_)
    view.pods.push_back(pod);
  return view;
}

void status_board::set(const pod_status& status) {
  change([&] { pods_[status.key] = status; });
}
void status_board::erase(const std::string& key) {
  change([&] { pods_.erase(key); });
}
void status_board::sync(const std::vector<pod_status>& all) {
  change([&] {
    pods_.clear();
    for (const auto& pod : all)
      pods_[pod.key] = pod;
    now_.synced = true;
  });
}
void status_board::set_files(std::vector<file_status> files) {
  change([&] { now_.files = std::move(files); });
}
void status_board::order_stop(const stop_all_pods& order) {
  const std::lock_guard lock{mutex_};
  stop_ = order;
}
std::optional<stop_all_pods> status_board::stop_order() {
  const std::lock_guard lock{mutex_};
  return stop_;
}
void status_board::set_stopped() {
  change([&] { now_.stopped = true; });
}
void status_board::wake() {
  change([] {});
}
void status_board::set_failed(std::string why) {
  change([&] { now_.failed = std::move(why); });
}

namespace {

/// After this long a question that found nobody is asked again: its successor is there soon.
constexpr std::chrono::milliseconds ask_again{50};

class observer final : public role {
 public:
  observer(caf::actor_config& cfg, observer_options options)
      : role(cfg)
      , options_(std::move(options)) {}

  const char* name() const override { return "tank.observer"; }

  caf::behavior make_behavior() override {
    compat::send(this, options_.reconciler(), watch_pods{self()});
    look_at_files();
    stop_all();
    return {
        [this](const pod_changed& m) { options_.board->set(m.status); },
        [this](const pod_removed& m) { options_.board->erase(m.key); },
        [this](const observer_due& m) {
          if (m.stopping)
            stop_all();
          else
            look_at_files();
        },
    };
  }

  void on_exit() override { options_.board.reset(); } // a timer may keep this object for longer

 private:
  void later(bool stopping) { compat::send_after(this, self(), ask_again, observer_due{stopping}); }

  void look_at_files() {
    compat::ask(this, options_.watcher(), rescan_files{})
        .then([this](const file_list& got) { on_files(got); },
              [this](const caf::error&) { later(false); });
  }
  void on_files(const file_list& got) {
    options_.board->set_files(got.files);
    compat::ask(this, options_.reconciler(), sync_pods{})
        .then([this](const pods_synced&) { on_synced(); },
              [this](const caf::error&) { later(false); });
  }
  /// One list, so that "synced" never shows before the pods do.
  void on_synced() {
    const auto reconciler = options_.reconciler();
    compat::ask(this, reconciler, list_pods{})
        .then([this](const pod_list& got) { options_.board->sync(got.pods); },
              [this](const caf::error&) { later(false); });
    compat::send(this, reconciler, watch_pods{self()}); // nothing, if it was heard the first time
  }

  void stop_all() {
    const auto order = options_.board->stop_order();
    if (!order) return;
    compat::ask(this, options_.reconciler(), *order)
        .then([this](const pods_stopped&) { options_.board->set_stopped(); },
              [this](const caf::error&) { later(true); });
  }

  observer_options options_;
};

} // namespace

caf::actor spawn_observer(caf::actor_system& sys, observer_options options) {
  return sys.spawn<observer>(std::move(options));
}

} // namespace tank

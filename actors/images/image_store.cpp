#include "actors/images/image_store.hpp"

#include "actors/role.hpp"
#include "actors/run_job.hpp"
#include "oci/reference.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <utility>

namespace tank {

// --- what it tells itself ---

/// A flight has landed.
struct image_landed {
  std::string name;
  std::shared_ptr<const oci::image> image;
  error why;
  std::uint64_t flight = 0; ///< which pull; 0: it was looked for here
};
struct image_flight_progress {
  std::uint64_t flight = 0;
  std::string text;
};
/// Somebody who used an image has ended.
struct image_user_down {
  caf::actor_addr user;
};

} // namespace tank

#define TANK_IMAGE_STORE_MESSAGES(M, O, b)                                                         \
  O(b, image_landed)                                                                               \
  O(b, image_flight_progress)                                                                      \
  O(b, image_user_down)
TANK_PRIVATE_MESSAGES(tank_image_store, ::tank::compat::roles::images, TANK_IMAGE_STORE_MESSAGES);

namespace tank {

error explain_missing_image(error why, const std::string& name, bool offline) {
  if (why.code != errc::not_found) return why;
  if (offline)
    return fail(errc::not_found, "find image", name,
                "not_cached: it is not here, and Tank is offline",
                "pull or load it while online, or set images.offline to false")
        .value();
  return fail(errc::not_found, "find image", name, "not in the local store",
              "load it with: tank image load ARCHIVE, or tank image import ROOTFS.tar " + name)
      .value();
}

image_lookup plan_lookup(std::string_view name, std::string_view policy) {
  if (policy == "Never") return image_lookup::here_only;
  const auto parsed = oci::parse_reference(name);
  if (!parsed || parsed->registry == "localhost") return image_lookup::here_only;
  return policy == "Always" ? image_lookup::registry : image_lookup::here_first;
}

namespace {

/// More often than this nobody reads.
constexpr std::chrono::milliseconds progress_pause{200};

class image_store final : public role {
 public:
  image_store(caf::actor_config& cfg, image_store_options options)
      : role(cfg)
      , options_(std::move(options)) {}

  const char* name() const override { return "tank.image_store"; }

  caf::behavior make_behavior() override {
    return {
        [this](const resolve_image& m) { resolve(m); },
        [this](const image_landed& m) { m.flight == 0 ? look_done(m) : pull_done(m); },
        [this](const image_flight_progress& m) { show(m); },
        [this](const image_user_down& m) { forget(m.user); },
        [this](const get_layers_in_use&) { return in_use(); },
    };
  }

  void on_exit() override {
    // Whoever waits would wait for ever: a successor knows nothing of the question.
    const auto ended = [](const resolve_image& asked) {
      compat::anon_send(asked.to, image_resolved{asked.ticket, nullptr,
                                                 fail(errc::unavailable, "resolve image",
                                                      asked.name, "the image store has ended")
                                                     .value(),
                                                 image_problem::pull_failed});
    };
    for (const auto& [name, waiting] : looks_)
      std::for_each(waiting.begin(), waiting.end(), ended);
    for (const auto& [id, flight] : flights_) {
      flight.stop->cancel();
      std::for_each(flight.waiting.begin(), flight.waiting.end(), ended);
    }
    looks_.clear();
    flights_.clear();
    used_.clear();
  }

 private:
  struct pull_flight {
    std::vector<resolve_image> waiting;
    std::shared_ptr<oci::cancellation> stop;
    std::string text; ///< the last progress
  };

  void resolve(const resolve_image& m) {
    watch(m.to);
    if (options_.pull && plan_lookup(m.name, m.policy) == image_lookup::registry) return pull(m);
    auto& waiting = looks_[m.name];
    waiting.push_back(m);
    if (waiting.size() > 1) return;
    run_job(*options_.jobs, self(),
            [name = m.name, resolve = options_.resolve] { return landed(name, resolve(name), 0); });
  }

  static image_landed landed(const std::string& name, result<oci::image> found,
                             std::uint64_t flight) {
    image_landed out{name, nullptr, {}, flight};
    if (found)
      out.image = std::make_shared<const oci::image>(*std::move(found));
    else
      out.why = std::move(found).error();
    return out;
  }

  void look_done(const image_landed& m) {
    const auto look = looks_.extract(m.name);
    if (look.empty()) return;
    const bool pullable = m.why.code == errc::not_found || m.why.code == errc::corrupt;
    for (const auto& asked : look.mapped()) {
      const auto how = plan_lookup(asked.name, asked.policy);
      if (!m.image && pullable && options_.pull && how == image_lookup::here_first)
        pull(asked);
      else
        answer(asked, m,
               m.why.code == errc::invalid ? image_problem::invalid_name
                                           : image_problem::never_pull);
    }
  }

  /// Who may pull an image for one pod may not for another: pulls are shared by those alone that
  /// have the same logins.
  bool join(const resolve_image& m) {
    const auto it = std::find_if(flights_.begin(), flights_.end(), [&](const auto& one) {
      const auto& first = one.second.waiting.front();
      return first.name == m.name && first.logins == m.logins;
    });
    if (it == flights_.end()) return false;
    it->second.waiting.push_back(m);
    compat::send(this, m.to, image_progress{m.ticket, it->second.text});
    return true;
  }

  void pull(const resolve_image& m) {
    if (join(m)) return;
    const auto id = ++last_flight_;
    auto& flight = flights_[id];
    flight.waiting.push_back(m);
    flight.stop = std::make_shared<oci::cancellation>();
    flight.text = "pulling image '" + m.name + "'";
    compat::send(this, m.to, image_progress{m.ticket, flight.text});
    auto tell = [weak = self().address(), id,
                 last = std::chrono::steady_clock::time_point{}](std::string text) mutable {
      const auto at = std::chrono::steady_clock::now();
      if (at - last < progress_pause) return;
      last = at;
      if (auto strong = caf::actor_cast<caf::actor>(weak))
        compat::anon_send(strong, image_flight_progress{id, std::move(text)});
    };
    run_job(*options_.pulls, self(),
            [what = wanted_image{m.name, m.logins}, id, stop = flight.stop, pull = options_.pull,
             tell = std::move(tell)] { return landed(what.name, pull(what, tell, *stop), id); });
  }

  void show(const image_flight_progress& m) {
    const auto it = flights_.find(m.flight);
    if (it == flights_.end()) return;
    it->second.text = m.text;
    for (const auto& asked : it->second.waiting)
      compat::send(this, asked.to, image_progress{asked.ticket, m.text});
  }

  void pull_done(const image_landed& m) {
    const auto it = flights_.find(m.flight);
    if (it == flights_.end()) return; // nobody wanted it any more
    const auto flight = std::move(it->second);
    flights_.erase(it);
    for (const auto& asked : flight.waiting)
      answer(asked, m, image_problem::pull_failed);
  }

  void answer(const resolve_image& asked, const image_landed& m, image_problem problem) {
    if (m.image) {
      used_[asked.to.address()].push_back(m.image);
      return compat::send(this, asked.to, image_resolved{asked.ticket, m.image, {}});
    }
    auto why = problem == image_problem::pull_failed
                   ? m.why
                   : explain_missing_image(m.why, asked.name, offline_for(asked));
    compat::send(this, asked.to, image_resolved{asked.ticket, nullptr, std::move(why), problem});
  }

  /// Images that no registry has, and those that nobody may ask for, are missing for that reason.
  [[nodiscard]] bool offline_for(const resolve_image& asked) const {
    return options_.offline && plan_lookup(asked.name, asked.policy) != image_lookup::here_only;
  }

  void watch(const caf::actor& user) {
    if (!watched_.insert(user.address()).second) return;
    compat::watch(user, self(),
                  [addr = user.address()](const caf::error&) { return image_user_down{addr}; });
  }

  /// The user has ended: what only it waited for is not wanted any more.
  void forget(const caf::actor_addr& user) {
    watched_.erase(user);
    used_.erase(user);
    const auto of_user = [&](const resolve_image& asked) { return asked.to.address() == user; };
    for (auto it = flights_.begin(); it != flights_.end();) {
      auto& flight = it->second;
      std::erase_if(flight.waiting, of_user);
      if (!flight.waiting.empty()) {
        ++it;
        continue;
      }
      flight.stop->cancel();
      it = flights_.erase(it);
    }
  }

  layers_in_use in_use() const {
    layers_in_use out;
    for (const auto& [user, images] : used_)
      for (const auto& image : images)
        out.layers.insert(out.layers.end(), image->layers.begin(), image->layers.end());
    std::sort(out.layers.begin(), out.layers.end());
    out.layers.erase(std::unique(out.layers.begin(), out.layers.end()), out.layers.end());
    return out;
  }

  image_store_options options_;
  std::map<std::string, std::vector<resolve_image>> looks_; ///< by name; who waits
  std::map<std::uint64_t, pull_flight> flights_;            ///< pulls under way, by number
  std::uint64_t last_flight_ = 0;
  std::set<caf::actor_addr> watched_;
  std::map<caf::actor_addr, std::vector<std::shared_ptr<const oci::image>>> used_;
};

} // namespace

caf::actor spawn_image_store(caf::actor_system& sys, image_store_options options) {
  return sys.spawn<image_store>(std::move(options));
}

} // namespace tank

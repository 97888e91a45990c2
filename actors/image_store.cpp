#include "actors/image_store.hpp"

#include "actors/message_types.hpp"
#include "actors/role.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace tank {

error explain_missing_image(error why, const std::string& name) {
  if (why.code != errc::not_found) return why;
  return fail(errc::not_found, "find image", name, "not in the local store",
              "load it with: tank image load ARCHIVE, or tank image import ROOTFS.tar " + name)
      .value();
}

namespace {

class image_store final : public role {
 public:
  image_store(caf::actor_config& cfg, image_store_options options)
      : role(cfg)
      , options_(std::move(options)) {}

  const char* name() const override { return "tank.image_store"; }

  caf::behavior make_behavior() override {
    return {
        [this](const resolve_image& m) { resolve(m); },
        [this](const image_landed& m) { land(m); },
        [this](const image_user_down& m) { used_.erase(m.user); },
        [this](const get_layers_in_use&) { return in_use(); },
    };
  }

  void on_exit() override {
    // Whoever waits would wait for ever: a successor knows nothing of the question.
    for (const auto& [name, waiting] : flights_)
      for (const auto& asked : waiting)
        compat::anon_send(asked.to, image_resolved{asked.ticket, nullptr,
                                                   fail(errc::unavailable, "resolve image", name,
                                                        "the image store has ended")
                                                       .value()});
    flights_.clear();
    used_.clear();
  }

 private:
  void resolve(const resolve_image& m) {
    auto& waiting = flights_[m.name];
    waiting.push_back(m);
    if (waiting.size() > 1) return;
    run_job(*options_.jobs, self(), [name = m.name, resolve = options_.resolve] {
      auto found = resolve(name);
      image_landed landed{name, nullptr, {}};
      if (found)
        landed.image = std::make_shared<const oci::image>(*std::move(found));
      else
        landed.why = explain_missing_image(std::move(found).error(), name);
      return landed;
    });
  }

  void land(const image_landed& m) {
    const auto flight = flights_.extract(m.name);
    if (flight.empty()) return;
    for (const auto& asked : flight.mapped()) {
      if (m.image) use(asked.to, m.image);
      compat::send(this, asked.to, image_resolved{asked.ticket, m.image, m.why});
    }
  }

  void use(const caf::actor& user, const std::shared_ptr<const oci::image>& image) {
    auto& images = used_[user.address()];
    if (images.empty())
      compat::watch(user, self(),
                    [addr = user.address()](const caf::error&) { return image_user_down{addr}; });
    images.push_back(image);
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
  std::map<std::string, std::vector<resolve_image>> flights_; ///< by name; who waits
  std::map<caf::actor_addr, std::vector<std::shared_ptr<const oci::image>>> used_;
};

} // namespace

caf::actor spawn_image_store(caf::actor_system& sys, image_store_options options) {
  return sys.spawn<image_store>(std::move(options));
}

} // namespace tank

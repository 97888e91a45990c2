/// Pulling as one call: which registry, whose login, which certificates, over which connections.
/// Made once from settings; every pull reads the users' files anew, so that a login or a changed
/// registries.conf counts at once.
#pragma once

#include "base/error.hpp"
#include "oci/http_curl.hpp"
#include "oci/pull.hpp"
#include "oci/registry_world.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace tank::oci {

struct puller_options {
  store_layout layout;
  store_options store;
  registry_world world;
  http_settings http;
  retry_policy retry;
  std::uint64_t max_manifest = 4u << 20; ///< bytes of a manifest or an index
  unsigned parallel_layers = 3;          ///< of one image
  std::function<std::int64_t()> now;
  std::function<double()> jitter;
};

/// Thread-safe: any number of pulls at once.
class image_puller {
 public:
  explicit image_puller(puller_options options);

  /// Blocking; see pull_image. `stop` outlives the call only.
  [[nodiscard]] result<image> pull(std::string_view name, const pull_options& how,
                                   cancellation& stop) const;

 private:
  puller_options options_;
  std::shared_ptr<layer_flights> flights_ = std::make_shared<layer_flights>();
};

} // namespace tank::oci

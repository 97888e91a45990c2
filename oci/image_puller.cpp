#include "oci/image_puller.hpp"

namespace tank::oci {

image_puller::image_puller(puller_options options) : options_(std::move(options)) {}

result<image> image_puller::pull(std::string_view name, const pull_options& how,
                                 cancellation& stop) const {
  const auto wanted = TANK_TRY(parse_reference(name));
  auto world = options_.world;
  for (const auto& text : how.logins)
    world.logins.given.push_back(TANK_TRY(parse_auth_file(text, "a pod's login")));
  const auto sources = TANK_TRY(find_sources(world, wanted, is_short_name(name)));
  // One for each pull: connections and tokens are shared within it, and nothing stays behind.
  const std::shared_ptr<http_transport> transport =
      TANK_TRY(curl_transport::start(options_.http, stop));
  auto sharing = how;
  sharing.flights = flights_.get();
  sharing.parallel = options_.parallel_layers;
  client_options client;
  client.retry = options_.retry;
  client.max_manifest = options_.max_manifest;
  client.trust = [dirs = options_.world.certificate_dirs](const std::string& host) {
    return read_trust(dirs, host);
  };
  client.now = options_.now;
  client.jitter = options_.jitter;
  return pull_image(
      options_.layout, options_.store, wanted, sources,
      [&](const registry_endpoint& e) {
        return std::make_unique<registry_client>(transport, e, client, stop);
      },
      sharing, stop);
}

} // namespace tank::oci

/// From a name to a stored image: manifest, config, and every layer that is not here yet streamed
/// from the registry straight into the unpacking.
#pragma once

#include "base/error.hpp"
#include "oci/cancellation.hpp"
#include "oci/image.hpp"
#include "oci/layer_flights.hpp"
#include "oci/manifest.hpp"
#include "oci/records.hpp"
#include "oci/reference.hpp"
#include "oci/registry_client.hpp"
#include "oci/store.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tank::oci {

enum class layer_state : std::uint8_t {
  waiting,
  downloading,
  done,
  present, ///< was here; nothing is downloaded
  failed,
};
std::string_view to_string(layer_state s) noexcept;

/// How far one layer is.
struct layer_progress {
  std::string blob; ///< its digest
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  layer_state state = layer_state::waiting;
  bool operator==(const layer_progress&) const = default;
};

struct pull_options {
  platform host = host_platform();
  unsigned parallel = 3; ///< layers at a time; each costs about 2 MiB and two threads' work
  /// Called from several threads, one call at a time; at most once for each 128 KiB and on each
  /// change of state. Must be quick.
  std::function<void(const layer_progress&)> progress;
  layer_flights* flights = nullptr; ///< shared by the pulls of a process; may be null
  /// Contents of docker's config.json, asked before the world's own logins. Programs that they name
  /// are not run.
  std::vector<std::string> logins;
};

/// One place that may have the image, tried in order.
struct pull_source {
  registry_endpoint endpoint;
  std::string tag_or_digest;
};

/// Makes a client for an endpoint. Clients share the transport.
using client_factory = std::function<std::unique_ptr<registry_client>(const registry_endpoint&)>;

/// Pulls `name` into the store. The name is not visible before everything is verified. On failure
/// or cancellation, layers that were whole by then stay for the next attempt, until a prune;
/// nothing else does, and with a full disk they go too. When the registry's image is the stored
/// one, nothing is downloaded. Blocking; makes threads of its own for the layers and ends them.
/// Errors: of the last source, those before it in the cause; errc::cancelled.
result<image> pull_image(const store_layout& layout, const store_options& store,
                         const reference& name, const std::vector<pull_source>& sources,
                         const client_factory& clients, const pull_options& options,
                         cancellation& stop);

} // namespace tank::oci

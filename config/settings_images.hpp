/// The parts of the settings that are about images: registries, room on disk, limits. Pure.
///
///     registries:                     # as [[registry]] of registries.conf, version 2
///       - prefix: docker.io/library   # "host[:port][/path]" or "*.domain"
///         location: mirror.lan/hub    # what the prefix is replaced by; itself when not given
///         insecure: false             # TLS is not verified; http where there is none
///         blocked: false              # nothing is pulled from there
///         mirrorByDigestOnly: false
///         mirrors:                    # asked before it, in order
///           - {location: cache.lan:5000, insecure: true, pullFromMirror: all}
///         tokenServers: [auth.lan]    # hosts that may see the login besides its own site
///     images:
///       gcHighPercent: 85             # of the filesystem: above, room is made; 100: never
///       gcLowPercent: 80              # down to this
///       gcMinimumAge: 2m              # an image asked for since then stays
///       gcPeriod: 5m                  # between looks, besides those after each pull
///       maxUnpackedSize: 64Gi         # of one image
///       maxEntries: 2000000           # files and directories of one image
///       maxManifestSize: 4Mi          # of a manifest or an index
///       parallelPulls: 3              # images at a time
///       parallelLayers: 3             # of one image
///       stallTimeout: 30s             # of a transfer that stands still; it is tried again
///       attempts: 5                   # of one request, the first included
///       offline: false                # registries are never asked
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace tank::config {

struct mirror_setting {
  std::string location;
  bool insecure = false;
  std::string pull_from; ///< "", "all", "digest-only", "tag-only"
  bool operator==(const mirror_setting&) const = default;
};

struct registry_setting {
  std::string prefix;
  std::string location; ///< as given; empty: the prefix itself
  bool insecure = false;
  bool blocked = false;
  bool mirror_by_digest_only = false;
  std::vector<mirror_setting> mirrors;
  std::vector<std::string> token_servers;
  bool operator==(const registry_setting&) const = default;
};

struct image_settings {
  std::uint32_t gc_high_percent = 85; ///< 1..100
  std::uint32_t gc_low_percent = 80;  ///< 0..gc_high_percent
  std::chrono::milliseconds gc_minimum_age = std::chrono::minutes{2};
  std::chrono::milliseconds gc_period = std::chrono::minutes{5}; ///< 1 s at least
  std::uint64_t max_unpacked_bytes = 64ULL << 30;
  std::uint64_t max_entries = 2'000'000;
  std::uint64_t max_manifest_bytes = 4u << 20;
  std::uint32_t parallel_pulls = 3;                                   ///< 1..100
  std::uint32_t parallel_layers = 3;                                  ///< 1..100
  std::chrono::milliseconds stall_timeout = std::chrono::seconds{30}; ///< 1 s at least
  std::uint32_t attempts = 5;                                         ///< 1..100
  bool offline = false;
  bool operator==(const image_settings&) const = default;
};

} // namespace tank::config

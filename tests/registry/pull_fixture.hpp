/// One small image, an honest registry for it that a test bends, and a store to pull into.
#pragma once

#include "oci/http_curl.hpp"
#include "oci/pull.hpp"
#include "tests/registry/fault_registry.hpp"
#include "tests/unit/oci/support.hpp"
#include "tests/unit/oci/tar_builder.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace tank::testing {

using namespace tank::oci;
using oci::testing::compressed;
using oci::testing::scratch;
using oci::testing::tar_builder;

/// An image's documents and blobs, by digest.
struct parts {
  std::map<std::string, std::string> blobs; ///< layers and config
  std::string manifest;
  std::string manifest_digest;
  std::string layer_digest;
  std::string config_digest;
};

/// Bytes that do not compress, so that there is something to cut.
inline std::string noise(std::size_t size) {
  std::string out;
  std::uint64_t x = 88172645463325252ULL;
  while (out.size() < size) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    out.append(reinterpret_cast<const char*>(&x), sizeof x);
  }
  return out;
}

inline parts image_of_layer(const std::string& layer, const std::string& tar,
                            const platform& target = host_platform(),
                            digest_algorithm algorithm = digest_algorithm::sha256) {
  parts out;
  const auto named = [algorithm](const std::string& text) {
    return oci::digest_of(text, algorithm);
  };
  image_settings settings;
  settings.target = target;
  settings.diff_ids = {named(tar)};
  settings.config.cmd = {"/bin/true"};
  const auto config = to_json(settings, "test");
  image_manifest m;
  m.config = {std::string{media::config}, named(config), config.size(), {}, {}};
  m.layers = {{std::string{media::layer_gzip}, named(layer), layer.size(), {}, {}}};
  out.manifest = to_json(m);
  out.manifest_digest = named(out.manifest).to_string();
  out.layer_digest = m.layers[0].content.to_string();
  out.config_digest = m.config.content.to_string();
  out.blobs = {{out.layer_digest, layer}, {out.config_digest, config}};
  return out;
}

inline parts image_without_layers() {
  auto out = image_of_layer("", "");
  image_settings settings;
  settings.target = host_platform();
  const auto config = to_json(settings, "test");
  image_manifest m;
  m.config = {std::string{media::config}, digest_of(config), config.size(), {}, {}};
  out.manifest = to_json(m);
  out.manifest_digest = digest_of(out.manifest).to_string();
  out.blobs = {{m.config.content.to_string(), config}};
  return out;
}

inline parts small_image() {
  const auto tar =
      tar_builder{}.dir("etc").file("etc/conf", "hello").file("big", noise(700'000)).bytes();
  return image_of_layer(compressed(tar), tar);
}

struct pull_world {
  /// What a test wants instead of the honest answer; `nth` counts requests for that target from 0.
  using bend = std::function<std::optional<reply>(const seen_request& r, unsigned nth)>;

  explicit pull_world(bend b = {}, bool tls = false, parts p = small_image())
      : image(std::move(p))
      , bent(std::move(b))
      , registry([this](const seen_request& r) { return answer(r); }, tls) {}

  parts image;
  bend bent;
  scratch s;
  unpack_limits limits;
  cancellation stop;
  http_settings http{.connect_limit = std::chrono::seconds{20},
                     .whole_limit = std::chrono::seconds{60},
                     .stall_limit = std::chrono::seconds{1},
                     .stall_rate = 512};
  retry_policy retry{.attempts = 3,
                     .base = std::chrono::milliseconds{1},
                     .cap = std::chrono::milliseconds{4},
                     .patience = std::chrono::seconds{2}};
  std::optional<credentials> login;
  std::vector<std::string> token_servers;
  bool insecure = false;
  std::map<std::string, std::string> authorities; ///< by host:port
  std::string tag = "1";
  layer_flights* flights = nullptr;
  std::mutex mutex_; ///< guards `counts`
  std::map<std::string, unsigned> counts;
  fault_registry registry; ///< last: its threads use the others

  reply answer(const seen_request& r) {
    unsigned nth = 0;
    {
      const std::lock_guard lock{mutex_};
      nth = counts[r.target]++;
    }
    if (bent)
      if (auto wanted = bent(r, nth)) return *std::move(wanted);
    return honest(r);
  }

  [[nodiscard]] reply honest(const seen_request& r) const {
    if (r.target == "/v2/") return {.body = "{}"};
    if (r.target.starts_with("/v2/a/manifests/"))
      return {.headers = {{"Content-Type", std::string{media::manifest}},
                          {"Docker-Content-Digest", image.manifest_digest}},
              .body = image.manifest};
    const std::string blobs = "/v2/a/blobs/";
    const auto it = r.target.starts_with(blobs) ? image.blobs.find(r.target.substr(blobs.size()))
                                                : image.blobs.end();
    if (it == image.blobs.end()) return {.status = 404, .body = "{}"};
    const auto range = r.header("range");
    if (!range.starts_with("bytes=")) return {.body = it->second};
    const auto from = std::stoull(range.substr(6));
    return {.status = 206,
            .headers = {{"Content-Range", "bytes " + std::to_string(from) + "-" +
                                              std::to_string(it->second.size() - 1) + "/" +
                                              std::to_string(it->second.size())}},
            .body = it->second.substr(from)};
  }

  [[nodiscard]] bool is_layer(const seen_request& r) const {
    return r.target == "/v2/a/blobs/" + image.layer_digest;
  }

  result<oci::image> pull(const std::string& as = "1") {
    const store_options options{.limits = limits, .rootless = true, .durable = false};
    auto opened = store::open(s.dir / "images", options);
    if (!opened) return tl::make_unexpected(opened.error());
    auto started = curl_transport::start(http, stop);
    if (!started) return tl::make_unexpected(started.error());
    const std::shared_ptr<http_transport> transport = *std::move(started);
    client_options client;
    client.retry = retry;
    client.now = [] { return std::int64_t{1'000'000'000}; };
    client.jitter = [] { return 0.0; };
    client.trust = [this](const std::string& host) -> result<tls_trust> {
      tls_trust t;
      if (const auto it = authorities.find(host); it != authorities.end())
        t.extra_authorities = it->second;
      return t;
    };
    const registry_endpoint endpoint{registry.at(), "a", insecure, login, token_servers};
    const auto name = parse_reference(registry.at() + "/a:" + as).value();
    return pull_image(
        {s.dir / "images"}, options, name, {{endpoint, tag}},
        [&](const registry_endpoint& e) {
          return std::make_unique<registry_client>(transport, e, client, stop);
        },
        {.flights = flights}, stop);
  }

  [[nodiscard]] std::size_t files_in(const char* below) const {
    std::size_t n = 0;
    for (const auto& e : std::filesystem::recursive_directory_iterator{s.dir / "images" / below})
      n += e.is_directory() && std::string_view{below} != "layers" ? 0 : 1;
    return n;
  }

  void check_nothing_left() const {
    for (const auto* below : {"blobs", "layers", "refs", "tmp"})
      CHECK_MESSAGE(files_in(below) == 0, below);
  }

  /// The pull fails with this kind and text, and leaves nothing.
  std::string check_fails(errc code, const std::string& part) {
    const auto pulled = pull();
    REQUIRE_FALSE(pulled);
    const auto text = pulled.error().message();
    CHECK_MESSAGE(pulled.error().code == code, text);
    CHECK_MESSAGE(text.find(part) != std::string::npos, text);
    check_nothing_left();
    return text;
  }

  void check_pulls() {
    const auto pulled = pull();
    REQUIRE_MESSAGE(pulled, pulled.error().message());
    REQUIRE(pulled->layers.size() == 1);
    CHECK(oci::testing::slurp(pulled->layers[0] / "etc/conf") == "hello");
    CHECK(files_in("tmp") == 0);
    CHECK(files_in("blobs") == 3);
  }
};

} // namespace tank::testing

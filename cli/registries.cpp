#include "cli/registries.hpp"

#include "pod/layers_in_use.hpp"

#include <chrono>
#include <random>
#include <unistd.h>

namespace tank::cli {

namespace {

oci::http_settings http_from(const cli_context& context) {
  const auto get = [&](const char* upper, const char* lower) {
    const auto value = context.env(lower).value_or("");
    return value.empty() && upper != nullptr ? context.env(upper).value_or("") : value;
  };
  oci::http_settings http;
  http.agent = std::string{"tank/"} + TANK_VERSION;
  http.http_proxy =
      get(nullptr, "http_proxy"); // the upper case one may come from a request: httpoxy
  http.https_proxy = get("HTTPS_PROXY", "https_proxy");
  http.no_proxy = get("NO_PROXY", "no_proxy");
  return http;
}

oci::registry_rules rules_from(const std::vector<config::registry_setting>& registries) {
  oci::registry_rules out;
  for (const auto& r : registries) {
    oci::registry_rule rule;
    rule.prefix = r.prefix;
    // A domain's hosts stay who they are unless it says otherwise.
    rule.location = r.location.empty() && !r.prefix.starts_with("*.") ? r.prefix : r.location;
    rule.insecure = r.insecure;
    rule.blocked = r.blocked;
    rule.digest_mirrors_only = r.mirror_by_digest_only;
    for (const auto& m : r.mirrors)
      rule.mirrors.push_back({m.location, m.insecure, m.pull_from});
    rule.token_servers = r.token_servers;
    out.rules.push_back(std::move(rule));
  }
  return out;
}

} // namespace

oci::store_options store_options_from(const config::settings& settings) {
  auto out = store_options_of(settings.dirs);
  out.limits.max_bytes = settings.images.max_unpacked_bytes;
  out.limits.max_entries = settings.images.max_entries;
  out.parallel_layers = settings.images.parallel_layers;
  return out;
}

oci::image_puller make_puller(const cli_context& context, const config::settings& settings) {
  const auto& images = settings.images;
  oci::puller_options options;
  options.layout = {settings.dirs.images()};
  options.store = store_options_from(settings);
  options.world = oci::user_world(context.env, ::geteuid());
  options.world.own = rules_from(settings.registries);
  options.http = http_from(context);
  options.http.stall_limit = std::chrono::ceil<std::chrono::seconds>(images.stall_timeout);
  options.retry.attempts = images.attempts;
  options.max_manifest = images.max_manifest_bytes;
  options.parallel_layers = images.parallel_layers;
  options.now = [realtime = context.realtime_ns] { return realtime() / 1'000'000'000; };
  options.jitter = [] {
    thread_local std::minstd_rand random{std::random_device{}()};
    return std::uniform_real_distribution<>{0.0, 1.0}(random);
  };
  return oci::image_puller{std::move(options)};
}

} // namespace tank::cli

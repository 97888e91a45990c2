#include "cli/registries.hpp"

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

} // namespace

oci::image_puller make_puller(const cli_context& context, const std::filesystem::path& images) {
  oci::puller_options options;
  options.layout = {images};
  options.world = oci::user_world(context.env, ::geteuid());
  options.http = http_from(context);
  options.now = [realtime = context.realtime_ns] { return realtime() / 1'000'000'000; };
  options.jitter = [] {
    thread_local std::minstd_rand random{std::random_device{}()};
    return std::uniform_real_distribution<>{0.0, 1.0}(random);
  };
  return oci::image_puller{std::move(options)};
}

} // namespace tank::cli

#include "cli/serve.hpp"

#include <unistd.h>

namespace tank::cli {

result<start_options> make_start_options(const cli_context& context,
                                         const config::settings& settings, directories dirs,
                                         std::vector<std::filesystem::path> sources) {
  if (::geteuid() != 0)
    return fail(errc::denied, "run pods as", "this user", "it needs root", "use sudo");
  start_options options;
  const auto shim = TANK_TRY(find_shim(context.executable, settings.shim));
  options.port = context.make_port(shim);
  options.host = TANK_TRY(kernel::probe_host());
  options.backoff = named_backoff(settings.backoff).value_or(backoff_profile{});
  const auto& figures = settings.backoff_figures;
  options.backoff.base = figures.base.value_or(options.backoff.base);
  options.backoff.cap = figures.max.value_or(options.backoff.cap);
  options.backoff.stable = figures.reset.value_or(options.backoff.stable);
  options.backoff.first_at_once = figures.immediate_first.value_or(options.backoff.first_at_once);
  options.rescan = settings.resync;
  options.dirs = std::move(dirs);
  options.sources = std::move(sources);
  options.wall_clock = context.realtime_ns;
  options.version = TANK_VERSION;
  return options;
}

} // namespace tank::cli

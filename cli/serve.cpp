#include "cli/serve.hpp"

#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace tank::cli {

void log_to_stderr(const std::string& level) {
  auto logger =
      std::make_shared<spdlog::logger>("tank", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

result<start_options> make_start_options(const cli_context& context,
                                         const config::settings& settings, directories dirs,
                                         std::vector<std::filesystem::path> sources) {
  if (!context.is_root) return fail(errc::denied, "run pods", "", "only root can", "use sudo");
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
  options.logs = {settings.log_max_bytes, settings.log_max_files};
  options.rescan = settings.resync;
  options.dirs = std::move(dirs);
  options.sources = std::move(sources);
  options.wall_clock = context.realtime_ns;
  options.version = TANK_VERSION;
  return options;
}

} // namespace tank::cli

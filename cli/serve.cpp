#include "cli/serve.hpp"

#include "cli/line_writer.hpp"
#include "cli/registries.hpp"
#include "cli/tables.hpp"
#include "kernel/cgroup_probe.hpp"
#include "kernel/open_files.hpp"
#include "oci/registry_pull.hpp"

#include <cstdint>
#include <memory>
#include <utility>

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace tank::cli {
namespace {

/// Names of files and texts of workloads come into the log: they must not steer a terminal.
/// Nobody waits for who reads it: what that costs is told when it reads again.
class stderr_sink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (lost_ > 0 && add(message, "event=log_lost lines=" + std::to_string(lost_))) lost_ = 0;
    if (!add(message, printable({message.payload.data(), message.payload.size()}))) ++lost_;
  }
  void flush_() override {}

 private:
  bool add(spdlog::details::log_msg message, const std::string& text) {
    message.payload = text;
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    return lines_.add({line.data(), line.size()});
  }

  line_writer lines_{STDERR_FILENO};
  std::uint64_t lost_ = 0;
};

class lines_sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit lines_sink(std::shared_ptr<log_lines> to) : to_{std::move(to)} {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    to_->add({message.payload.data(), message.payload.size()});
  }
  void flush_() override {}

 private:
  std::shared_ptr<log_lines> to_;
};

} // namespace

log_lines::log_lines() : event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}

void log_lines::add(std::string line) {
  {
    const std::lock_guard lock{mutex_};
    lines_.push_back(std::move(line));
  }
  ::eventfd_write(event_.get(), 1);
}

std::vector<std::string> log_lines::take() {
  eventfd_t count = 0;
  ::eventfd_read(event_.get(), &count);
  const std::lock_guard lock{mutex_};
  return std::exchange(lines_, {});
}

std::shared_ptr<log_lines> log_to_lines(const std::string& level) {
  auto lines = std::make_shared<log_lines>();
  auto logger = std::make_shared<spdlog::logger>("tank", std::make_shared<lines_sink>(lines));
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
  return lines;
}

void log_to_stderr(const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>("tank", std::make_shared<stderr_sink>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

result<void> take_descriptors() {
  constexpr std::uint64_t own = 64; // of the daemon's own: files that it reads, clients, pulls
  constexpr std::uint64_t few_pods = 100;
  const auto limit = TANK_TRY(kernel::raise_open_files());
  if (limit < own + few_pods * kernel::files_of_a_pod)
    spdlog::warn(
        "event=few_descriptors limit={} pods={} hint=\"raise the hard limit of open files\"", limit,
        limit > own ? (limit - own) / kernel::files_of_a_pod : 0);
  return {};
}

/// What the settings leave open comes from the host.
static result<id_pool> id_pool_of(const config::settings& settings) {
  auto pool = settings.ids_base ? id_pool{} : TANK_TRY(host_id_pool());
  if (!settings.ids_base && settings.ids_count && *settings.ids_count > pool.count)
    return fail(errc::invalid, "use the setting", "userNamespaces.count",
                "from id " + std::to_string(pool.first) + " there are only " +
                    std::to_string(pool.count) + " ranges of 65536",
                "set userNamespaces.base too");
  pool.first = settings.ids_base.value_or(pool.first);
  pool.count = settings.ids_count.value_or(pool.count);
  return pool;
}

result<start_options> make_start_options(const cli_context& context,
                                         const config::settings& settings, directories dirs,
                                         std::vector<std::filesystem::path> sources) {
  if (!context.is_root) return fail(errc::denied, "run pods", "", "only root can", "use sudo");
  start_options options;
  const auto shim = TANK_TRY(find_shim(context.executable, settings.shim));
  options.port = context.make_port(shim);
  options.host = TANK_TRY(kernel::probe_host());
  options.ids = TANK_TRY(id_pool_of(settings));
  options.backoff = named_backoff(settings.backoff).value_or(backoff_profile{});
  const auto& figures = settings.backoff_figures;
  options.backoff.base = figures.base.value_or(options.backoff.base);
  options.backoff.cap = figures.max.value_or(options.backoff.cap);
  options.backoff.stable = figures.reset.value_or(options.backoff.stable);
  options.backoff.first_at_once = figures.immediate_first.value_or(options.backoff.first_at_once);
  options.backoff.give_up = settings.give_up;
  options.logs = {settings.log_max_bytes, settings.log_max_files};
  options.rescan = settings.resync;
  options.images.offline = settings.images.offline;
  if (!settings.images.offline)
    options.pull =
        make_image_pull(make_puller(context, settings), {.places = settings.images.parallel_pulls});
  options.images.limits = store_options_from(settings).limits;
  options.images.parallel_pulls = settings.images.parallel_pulls;
  options.images.room = {settings.images.gc_high_percent, settings.images.gc_low_percent};
  options.images.minimum_age = settings.images.gc_minimum_age;
  options.dirs = std::move(dirs);
  options.dirs.cgroups = TANK_TRY(kernel::probe_cgroups(settings.cgroup_root));
  options.pids_limit = settings.pod_pids_limit;
  options.sources = std::move(sources);
  options.wall_clock = context.realtime_ns;
  options.version = TANK_VERSION;
  options.logger = spdlog::default_logger();
  return options;
}

} // namespace tank::cli

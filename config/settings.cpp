#include "config/settings.hpp"

#include "config/settings_reader.hpp"
#include "config/yaml.hpp"

#include <optional>

namespace tank::config {
namespace {

/// Reads one settings file; the first thing wrong ends it.
class file_reader {
 public:
  file_reader(settings& to, const std::string& file) : to_(to), in_(file) {}

  result<void> read(std::string_view text) {
    const auto parsed = parse_text(text);
    if (!parsed.errors.empty())
      return in_.wrong(parsed.errors.front().at, parsed.errors.front().reason);
    if (parsed.documents.size() > 1 && !parsed.documents[1].root.is_null())
      return in_.wrong(parsed.documents[1].at, "it holds more than one document");
    if (parsed.documents.empty() || parsed.documents.front().root.is_null()) return {};
    const auto& document = parsed.documents.front();
    if (!document.duplicates.empty())
      return in_.wrong(document.duplicates.front().at, document.duplicates.front().field + ": " +
                                                           document.duplicates.front().reason);
    const auto* fields = document.root.as_mapping();
    if (fields == nullptr)
      return in_.wrong(document.root.at(),
                       "expected object, got " + std::string{document.root.kind_name()});
    for (const auto& field : *fields)
      TANK_TRY(read_field(field));
    return {};
  }

 private:
  result<void> read_field(const member& field) {
    if (field.key == "manifestDir") return read_path(field, to_.dirs.manifest_dir);
    if (field.key == "stateDir") return read_path(field, to_.dirs.state_dir);
    if (field.key == "runDir") return read_path(field, to_.dirs.run_dir);
    if (field.key == "logDir") return read_path(field, to_.dirs.log_dir);
    if (field.key == "seccompDir") return read_path(field, to_.dirs.seccomp_dir);
    if (field.key == "shim") return read_path(field, to_.shim);
    if (field.key == "cgroupRoot") return read_path(field, to_.cgroup_root);
    if (field.key == "podPidsLimit") return read_pids(field);
    if (field.key == "backoff") return read_backoff(field);
    if (field.key == "giveUp") return read_give_up(field);
    if (field.key == "logMaxSize")
      return in_.size(field, to_.log_max_bytes, 4096, std::uint64_t{1} << 40, "4Ki and 1Ti");
    if (field.key == "logMaxFiles") return in_.number(field, to_.log_max_files, 2, 100);
    if (field.key == "resync") return in_.duration(field, to_.resync, std::chrono::seconds{1});
    if (field.key == "logLevel")
      return in_.word(field, to_.log_level, {"debug", "info", "warn", "error"});
    if (field.key == "stopPodsOnExit") return in_.flag(field, to_.stop_pods_on_exit);
    if (field.key == "registries") return read_registries(in_, field, to_.registries);
    if (field.key == "images") return read_images(in_, field, to_.images);
    if (field.key == "userNamespaces") return read_ids(field);
    return in_.wrong(field.at, field.key + ": unknown field");
  }

  /// A figure that is not given comes from the host, or is the default.
  result<void> read_ids(const member& field) {
    constexpr std::int64_t each = 65536;
    constexpr std::int64_t end = (std::int64_t{1} << 32) - each;
    constexpr std::int64_t default_base = 0x7000'0000;
    const auto* figures = field.value.as_mapping();
    if (figures == nullptr) return in_.wrong_value(field, "expected object with base and count");
    std::int64_t last = 0;
    for (const auto& figure : *figures) {
      const auto* number = figure.value.as_integer();
      const bool base = figure.key == "base";
      if (!base && figure.key != "count")
        return in_.wrong(figure.at, field.key + "." + figure.key + ": unknown field");
      const auto least = base ? each : 1;
      const auto most = base ? end - each : end / each - 1;
      if (number == nullptr || *number < least || *number > most)
        return in_.wrong_value(figure, "must be a number between " + std::to_string(least) +
                                           " and " + std::to_string(most));
      (base ? to_.ids_base : to_.ids_count) = static_cast<std::uint32_t>(*number);
    }
    last = to_.ids_base.value_or(default_base) + to_.ids_count.value_or(1) * each;
    if (last > end) return in_.wrong_value(field, "its last id is above 4294901759");
    return {};
  }

  result<void> read_path(const member& field, std::filesystem::path& to) const {
    const auto path = TANK_TRY(in_.text(field));
    if (!path.starts_with("/")) return in_.wrong_value(field, "must be an absolute path");
    to = path;
    return {};
  }

  result<void> read_pids(const member& field) {
    const auto* count = field.value.as_integer();
    // Fewer are not enough for a shell script; more than there are process numbers bound nothing.
    if (count == nullptr || (*count != 0 && *count < 16) || *count > (1 << 22))
      return in_.wrong_value(field, "must be a number between 16 and 4194304, or 0");
    to_.pod_pids_limit = static_cast<std::uint32_t>(*count);
    return {};
  }

  result<void> read_backoff(const member& field) {
    const auto* figures = field.value.as_mapping();
    if (figures == nullptr) return read_profile(field);
    for (const auto& figure : *figures)
      TANK_TRY(read_figure(figure));
    const auto& f = to_.backoff_figures;
    if (f.base && f.max && *f.max < *f.base)
      return in_.wrong_value(field, "max must not be shorter than base");
    return {};
  }

  result<void> read_give_up(const member& field) {
    const auto rule = parse_give_up(TANK_TRY(in_.text(field)));
    if (!rule) return in_.wrong_value(field, rule.error().message());
    to_.give_up = *rule;
    return {};
  }

  result<void> read_profile(const member& field) {
    auto name = parse_backoff_name(TANK_TRY(in_.text(field)));
    if (!name) return in_.wrong_value(field, name.error().cause);
    to_.backoff = *std::move(name);
    return {};
  }

  result<void> read_figure(const member& figure) {
    auto& f = to_.backoff_figures;
    const auto span = [&](std::optional<std::chrono::milliseconds>& to) {
      return in_.duration(figure, to.emplace());
    };
    if (figure.key == "profile") return read_profile(figure);
    if (figure.key == "base") return span(f.base);
    if (figure.key == "max") return span(f.max);
    if (figure.key == "reset") return span(f.reset);
    if (figure.key == "immediateFirst") return in_.flag(figure, f.immediate_first.emplace());
    return in_.wrong(figure.at, "backoff." + figure.key + ": unknown field");
  }

  settings& to_;
  const settings_reader in_;
};

} // namespace

settings_file choose_settings_file(const settings_overrides& flags, const environment& env) {
  if (flags.config) return {*flags.config, true};
  if (const auto named = env("TANK_CONFIG"); named && !named->empty()) return {*named, true};
  return {default_settings_file, false};
}

result<settings> resolve_settings(const settings_overrides& flags, const environment& env,
                                  std::string_view text, const std::string& file,
                                  const std::filesystem::path& cwd) {
  settings chosen;
  TANK_TRY(file_reader{chosen, file}.read(text));
  const auto choose = [&](std::filesystem::path& dir, const std::optional<std::string>& flag,
                          const char* variable) {
    const auto given = flag ? flag : env(variable);
    if (given && !given->empty()) dir = (cwd / *given).lexically_normal();
  };
  choose(chosen.dirs.manifest_dir, flags.manifest_dir, "TANK_MANIFEST_DIR");
  choose(chosen.dirs.state_dir, flags.state_dir, "TANK_STATE_DIR");
  choose(chosen.dirs.run_dir, flags.run_dir, "TANK_RUN_DIR");
  choose(chosen.dirs.log_dir, flags.log_dir, "TANK_LOG_DIR");
  const auto root = flags.cgroup_root ? flags.cgroup_root : env("TANK_CGROUP_ROOT");
  if (root && !root->empty()) chosen.cgroup_root = *root;
  return chosen;
}

} // namespace tank::config

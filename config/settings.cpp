#include "config/settings.hpp"

#include "config/duration.hpp"
#include "config/quantity.hpp"
#include "config/yaml.hpp"

#include <algorithm>
#include <initializer_list>

namespace tank::config {
namespace {

/// Reads one settings file; the first thing wrong ends it.
class reader {
 public:
  reader(settings& to, const std::string& file) : to_(to), file_(file) {}

  result<void> read(std::string_view text) {
    const auto parsed = parse_text(text);
    if (!parsed.errors.empty())
      return wrong(parsed.errors.front().at, parsed.errors.front().reason);
    if (parsed.documents.size() > 1 && !parsed.documents[1].root.is_null())
      return wrong(parsed.documents[1].at, "it holds more than one document");
    if (parsed.documents.empty() || parsed.documents.front().root.is_null()) return {};
    const auto& document = parsed.documents.front();
    if (!document.duplicates.empty())
      return wrong(document.duplicates.front().at,
                   document.duplicates.front().field + ": " + document.duplicates.front().reason);
    const auto* fields = document.root.as_mapping();
    if (fields == nullptr)
      return wrong(document.root.at(),
                   "expected object, got " + std::string{document.root.kind_name()});
    for (const auto& field : *fields)
      TANK_TRY(read_field(field));
    return {};
  }

 private:
  [[nodiscard]] failure wrong(position at, std::string reason) const {
    std::string where = file_;
    if (at.line != 0) where += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
    return fail(errc::invalid, "read settings", std::move(where), std::move(reason));
  }
  [[nodiscard]] failure wrong_value(const member& field, const std::string& reason) const {
    return wrong(field.value.at(), field.key + ": " + reason);
  }

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
    if (field.key == "logMaxSize") return read_size(field);
    if (field.key == "logMaxFiles") return read_files(field);
    if (field.key == "resync") {
      to_.resync = TANK_TRY(duration(field));
      return to_.resync < std::chrono::seconds{1}
                 ? result<void>{wrong_value(field, "must be at least 1s")}
                 : result<void>{};
    }
    if (field.key == "logLevel")
      return read_word(field, to_.log_level, {"debug", "info", "warn", "error"});
    if (field.key == "stopPodsOnExit") return read_flag(field, to_.stop_pods_on_exit);
    return wrong(field.at, field.key + ": unknown field");
  }

  result<void> read_flag(const member& field, bool& to) const {
    const auto* flag = field.value.as_bool();
    if (flag == nullptr)
      return wrong_value(field, "expected boolean, got " + std::string{field.value.kind_name()});
    to = *flag;
    return {};
  }

  [[nodiscard]] result<std::string> text(const member& field) const {
    if (const auto* found = field.value.as_string()) return *found;
    return wrong_value(field, "expected string, got " + std::string{field.value.kind_name()});
  }

  result<void> read_path(const member& field, std::filesystem::path& to) const {
    const auto path = TANK_TRY(text(field));
    if (!path.starts_with("/")) return wrong_value(field, "must be an absolute path");
    to = path;
    return {};
  }

  result<void> read_word(const member& field, std::string& to,
                         std::initializer_list<std::string_view> words) const {
    const auto word = TANK_TRY(text(field));
    if (std::find(words.begin(), words.end(), word) == words.end()) {
      std::string list;
      for (auto w : words)
        list.append(list.empty() ? "" : ", ").append(w);
      return wrong_value(field, "must be one of " + list);
    }
    to = word;
    return {};
  }

  /// A number without a unit is refused but for 0: nobody knows whether it means seconds.
  [[nodiscard]] result<std::chrono::milliseconds> duration(const member& field) const {
    const auto* zero = field.value.as_integer();
    if (zero != nullptr && *zero == 0) return std::chrono::milliseconds{0};
    auto span = parse_duration(TANK_TRY(text(field)));
    if (!span) return wrong_value(field, span.error().message());
    return *span;
  }

  result<void> read_size(const member& field) {
    auto size = quantity::parse(field.value.scalar_text());
    if (!size) return wrong_value(field, size.error().message());
    if (size->value() < 4096 || size->value() > std::int64_t{1} << 40)
      return wrong_value(field, "must be between 4Ki and 1Ti");
    to_.log_max_bytes = static_cast<std::uint64_t>(size->value());
    return {};
  }

  result<void> read_files(const member& field) {
    const auto* count = field.value.as_integer();
    if (count == nullptr || *count < 2 || *count > 100)
      return wrong_value(field, "must be a number between 2 and 100");
    to_.log_max_files = static_cast<std::uint32_t>(*count);
    return {};
  }

  result<void> read_pids(const member& field) {
    const auto* count = field.value.as_integer();
    // Fewer are not enough for a shell script; more than there are process numbers bound nothing.
    if (count == nullptr || (*count != 0 && *count < 16) || *count > (1 << 22))
      return wrong_value(field, "must be a number between 16 and 4194304, or 0");
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
      return wrong_value(field, "max must not be shorter than base");
    return {};
  }

  result<void> read_profile(const member& field) {
    return read_word(field, to_.backoff, {"default", "kubelet", "fast"});
  }

  result<void> read_figure(const member& figure) {
    auto& f = to_.backoff_figures;
    if (figure.key == "profile") return read_profile(figure);
    if (figure.key == "base")
      f.base = TANK_TRY(duration(figure));
    else if (figure.key == "max")
      f.max = TANK_TRY(duration(figure));
    else if (figure.key == "reset")
      f.reset = TANK_TRY(duration(figure));
    else if (figure.key != "immediateFirst")
      return wrong(figure.at, "backoff." + figure.key + ": unknown field");
    else if (const auto* at_once = figure.value.as_bool())
      f.immediate_first = *at_once;
    else
      return wrong_value(figure, "expected boolean, got " + std::string{figure.value.kind_name()});
    return {};
  }

  settings& to_;
  const std::string& file_;
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
  TANK_TRY(reader{chosen, file}.read(text));
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

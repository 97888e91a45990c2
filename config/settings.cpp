#include "config/settings.hpp"

#include "config/yaml.hpp"

#include <algorithm>
#include <array>

namespace tank::config {
namespace {

constexpr std::array<std::string_view, 3> backoffs{"default", "kubelet", "fast"};
constexpr std::array<std::string_view, 4> levels{"debug", "info", "warn", "error"};

failure wrong(const std::string& file, position at, std::string reason) {
  std::string where = file;
  if (at.line != 0) where += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  return fail(errc::invalid, "read settings", std::move(where), std::move(reason));
}

template <class Words>
bool one_of(const Words& words, const std::string& text) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

result<void> read_field(settings& to, const member& field, const std::string& file) {
  const auto* text = field.value.as_string();
  if (text == nullptr)
    return wrong(file, field.value.at(),
                 field.key + ": expected string, got " + std::string{field.value.kind_name()});
  auto path = [&](std::filesystem::path& dir) -> result<void> {
    if (!text->starts_with("/"))
      return wrong(file, field.value.at(), field.key + ": must be an absolute path");
    dir = *text;
    return {};
  };
  if (field.key == "manifestDir") return path(to.dirs.manifest_dir);
  if (field.key == "stateDir") return path(to.dirs.state_dir);
  if (field.key == "runDir") return path(to.dirs.run_dir);
  if (field.key == "logDir") return path(to.dirs.log_dir);
  if (field.key == "shim") return path(to.shim);
  if (field.key == "backoff") {
    if (!one_of(backoffs, *text))
      return wrong(file, field.value.at(), "backoff: must be default, kubelet or fast");
    to.backoff = *text;
  } else if (field.key == "logLevel") {
    if (!one_of(levels, *text))
      return wrong(file, field.value.at(), "logLevel: must be debug, info, warn or error");
    to.log_level = *text;
  } else {
    return wrong(file, field.at, field.key + ": unknown field");
  }
  return {};
}

result<void> read_text(settings& to, std::string_view text, const std::string& file) {
  const auto parsed = parse_text(text);
  if (!parsed.errors.empty())
    return wrong(file, parsed.errors.front().at, parsed.errors.front().reason);
  if (parsed.documents.size() > 1)
    return wrong(file, parsed.documents[1].at, "it holds more than one document");
  if (parsed.documents.empty() || parsed.documents.front().root.is_null()) return {};
  const auto& document = parsed.documents.front();
  if (!document.duplicates.empty())
    return wrong(file, document.duplicates.front().at,
                 document.duplicates.front().field + ": " + document.duplicates.front().reason);
  const auto* fields = document.root.as_mapping();
  if (fields == nullptr)
    return wrong(file, document.root.at(),
                 "expected object, got " + std::string{document.root.kind_name()});
  for (const auto& field : *fields)
    TANK_TRY(read_field(to, field, file));
  return {};
}

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
  TANK_TRY(read_text(chosen, text, file));
  auto choose = [&](std::filesystem::path& dir, const std::optional<std::string>& flag,
                    const char* variable) {
    auto given = flag;
    if (!given) given = env(variable);
    if (given && !given->empty()) dir = (cwd / *given).lexically_normal();
  };
  choose(chosen.dirs.manifest_dir, flags.manifest_dir, "TANK_MANIFEST_DIR");
  choose(chosen.dirs.state_dir, flags.state_dir, "TANK_STATE_DIR");
  choose(chosen.dirs.run_dir, flags.run_dir, "TANK_RUN_DIR");
  choose(chosen.dirs.log_dir, flags.log_dir, "TANK_LOG_DIR");
  return chosen;
}

} // namespace tank::config

#include "cli/invocation.hpp"
#include "cli/manifest_dir.hpp"
#include "cli/tables.hpp"
#include "cli/validate.hpp"
#include "config/pod.hpp"

#include <CLI/App.hpp>

#include <filesystem>
#include <ostream>

namespace tank::cli {
namespace {

std::string_view word_of(applied what) {
  switch (what) {
  case applied::created:
    return "applied";
  case applied::updated:
    return "updated";
  case applied::unchanged:
    return "unchanged";
  }
  return "";
}

result<int> apply_file(invocation& line, const std::string& file) {
  const auto settings = TANK_TRY(line.settings());
  const auto text = TANK_TRY(read_manifest(line.context, file));
  const auto parsed = config::parse_manifest(text);
  const std::string shown = file == "-" ? "<stdin>" : file;
  print_diagnostics(line.context.err, parsed, shown);
  if (!all_runnable(parsed)) {
    if (parsed.valid() && parsed.empty())
      return fail(errc::invalid, "apply", shown,
                  "it holds no Pod, ConfigMap, Secret or PersistentVolumeClaim");
    return exit_failed; // the diagnostics say why
  }
  for (const auto& outcome : TANK_TRY(apply_manifest(settings.dirs.manifest_dir, text, parsed)))
    line.context.out << spoken(outcome.key) << " " << word_of(outcome.what) << "\n";
  return exit_ok;
}

/// The manifests that are meant: those in a directory, in order of their names.
result<std::vector<std::string>> files_of(const std::string& given) {
  std::error_code ec;
  if (!std::filesystem::is_directory(given, ec)) return std::vector<std::string>{given};
  std::vector<std::string> out;
  for (const auto& file : TANK_TRY(manifest_files(given)))
    out.push_back(file.string());
  if (out.empty())
    return fail(errc::not_found, "apply", given, "no *.yaml, *.yml or *.json is in it");
  return out;
}

result<int> apply_all(invocation& line, const std::vector<std::string>& given) {
  std::vector<std::string> files;
  for (const auto& one : given)
    for (auto& file : TANK_TRY(files_of(one)))
      files.push_back(std::move(file));
  int status = exit_ok;
  for (const auto& file : files) {
    const auto done = apply_file(line, file);
    if (!done && files.size() == 1) return done;
    if (!done) line.context.err << "tank: " << printable(done.error().message()) << "\n";
    if (!done || *done != exit_ok) status = exit_failed;
  }
  return status;
}

} // namespace

void add_apply(CLI::App& app, invocation& line) {
  auto given = std::make_shared<std::vector<std::string>>();
  auto* command = app.add_subcommand("apply", "Write manifests into the watch directory");
  command
      ->add_option("-f,--filename", *given,
                   "a manifest, or a directory of them; - is stdin; may come again")
      ->required()
      ->type_name("FILE");
  command->footer(
      "A manifest is validated first; an invalid or unsupported one changes nothing, and those\n"
      "behind it are applied all the same.\n"
      "\nExamples:\n"
      "  tank apply -f web.yaml\n"
      "  tank apply -f web.yaml -f db.yaml\n"
      "  tank apply -f manifests/\n"
      "  generate | tank apply -f -");
  command->callback(
      [&line, given] { line.action = [&line, given] { return apply_all(line, *given); }; });
}

} // namespace tank::cli

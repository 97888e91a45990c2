#include "cli/invocation.hpp"
#include "cli/manifest_dir.hpp"
#include "cli/tables.hpp"
#include "cli/validate.hpp"
#include "config/pod.hpp"

#include <CLI/App.hpp>

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

} // namespace

void add_apply(CLI::App& app, invocation& line) {
  auto file = std::make_shared<std::string>();
  auto* command = app.add_subcommand("apply", "Write a manifest into the watch directory");
  command->add_option("-f,--filename", *file, "the manifest; - is stdin")
      ->required()
      ->type_name("FILE");
  command->footer(
      "The manifest is validated first; an invalid or unsupported one changes nothing.\n"
      "\nExamples:\n"
      "  tank apply -f web.yaml\n"
      "  generate | tank apply -f -");
  command->callback(
      [&line, file] { line.action = [&line, file] { return apply_file(line, *file); }; });
}

} // namespace tank::cli

#include "cli/client.hpp"
#include "cli/invocation.hpp"
#include "cli/manifest_dir.hpp"
#include "cli/tables.hpp"
#include "config/pod.hpp"

#include <CLI/App.hpp>

#include <algorithm>
#include <optional>
#include <ostream>

namespace tank::cli {
namespace {

struct delete_options {
  std::vector<std::string> names;
  std::string file;
  std::string ns;
};

result<std::vector<std::string>> keys_of(invocation& line, const delete_options& given) {
  std::vector<std::string> keys;
  for (const auto& name : given.names)
    keys.push_back(TANK_TRY(parse_pod_name(name, given.ns)).key());
  if (given.file.empty()) return keys;
  const auto text = TANK_TRY(read_manifest(line.context, given.file));
  const auto parsed = config::parse_manifest(text);
  for (const auto& doc : parsed.pods)
    if (!doc.pod.metadata.name.empty())
      keys.push_back(doc.pod.metadata.ns + "/" + doc.pod.metadata.name);
  if (keys.empty()) return fail(errc::invalid, "delete the pods of", given.file, "it names none");
  return keys;
}

result<int> remove(invocation& line, const delete_options& given) {
  const auto settings = TANK_TRY(line.settings());
  const auto keys = TANK_TRY(keys_of(line, given));
  // A pod whose file is wrong now runs by its last good version, which only the daemon knows.
  std::optional<std::vector<pod_status>> known;
  const auto kept = [&](const std::string& key) -> std::optional<held_file> {
    if (!known) {
      auto daemon = client::connect(settings.dirs.control_socket());
      known =
          daemon ? daemon->pods().value_or(std::vector<pod_status>{}) : std::vector<pod_status>{};
    }
    const auto at =
        std::find_if(known->begin(), known->end(), [&](const auto& pod) { return pod.key == key; });
    if (at == known->end() || at->file.empty()) return std::nullopt;
    held_file out{at->file, {}, {}};
    for (const auto& pod : *known)
      if (pod.file == at->file) out.keys.push_back(pod.key);
    return out;
  };
  int status = exit_ok;
  for (const auto& done : TANK_TRY(delete_manifests(settings.dirs.manifest_dir, keys, kept))) {
    if (done.why) {
      line.context.err << "tank: " << printable(done.why->message()) << "\n";
      status = exit_failed;
      continue;
    }
    line.context.out << "pod/" << short_name(done.key) << " deleted";
    if (!done.broken.empty())
      line.context.out << " with " << printable(done.broken.string()) << ", which had errors";
    line.context.out << "\n";
  }
  return status;
}

} // namespace

void add_delete(CLI::App& app, invocation& line) {
  auto given = std::make_shared<delete_options>();
  auto* command = app.add_subcommand("delete", "Remove manifests from the watch directory");
  auto* names = command->add_option("NAME", given->names, "pods: web, pod/web, or ns/web");
  auto* file =
      command->add_option("-f,--filename", given->file, "the pods this manifest names; - is stdin")
          ->type_name("FILE");
  names->excludes(file);
  command->add_option("-n,--namespace", given->ns, "namespace of NAME (default)")
      ->type_name("NAMESPACE");
  command->footer("A file that holds further pods is left alone, with an error.\n"
                  "\nExamples:\n"
                  "  tank delete web\n"
                  "  tank delete -f web.yaml");
  command->callback([&line, given] {
    if (given->names.empty() && given->file.empty()) line.misuse = "NAME or -f FILE is missing";
    line.action = [&line, given] { return remove(line, *given); };
  });
}

} // namespace tank::cli

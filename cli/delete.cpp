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

/// "web", "ns/web", "secret/db", "secret/ns/db".
result<std::string> key_of(const std::string& name, const std::string& ns) {
  for (const auto* kind : {"configmap/", "secret/", "pvc/"})
    if (name.starts_with(kind))
      return kind + TANK_TRY(parse_pod_name(name.substr(std::string_view{kind}.size()), ns))
  .key();
  return TANK_TRY(parse_pod_name(name, ns))
  .key();
}

result<std::vector<std::string>> wanted_keys(invocation& line, const delete_options& given) {
  std::vector<std::string> keys;
  for (const auto& name : given.names)
    keys.push_back(TANK_TRY(key_of(name, given.ns)));
  if (given.file.empty()) return keys;
  const auto text = TANK_TRY(read_manifest(line.context, given.file));
  keys = keys_of(config::parse_manifest(text));
  if (keys.empty()) return fail(errc::invalid, "delete what is in", given.file, "it names nothing");
  return keys;
}

result<int> remove(invocation& line, const delete_options& given) {
  const auto settings = TANK_TRY(line.settings());
  const auto keys = TANK_TRY(wanted_keys(line, given));
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
    line.context.out << spoken(done.key) << " deleted";
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
  auto* names = command->add_option(
      "NAME", given->names, "pods: web, pod/web, or ns/web; configmap/app, secret/db, pvc/data");
  auto* file =
      command->add_option("-f,--filename", given->file, "what this manifest names; - is stdin")
          ->type_name("FILE");
  names->excludes(file);
  command->add_option("-n,--namespace", given->ns, "namespace of NAME (default)")
      ->type_name("NAMESPACE");
  command->footer("A file that holds further objects is left alone, with an error.\n"
                  "\nExamples:\n"
                  "  tank delete web\n"
                  "  tank delete secret/db\n"
                  "  tank delete -f web.yaml");
  command->callback([&line, given] {
    if (given->names.empty() && given->file.empty()) line.misuse = "NAME or -f FILE is missing";
    line.action = [&line, given] { return remove(line, *given); };
  });
}

} // namespace tank::cli

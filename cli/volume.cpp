/// tank volume list | inspect | rm | prune
#include "cli/volume.hpp"
#include "cli/image_text.hpp"
#include "cli/invocation.hpp"
#include "cli/tables.hpp"
#include "cli/usage.hpp"
#include "cli/verb.hpp"

#include <algorithm>
#include <filesystem>
#include <ostream>
#include <set>
#include <system_error>

#include <sys/stat.h>
#include <sys/types.h>

#include <nlohmann/json.hpp>

namespace tank::cli {
namespace volume_verbs {
namespace {

struct options {
  std::vector<std::string> names;
  std::string ns;
  std::string output = "table";
};
using given_options = std::shared_ptr<options>;
using json = nlohmann::ordered_json;

/// What the files of a volume hold. Links are not followed. What is mounted below is not part of
/// it. A file with several names counts once.
std::uint64_t size_of(const std::filesystem::path& directory) {
  struct stat top {};
  if (::stat(directory.c_str(), &top) != 0) return 0;
  std::uint64_t bytes = 0;
  std::set<ino_t> counted; // of those with several names
  std::error_code ec;
  for (std::filesystem::recursive_directory_iterator
           it{directory, std::filesystem::directory_options::skip_permission_denied, ec},
       end;
       !ec && it != end; it.increment(ec)) {
    struct stat st {};
    if (::lstat(it->path().c_str(), &st) != 0 || st.st_dev != top.st_dev) {
      it.disable_recursion_pending();
      continue;
    }
    if (!S_ISREG(st.st_mode)) continue;
    if (st.st_nlink > 1 && !counted.insert(st.st_ino).second) continue;
    bytes += static_cast<std::uint64_t>(st.st_size);
  }
  return bytes;
}

std::string short_volume(const volume_name& name) {
  return name.ns == "default" ? name.claim : to_string(name);
}

json row_of(const volume_row& row) {
  return {{"namespace", row.name.ns},        {"claim", row.name.claim},
          {"path", row.directory.string()},  {"createdNs", row.created_ns},
          {"bytes", size_of(row.directory)}, {"pods", row.users}};
}

result<int> list(invocation& line, const options& given) {
  const auto settings = TANK_TRY(line.settings());
  const auto rows = TANK_TRY(list_volumes(settings.dirs));
  auto& out = line.context.out;
  if (given.output == "json") {
    out << volume_document(rows) << "\n";
    return exit_ok;
  }
  if (given.output == "name") {
    for (const auto& row : rows)
      out << short_volume(row.name) << "\n";
    return exit_ok;
  }
  std::vector<std::vector<std::string>> table{{"NAME", "SIZE", "AGE", "PODS"}};
  const auto now = line.context.realtime_ns();
  for (const auto& row : rows)
    table.push_back({short_volume(row.name), size_text(size_of(row.directory)),
                     row.created_ns == 0 ? "-" : age_text(now - row.created_ns),
                     std::to_string(row.users.size())});
  out << aligned(table, 0);
  return exit_ok;
}

result<volume_name> name_of(const std::string& text, const std::string& ns) {
  const auto parsed = TANK_TRY(parse_pod_name(text, ns));
  return volume_name{parsed.ns, parsed.name};
}

result<int> inspect(invocation& line, const options& given) {
  const auto settings = TANK_TRY(line.settings());
  const auto rows = TANK_TRY(list_volumes(settings.dirs));
  std::vector<volume_row> found;
  for (const auto& text : given.names) {
    const auto name = TANK_TRY(name_of(text, given.ns));
    const auto it =
        std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.name == name; });
    if (it == rows.end())
      return fail(errc::not_found, "inspect volume", to_string(name), "there is none",
                  "see: tank volume list");
    found.push_back(*it);
  }
  line.context.out << volume_document(found) << "\n";
  return exit_ok;
}

result<int> remove(invocation& line, const options& given) {
  const auto settings = TANK_TRY(line.settings());
  for (const auto& text : given.names) {
    const auto name = TANK_TRY(name_of(text, given.ns));
    TANK_TRY(remove_volume(settings.dirs, name));
    line.context.out << short_volume(name) << " removed\n";
  }
  return exit_ok;
}

result<int> prune(invocation& line, const options&) {
  const auto settings = TANK_TRY(line.settings());
  for (const auto& row : TANK_TRY(list_volumes(settings.dirs))) {
    if (!row.users.empty()) continue;
    const auto removed = remove_volume(settings.dirs, row.name);
    if (!removed && removed.error().code == errc::conflict) continue; // a pod took it meanwhile
    if (!removed) return failure{removed.error()};
    line.context.out << short_volume(row.name) << " removed\n";
  }
  return exit_ok;
}

void takes_names(CLI::App& command, const given_options& given) {
  command.add_option("NAME", given->names, "claims: data, or ns/data")->required();
  command.add_option("-n,--namespace", given->ns, "namespace of NAME (default)")
      ->type_name("NAMESPACE");
}

} // namespace
} // namespace volume_verbs

std::string volume_document(const std::vector<volume_row>& rows) {
  volume_verbs::json items = volume_verbs::json::array();
  for (const auto& row : rows)
    items.push_back(volume_verbs::row_of(row));
  const volume_verbs::json whole{
      {"apiVersion", "tank/v1"}, {"kind", "VolumeList"}, {"items", std::move(items)}};
  return whole.dump(2, ' ', false, volume_verbs::json::error_handler_t::replace);
}

void add_volume(CLI::App& app, invocation& line) {
  auto* volume = app.add_subcommand("volume", "List and remove volumes that outlive their pods");
  volume->require_subcommand(1);
  volume->fallthrough();
  volume->footer("A volume is made when the first pod uses a persistentVolumeClaim of its name.\n"
                 "\nExamples:\n"
                 "  tank volume list\n"
                 "  tank volume rm data");
  auto given = std::make_shared<volume_verbs::options>();
  auto* listed = volume->add_subcommand("list", "The volumes that are here")->alias("ls");
  accept_only(
      *listed->add_option("-o,--output", given->output, "table, json or name")->type_name("FORMAT"),
      {"table", "json", "name"});
  listed->footer("Examples:\n  tank volume list");
  does(listed, line, given, volume_verbs::list);

  auto* shown = volume->add_subcommand("inspect", "Where volumes are, how large, who uses them");
  volume_verbs::takes_names(*shown, given);
  shown->footer("Examples:\n  tank volume inspect data");
  does(shown, line, given, volume_verbs::inspect);

  auto* removed = volume->add_subcommand("rm", "Remove volumes and all that is in them");
  volume_verbs::takes_names(*removed, given);
  removed->footer("One that a pod uses stays, with an error.\n\nExamples:\n  tank volume rm data");
  does(removed, line, given, volume_verbs::remove);

  auto* pruned = volume->add_subcommand("prune", "Remove all volumes that no pod uses");
  pruned->footer("Examples:\n  tank volume prune");
  does(pruned, line, given, volume_verbs::prune);
}

} // namespace tank::cli

#include "cli/get_documents.hpp"

#include "api/api_protocol.hpp"
#include "cli/client.hpp"
#include "cli/manifest_dir.hpp"
#include "cli/tables.hpp"
#include "config/encode.hpp"

#include <algorithm>
#include <map>
#include <ostream>

#include <nlohmann/json.hpp>

namespace tank::cli {
namespace document_verbs {
namespace {

using row = std::vector<std::string>;
using json = nlohmann::json;

/// One that is in force; `content` is empty when its file says something else by now.
struct found_document {
  std::string key; ///< namespace/name
  std::string file;
  json content;
};

/// The objects of one kind in a file, by key. Values of Secrets only when they are asked for.
std::map<std::string, json> objects_in(const cli_context& context, const std::string& file,
                                       const document_choice& given) {
  std::map<std::string, json> out;
  const auto text = read_manifest(context, file);
  if (!text) return out;
  const auto parsed = config::parse_manifest(*text);
  const auto add = [&](const config::object_meta& meta, const std::string& object) {
    out.emplace(meta.ns + "/" + meta.name, json::parse(object));
  };
  if (given.kind == document_kind::config_map)
    for (const auto& o : parsed.config_maps)
      add(o.metadata, config::to_json(o, -1));
  if (given.kind == document_kind::claim)
    for (const auto& o : parsed.claims)
      add(o.metadata, config::to_json(o, -1));
  if (given.kind != document_kind::secret) return out;
  for (auto o : parsed.secrets) {
    if (!given.show_secrets)
      for (auto& [key, value] : o.data)
        value.data.clear();
    add(o.metadata, config::to_json(o, -1));
  }
  return out;
}

std::size_t entries_of(const json& content) {
  std::size_t n = 0;
  for (const char* map : {"data", "binaryData"})
    if (const auto it = content.find(map); it != content.end()) n += it->size();
  return n;
}

std::string words(const json& list) {
  std::string text;
  for (const auto& word : list)
    text += (text.empty() ? "" : ",") + word.get<std::string>();
  return text;
}

std::string table(document_kind kind, const std::vector<found_document>& all) {
  std::vector<row> rows;
  if (kind == document_kind::config_map) rows.push_back({"NAME", "DATA", "FILE"});
  if (kind == document_kind::secret) rows.push_back({"NAME", "TYPE", "DATA", "FILE"});
  if (kind == document_kind::claim) rows.push_back({"NAME", "REQUESTED", "ACCESS", "FILE"});
  for (const auto& d : all) {
    row r{short_name(d.key)};
    const bool known = !d.content.empty();
    if (kind == document_kind::secret)
      r.push_back(known ? printable(d.content.at("type").get<std::string>()) : "?");
    if (kind == document_kind::claim) {
      const auto spec = known ? d.content.at("spec") : json::object();
      r.push_back(known ? spec["resources"]["requests"]["storage"].get<std::string>() : "?");
      r.push_back(known ? words(spec.at("accessModes")) : "?");
    } else {
      r.push_back(known ? std::to_string(entries_of(d.content)) : "?");
    }
    r.push_back(printable(d.file));
    rows.push_back(std::move(r));
  }
  return aligned(rows, 0);
}

result<std::vector<found_document>> find(invocation& line, const document_choice& given) {
  const auto settings = TANK_TRY(line.settings());
  auto daemon = TANK_TRY(client::connect(settings.dirs.control_socket()));
  const auto prefix = std::string{to_string(given.kind)} + "/";
  std::vector<found_document> out;
  for (const auto& file : TANK_TRY(daemon.files())) {
    std::map<std::string, json> content;
    for (const auto& name : file.documents) {
      if (!name.starts_with(prefix)) continue;
      if (content.empty()) content = objects_in(line.context, file.file, given);
      const auto key = name.substr(prefix.size());
      const auto it = content.find(key);
      out.push_back({key, file.file, it == content.end() ? json::object() : it->second});
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  return out;
}

result<std::vector<found_document>> choose(std::vector<found_document> all,
                                           const document_choice& given) {
  if (!given.ns.empty() && given.names.empty())
    std::erase_if(all, [&](const auto& d) { return !d.key.starts_with(given.ns + "/"); });
  if (given.names.empty()) return all;
  std::vector<found_document> out;
  for (const auto& name : given.names) {
    const auto key = TANK_TRY(parse_pod_name(name, given.ns))
    .key();
    const auto it =
        std::find_if(all.begin(), all.end(), [&](const auto& d) { return d.key == key; });
    if (it == all.end())
      return fail(errc::not_found, "get", to_string(document_id{given.kind, key}),
                  "no file of the watch directory has it");
    out.push_back(*it);
  }
  return out;
}

} // namespace
} // namespace document_verbs

std::optional<document_kind> document_kind_of(std::string_view word) {
  if (word == "configmaps" || word == "configmap" || word == "cm") return document_kind::config_map;
  if (word == "secrets" || word == "secret") return document_kind::secret;
  if (word == "pvc" || word == "pvcs") return document_kind::claim;
  return std::nullopt;
}

result<int> get_documents(invocation& line, const document_choice& given) {
  auto found = TANK_TRY(document_verbs::find(line, given));
  const auto all = TANK_TRY(document_verbs::choose(std::move(found), given));
  auto& out = line.context.out;
  if (given.output == "name") {
    for (const auto& d : all)
      out << to_string(given.kind) << "/" << short_name(d.key) << "\n";
  } else if (given.output == "json" || given.output == "yaml") {
    document_verbs::json whole =
        all.size() == 1 && given.names.size() == 1
            ? all.front().content
            : document_verbs::json{
                  {"apiVersion", "v1"}, {"kind", "List"}, {"items", document_verbs::json::array()}};
    if (whole.contains("items"))
      for (const auto& d : all)
        whole["items"].push_back(d.content);
    const auto text = whole.dump(2, ' ', false, document_verbs::json::error_handler_t::replace);
    out << (given.output == "json" ? text + "\n" : api::json_as_yaml(text));
  } else {
    out << document_verbs::table(given.kind, all);
  }
  return exit_ok;
}

} // namespace tank::cli

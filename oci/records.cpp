#include "oci/records.hpp"

#include "base/file.hpp"
#include "base/text.hpp"
#include "oci/image_source.hpp"
#include "oci/json.hpp"

#include <algorithm>
#include <set>

namespace tank::oci {

namespace {

constexpr std::size_t max_record = 32u << 20;
constexpr std::uint64_t version = 1;

result<digest> optional_digest(const json_object& o, const char* key) {
  const auto text = TANK_TRY(o.text(key));
  if (text.empty()) return digest{};
  return parse_digest(text);
}

/// Any bytes, as JSON can hold them.
std::string escaped(const std::string& path) {
  return percent_encode(path, "/");
}

result<std::string> unescaped(const std::string& text) {
  auto path = percent_decode(text);
  if (!path) return fail(errc::corrupt, "read", "layer record", "a path of it is not whole");
  return *std::move(path);
}

} // namespace

std::string to_json(const layer_facts& f) {
  json blobs = json::array();
  for (const auto& b : f.blobs)
    blobs.push_back({{"digest", b.content.to_string()}, {"size", b.size}});
  json out = {{"version", version},
              {"diff_id", f.diff_id.to_string()},
              {"blobs", std::move(blobs)},
              {"entries", f.entries},
              {"bytes", f.bytes},
              {"tree", f.tree},
              {"boot", f.boot}};
  for (const auto& path : f.implied)
    out["implied"].push_back(escaped(path));
  for (const auto& path : f.marked)
    out["marked"].push_back(escaped(path));
  for (const auto& link : f.borrowed)
    out["borrowed"].push_back({escaped(link.path), escaped(link.target)});
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<layer_facts> read_facts(const store_layout& layout, const digest& diff_id) {
  const auto path = layout.record(diff_id);
  const auto text = TANK_TRY(read_file(path, max_record));
  const auto value = TANK_TRY(parse_json(text, max_record, path));
  const auto o = TANK_TRY(json_object::of(value, path));
  if (TANK_TRY(o.number("version")) != version)
    return fail(errc::unsupported, "read", path, "another version of tank wrote it");
  layer_facts f;
  f.diff_id = TANK_TRY(o.text("diff_id").and_then(parse_digest));
  f.entries = TANK_TRY(o.number("entries"));
  f.bytes = TANK_TRY(o.number("bytes"));
  f.tree = TANK_TRY(o.text("tree"));
  f.boot = TANK_TRY(o.text("boot"));
  if (const json* blobs = o.find("blobs"); blobs != nullptr && blobs->is_array())
    for (const auto& item : *blobs) {
      const auto b = TANK_TRY(json_object::of(item, "layer record.blobs"));
      f.blobs.push_back({
        TANK_TRY(b.text("digest").and_then(parse_digest))
        , TANK_TRY(b.number("size"))
      });
    }
  for (const auto& escaped_path : TANK_TRY(o.texts("implied")))
    f.implied.push_back(TANK_TRY(unescaped(escaped_path)));
  for (const auto& escaped_path : TANK_TRY(o.texts("marked")))
    f.marked.push_back(TANK_TRY(unescaped(escaped_path)));
  if (const json* links = o.find("borrowed"); links != nullptr && links->is_array())
    for (const auto& pair : *links) {
      const json holder = {{"link", pair}};
      const auto link = TANK_TRY(json_object::of(holder, "layer record"));
      const auto names = TANK_TRY(link.texts("link"));
      if (names.size() != 2) return fail(errc::corrupt, "read", path, "a link of it is not whole");
      auto from = TANK_TRY(unescaped(names[0]));
      auto to = TANK_TRY(unescaped(names[1]));
      f.borrowed.push_back({std::move(from), std::move(to)});
    }
  if (f.diff_id != diff_id)
    return fail(errc::corrupt, "read", path, "it is of " + f.diff_id.to_string());
  return f;
}

std::string to_json(const image_record& r) {
  json layers = json::array();
  for (const auto& l : r.layers) {
    layers.push_back({{"diff_id", l.diff_id.to_string()}, {"blob", l.blob.to_string()}});
    if (!l.laid.empty()) layers.back()["laid"] = l.laid.to_string();
  }
  json out = {{"version", version},
              {"name", r.name},
              {"manifest", r.manifest.to_string()},
              {"config_blob", r.config_blob.to_string()},
              {"architecture", r.architecture},
              {"created", r.created},
              {"size", r.size},
              {"config", to_json_value(r.config)},
              {"layers", std::move(layers)},
              {"first_visible", r.first_visible}};
  if (!r.index.empty()) out["index"] = r.index.to_string();
  if (!r.dressing.empty()) out["dressing"] = r.dressing.to_string();
  if (!r.stamp.empty()) out["stamp"] = r.stamp;
  if (r.pulled) out["pulled"] = true;
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<image_record> parse_record(std::string_view text) {
  const auto value = TANK_TRY(parse_json(text, max_record, "image record"));
  const auto o = TANK_TRY(json_object::of(value, "image record"));
  if (TANK_TRY(o.number("version")) != version)
    return fail(errc::unsupported, "read", "image record", "another version of tank wrote it");
  image_record r;
  r.name = TANK_TRY(o.text("name"));
  r.manifest = TANK_TRY(o.text("manifest").and_then(parse_digest));
  r.config_blob = TANK_TRY(o.text("config_blob").and_then(parse_digest));
  r.index = TANK_TRY(optional_digest(o, "index"));
  r.architecture = TANK_TRY(o.text("architecture"));
  r.created = TANK_TRY(o.text("created"));
  r.size = TANK_TRY(o.number("size"));
  r.dressing = TANK_TRY(optional_digest(o, "dressing"));
  r.stamp = TANK_TRY(o.text("stamp"));
  if (const json* pulled = o.find("pulled"); pulled != nullptr) r.pulled = *pulled == true;
  r.config = TANK_TRY(o.object("config").and_then(image_config_from));
  r.first_visible = TANK_TRY(o.number("first_visible"));
  if (const json* layers = o.find("layers"); layers != nullptr && layers->is_array())
    for (const auto& item : *layers) {
      const auto l = TANK_TRY(json_object::of(item, "image record.layers"));
      r.layers.push_back({
        TANK_TRY(l.text("diff_id").and_then(parse_digest))
        , TANK_TRY(l.text("blob").and_then(parse_digest))
        , TANK_TRY(optional_digest(l, "laid"))
      });
    }
  if (r.first_visible > 0 && r.first_visible >= r.layers.size())
    return fail(errc::corrupt, "read", "image record", "it hides more layers than it has");
  return r;
}

std::vector<digest> image_record::directories() const {
  std::vector<digest> out;
  std::set<digest> seen;
  for (auto i = layers.size(); i-- > first_visible;)
    if (const auto& id = layers[i].directory(); seen.insert(id).second) out.push_back(id);
  std::reverse(out.begin(), out.end());
  if (!dressing.empty()) out.push_back(dressing);
  return out;
}

result<image_record> read_record(const store_layout& layout, const std::string& name) {
  auto text = read_file(layout.ref(name), max_record);
  if (!text) {
    if (text.error().code == errc::not_found)
      return fail(errc::not_found, "find image", name, "it is not in the store",
                  "add it with 'tank image import' or 'tank image load'");
    return wrap(std::move(text).error(), "find image", name);
  }
  auto record = parse_record(*text);
  if (!record) return wrap(std::move(record).error(), "find image", name);
  if (record->name != name)
    return fail(errc::corrupt, "find image", name, "its record is of '" + record->name + "'");
  return record;
}

result<std::vector<image_record>> read_records(const store_layout& layout) {
  std::vector<image_record> out;
  std::error_code ec;
  std::filesystem::directory_iterator at{layout.refs(), ec};
  for (; !ec && at != std::filesystem::directory_iterator{}; at.increment(ec)) {
    const auto file = at->path();
    // Half-written files of a crash begin with a dot.
    if (file.extension() != ".json" || file.filename().string().starts_with('.')) continue;
    auto text = read_file(file, max_record);
    if (!text && text.error().code == errc::not_found) continue; // removed meanwhile
    if (!text) return tl::make_unexpected(std::move(text).error());
    auto record = parse_record(*text);
    if (!record) return wrap(std::move(record).error(), "read", file);
    out.push_back(*std::move(record));
  }
  if (ec) return fail_errno(ec.value(), "read", layout.refs());
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

result<std::string> canonical_name(std::string_view text) {
  if (is_image_source(text)) return TANK_TRY(parse_image_source(text))
  .to_string();
  return TANK_TRY(parse_reference(text))
  .to_string();
}

result<image_record> find_named(const store_layout& layout, std::string_view text) {
  if (is_image_source(text))
    return read_record(layout, TANK_TRY(parse_image_source(text)).to_string());
  return find_record(layout, TANK_TRY(parse_reference(text)));
}

result<image_record> find_record(const store_layout& layout, const reference& wanted) {
  if (wanted.digest.empty()) return read_record(layout, wanted.to_string());
  const auto content = TANK_TRY(parse_digest(wanted.digest));
  for (auto& record : TANK_TRY(read_records(layout))) {
    if (record.manifest != content && record.index != content) continue;
    auto name = parse_reference(record.name);
    if (!name || name->registry != wanted.registry || name->repository != wanted.repository)
      continue;
    if (!wanted.tag.empty() && name->tag != wanted.tag) continue;
    return std::move(record);
  }
  return fail(errc::not_found, "find image", wanted.to_string(), "it is not in the store",
              "add it with 'tank image import' or 'tank image load'");
}

} // namespace tank::oci

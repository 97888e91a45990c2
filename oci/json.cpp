#include "oci/json.hpp"

namespace tank::oci {

namespace {

constexpr int max_depth = 64;
/// Of one document. A value takes up to 100 bytes of memory, an empty list two bytes of text.
constexpr std::size_t max_values = 500'000;

enum class shape : std::uint8_t { good, too_deep, too_many };

/// Before the library builds anything: a parser's own stack is not ours to trust.
shape shape_of(std::string_view text) {
  int depth = 0;
  std::size_t values = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > max_depth) return shape::too_deep;
      ++values;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ',' || c == ':') {
      ++values;
    }
    if (values > max_values) return shape::too_many;
  }
  return shape::good;
}

const json empty_object = json::object();

} // namespace

result<json> parse_json(std::string_view text, std::uint64_t max_bytes, const std::string& what) {
  if (text.size() > max_bytes)
    return fail(errc::limit, "read", what, "larger than " + std::to_string(max_bytes) + " bytes");
  switch (shape_of(text)) {
  case shape::too_deep:
    return fail(errc::limit, "read", what, "nested deeper than 64 levels");
  case shape::too_many:
    return fail(errc::limit, "read", what,
                "more than " + std::to_string(max_values) + " values in it");
  case shape::good:
    break;
  }
  try {
    auto value = json::parse(text);
    if (!value.is_structured()) return fail(errc::invalid, "read", what, "not a JSON object");
    return value;
  } catch (const json::parse_error& e) {
    // The library's own text quotes what it read, whoever wrote that, and as much as it is.
    return fail(errc::invalid, "read", what,
                "it is not proper JSON, at byte " + std::to_string(e.byte));
  } catch (const json::exception&) {
    return fail(errc::invalid, "read", what, "it is not proper JSON");
  }
}

result<json_object> json_object::of(const json& value, std::string path) {
  if (!value.is_object()) return fail(errc::invalid, "read", path, "not an object");
  return json_object{value, std::move(path)};
}

std::string json_object::path(std::string_view key) const {
  return path_ + "." + std::string{key};
}

failure json_object::wrong(std::string_view key, std::string cause) const {
  return fail(errc::invalid, "read", path(key), std::move(cause));
}

const json* json_object::find(const char* key) const {
  const auto it = value_->find(key);
  return it == value_->end() || it->is_null() ? nullptr : &*it;
}

static bool usable(const json& v) {
  return v.is_string() && v.get_ref<const std::string&>().find('\0') == std::string::npos;
}

result<std::string> json_object::text(const char* key) const {
  const json* v = find(key);
  if (v == nullptr) return std::string{};
  if (!usable(*v)) return wrong(key, "not a string without NUL");
  return v->get<std::string>();
}

result<std::uint64_t> json_object::number(const char* key) const {
  const json* v = find(key);
  if (v == nullptr) return wrong(key, "missing");
  // A signed one is a negative one here: the parser keeps all others as unsigned.
  if (!v->is_number_unsigned() || v->get<std::uint64_t>() > INT64_MAX)
    return wrong(key, "not a non-negative integer");
  return v->get<std::uint64_t>();
}

result<std::vector<std::string>> json_object::texts(const char* key) const {
  std::vector<std::string> out;
  const json* v = find(key);
  if (v == nullptr) return out;
  if (!v->is_array()) return wrong(key, "not a list of strings");
  out.reserve(v->size());
  for (const auto& item : *v) {
    if (!usable(item)) return wrong(key, "not a list of strings without NUL");
    out.push_back(item.get<std::string>());
  }
  return out;
}

result<std::vector<std::pair<std::string, std::string>>> json_object::pairs(const char* key) const {
  std::vector<std::pair<std::string, std::string>> out;
  const json* v = find(key);
  if (v == nullptr) return out;
  if (!v->is_object()) return wrong(key, "not an object of strings");
  for (const auto& [k, item] : v->items()) {
    if (!usable(item) || k.find('\0') != std::string::npos)
      return wrong(key, "not an object of strings without NUL");
    out.emplace_back(k, item.get<std::string>());
  }
  return out;
}

result<std::vector<std::string>> json_object::keys(const char* key) const {
  std::vector<std::string> out;
  const json* v = find(key);
  if (v == nullptr) return out;
  if (!v->is_object()) return wrong(key, "not an object");
  for (const auto& [k, item] : v->items()) {
    if (k.find('\0') != std::string::npos) return wrong(key, "a key with NUL");
    out.push_back(k);
  }
  return out;
}

result<json_object> json_object::object(const char* key) const {
  const json* v = find(key);
  return of(v == nullptr ? empty_object : *v, path(key));
}

result<image_config> image_config_from(const json_object& o) {
  image_config c;
  c.user = TANK_TRY(o.text("User"));
  c.env = TANK_TRY(o.texts("Env"));
  c.entrypoint = TANK_TRY(o.texts("Entrypoint"));
  c.cmd = TANK_TRY(o.texts("Cmd"));
  c.working_dir = TANK_TRY(o.text("WorkingDir"));
  c.stop_signal = TANK_TRY(o.text("StopSignal"));
  c.labels = TANK_TRY(o.pairs("Labels"));
  c.exposed_ports = TANK_TRY(o.keys("ExposedPorts"));
  c.volumes = TANK_TRY(o.keys("Volumes"));
  return c;
}

json to_json_value(const image_config& c) {
  json out = json::object();
  const auto put = [&](const char* key, const auto& value) {
    if (!value.empty()) out[key] = value;
  };
  put("User", c.user);
  put("Env", c.env);
  put("Entrypoint", c.entrypoint);
  put("Cmd", c.cmd);
  put("WorkingDir", c.working_dir);
  put("StopSignal", c.stop_signal);
  for (const auto& [k, v] : c.labels)
    out["Labels"][k] = v;
  for (const auto& k : c.exposed_ports)
    out["ExposedPorts"][k] = json::object();
  for (const auto& k : c.volumes)
    out["Volumes"][k] = json::object();
  return out;
}

} // namespace tank::oci

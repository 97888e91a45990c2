#include "config/encode.hpp"

#include "base/text.hpp"
#include "config/manifest.hpp"
#include "config/schema.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

namespace tank::config {

namespace {

using nlohmann::json;
using reflect::field;
using reflect::kind;
using reflect::type;

json encode(const type& t, const void* in);

/// What Go's `omitempty` leaves out: zero scalars, empty lists and maps, nil pointers; never a
/// struct.
bool is_empty(const type& t, const void* in) {
  switch (t.what) {
  case kind::string:
    return static_cast<const std::string*>(in)->empty();
  case kind::boolean:
    return !*static_cast<const bool*>(in);
  case kind::int32:
    return *static_cast<const std::int32_t*>(in) == 0;
  case kind::int64:
    return *static_cast<const std::int64_t*>(in) == 0;
  case kind::optional:
    return t.get(in) == nullptr;
  case kind::list:
  case kind::map:
    return t.size(in) == 0;
  default:
    return false;
  }
}

json encode_record(const type& t, const void* in) {
  json out = json::object();
  for (const field& f : t.fields)
    if (f.always || !is_empty(f.of(), f.in(in))) out[std::string{f.key}] = encode(f.of(), f.in(in));
  return out;
}

json encode_list(const type& t, const void* in) {
  json out = json::array();
  for (std::size_t i = 0; i < t.size(in); ++i)
    out.push_back(encode(t.element(), t.at(in, i)));
  return out;
}

json encode_map(const type& t, const void* in) {
  json out = json::object();
  t.each(in, [&](std::string_view key, const void* value) {
    out[std::string{key}] = encode(t.element(), value);
  });
  return out;
}

json encode(const type& t, const void* in) {
  switch (t.what) {
  case kind::string:
    return *static_cast<const std::string*>(in);
  case kind::boolean:
    return *static_cast<const bool*>(in);
  case kind::int32:
    return *static_cast<const std::int32_t*>(in);
  case kind::int64:
    return *static_cast<const std::int64_t*>(in);
  case kind::int_or_string: {
    const auto& value = *static_cast<const int_or_string*>(in);
    return value.is_string() ? json(*value.text()) : json(*value.number());
  }
  case kind::quantity:
    return static_cast<const quantity*>(in)->to_string();
  case kind::timestamp:
    return static_cast<const timestamp*>(in)->to_string();
  case kind::raw_json:
    return json::parse(static_cast<const raw_json*>(in)->text, nullptr, false);
  case kind::bytes:
    return static_cast<const bytes*>(in)->to_base64();
  case kind::optional:
    return t.get(in) != nullptr ? encode(t.element(), t.get(in)) : json{};
  case kind::list:
    return encode_list(t, in);
  case kind::map:
    return encode_map(t, in);
  case kind::record:
    return encode_record(t, in);
  }
  return {};
}

json encode(const node& n) {
  if (const auto* b = n.as_bool()) return *b;
  if (const auto* i = n.as_integer()) return *i;
  if (const auto* number = n.as_number()) return number->value;
  if (const auto* s = n.as_string()) return *s;
  if (const auto* elements = n.as_sequence()) {
    json out = json::array();
    for (const auto& e : *elements)
      out.push_back(encode(e));
    return out;
  }
  if (const auto* members = n.as_mapping()) {
    json out = json::object();
    for (const auto& m : *members)
      out[m.key] = encode(m.value);
    return out;
  }
  return {};
}

/// Text that is no UTF-8 cannot come from a file that was read; from a program it must not throw.
std::string dump(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

template <class Object>
json document(const Object& object, bool has_status) {
  const type& t = reflect::type_of<Object>();
  json out = encode(t, &object);
  out["apiVersion"] = "v1";
  out["kind"] = t.name;
  if (has_status) out["status"] = json::object();
  return out;
}

} // namespace

std::string to_json(const pod& p, int indent) {
  return dump(document(p, true), indent);
}

std::string to_json(const config_map& object, int indent) {
  return dump(document(object, false), indent);
}

std::string to_json(const secret& object, int indent) {
  return dump(document(object, false), indent);
}

std::string to_json(const persistent_volume_claim& object, int indent) {
  return dump(document(object, true), indent);
}

std::string to_json(const node& tree) {
  return dump(encode(tree), -1);
}

std::string content_hash(const pod& p) {
  const std::string text = to_json(p, -1);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return to_hex({reinterpret_cast<const char*>(digest.data()), size});
}

} // namespace tank::config

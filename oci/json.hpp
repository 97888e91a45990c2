/// Bounded reading of untrusted JSON. Private to this room: it pulls in the whole library.
#pragma once

#include "base/error.hpp"
#include "oci/image.hpp"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tank::oci {

using json = nlohmann::json;

/// `what` names the document in messages. At most `max_bytes`, at most 64 levels, one object or
/// array at the top.
result<json> parse_json(std::string_view text, std::uint64_t max_bytes, const std::string& what);

/// A reader of one object's members; absent and `null` give the empty value, a wrong type fails
/// with the member's path. Strings with a NUL byte are refused: they end up in execve and paths.
class json_object {
 public:
  static result<json_object> of(const json& value, std::string path);

  [[nodiscard]] const json* find(const char* key) const; ///< null when absent or `null`
  [[nodiscard]] result<std::string> text(const char* key) const;
  [[nodiscard]] result<std::uint64_t> number(const char* key) const; ///< must be there
  [[nodiscard]] result<std::vector<std::string>> texts(const char* key) const;
  [[nodiscard]] result<std::vector<std::pair<std::string, std::string>>>
  pairs(const char* key) const;
  [[nodiscard]] result<std::vector<std::string>> keys(const char* key) const; ///< of an object
  [[nodiscard]] result<json_object> object(const char* key) const; ///< empty object when absent
  [[nodiscard]] std::string path(std::string_view key) const;
  [[nodiscard]] failure wrong(std::string_view key, std::string cause) const;

 private:
  json_object(const json& value, std::string path) : value_(&value), path_(std::move(path)) {}
  const json* value_;
  std::string path_;
};

/// The "config" object of an image configuration, docker's member names.
result<image_config> image_config_from(const json_object& object);
json to_json_value(const image_config& config);

} // namespace tank::oci

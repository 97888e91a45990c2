/// The scalar types that the Kubernetes API adds to JSON's own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace tank::config {

/// A number, or a name that stands for one ("http" for the port of that name).
struct int_or_string {
  std::variant<std::int32_t, std::string> value = 0;

  [[nodiscard]] bool is_string() const { return std::holds_alternative<std::string>(value); }
  /// The number, or nullptr.
  [[nodiscard]] const std::int32_t* number() const { return std::get_if<std::int32_t>(&value); }
  /// The name, or nullptr.
  [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&value); }
  bool operator==(const int_or_string&) const = default;
};

/// A moment to the second, as metav1.Time keeps it.
struct timestamp {
  std::int64_t seconds = 0; ///< since 1970-01-01T00:00:00Z

  /// RFC 3339 ("2006-01-02T15:04:05Z", with an offset, or with a fraction that is dropped); nothing
  /// when it is none.
  static std::optional<timestamp> parse(std::string_view text);
  /// RFC 3339 in UTC.
  [[nodiscard]] std::string to_string() const;
  bool operator==(const timestamp&) const = default;
};

/// JSON that is carried along and never looked into, as one line with sorted keys.
struct raw_json {
  std::string text;
  bool operator==(const raw_json&) const = default;
};

/// Bytes that the API writes in base64.
struct bytes {
  std::string data; ///< decoded

  /// Standard alphabet, padded; line breaks are passed over. Nothing when it is none.
  static std::optional<bytes> from_base64(std::string_view text);
  [[nodiscard]] std::string to_base64() const;
  bool operator==(const bytes&) const = default;
};

} // namespace tank::config

#include "config/scalars.hpp"

#include "base/text.hpp"
#include "base/time.hpp"

namespace tank::config {

std::optional<timestamp> timestamp::parse(std::string_view text) {
  const auto moment = parse_rfc3339(text);
  if (!moment) return {};
  return timestamp{moment->seconds};
}

std::string timestamp::to_string() const {
  return format_rfc3339(seconds);
}

std::optional<bytes> bytes::from_base64(std::string_view text) {
  auto data = tank::from_base64(text);
  if (!data) return {};
  return bytes{*std::move(data)};
}

std::string bytes::to_base64() const {
  return tank::to_base64(data);
}

} // namespace tank::config

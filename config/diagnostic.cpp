#include "config/diagnostic.hpp"

namespace tank::config {

std::string format(const diagnostic& d, std::string_view file) {
  std::string text{file};
  if (d.at.line != 0) text += ":" + std::to_string(d.at.line) + ":" + std::to_string(d.at.column);
  if (d.level == severity::unsupported) text += ": not supported yet";
  if (d.level == severity::warning) text += ": warning";
  if (!d.field.empty()) text += ": " + d.field;
  if (!d.reason.empty()) text += ": " + d.reason;
  return text;
}

} // namespace tank::config

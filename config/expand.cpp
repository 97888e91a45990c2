#include "config/expand.hpp"

namespace tank::config {

std::string expand(std::string_view text, const variable_lookup& lookup) {
  std::string out;
  out.reserve(text.size());
  std::size_t i = 0;
  while (i < text.size()) {
    const auto sign = text.find('$', i);
    out.append(text.substr(i, sign - i));
    if (sign == std::string_view::npos) break;
    i = sign + 1;
    const char next = i < text.size() ? text[i] : '\0';
    if (next == '$') {
      out += '$';
      ++i;
      continue;
    }
    const auto close = next == '(' ? text.find(')', i) : std::string_view::npos;
    if (close == std::string_view::npos) {
      out += '$';
      continue;
    }
    const auto name = text.substr(i + 1, close - i - 1);
    if (auto value = lookup(name))
      out += *value;
    else
      out.append(text.substr(sign, close + 1 - sign));
    i = close + 1;
  }
  return out;
}

} // namespace tank::config

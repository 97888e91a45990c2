#include "config/expand.hpp"

#include <algorithm>

namespace tank::config {

namespace {

/// Takes a text apart: `plain(part)` for what stays as it is, `reference(name, whole)` for each
/// `$(name)`. Either ends it by false.
template <class Plain, class Reference>
void walk(std::string_view text, const Plain& plain, const Reference& reference) {
  // Looked for once: without one, no reference that begins later has an end either.
  const auto last_close = text.rfind(')');
  for (std::size_t i = 0; i < text.size();) {
    const auto sign = std::min(text.find('$', i), text.size());
    if (sign > i && !plain(text.substr(i, sign - i))) return;
    if (sign == text.size()) return;
    i = sign + 1;
    const char next = i < text.size() ? text[i] : '\0';
    const bool ends = next == '(' && last_close != std::string_view::npos && last_close > i;
    if (!ends) {
      if (next == '$') ++i;
      if (!plain(text.substr(sign, 1))) return;
      continue;
    }
    const auto close = text.find(')', i);
    if (!reference(text.substr(i + 1, close - i - 1), text.substr(sign, close + 1 - sign))) return;
    i = close + 1;
  }
}

} // namespace

std::optional<std::string> expand(std::string_view text, const variable_lookup& lookup,
                                  std::size_t most) {
  std::string out;
  bool fits = true;
  const auto append = [&](std::string_view part) {
    fits = part.size() <= most - out.size();
    if (fits) out += part;
    return fits;
  };
  walk(text, append, [&](std::string_view name, std::string_view whole) {
    const auto* value = lookup(name);
    return append(value != nullptr ? std::string_view{*value} : whole);
  });
  if (!fits) return std::nullopt;
  return out;
}

std::size_t expanded_size(std::string_view text, const size_lookup& lookup) {
  std::size_t size = 0;
  walk(
      text,
      [&](std::string_view part) {
        size += part.size();
        return true;
      },
      [&](std::string_view name, std::string_view whole) {
        size += lookup(name).value_or(whole.size());
        return true;
      });
  return size;
}

} // namespace tank::config

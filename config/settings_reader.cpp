#include "config/settings_reader.hpp"

#include "base/time.hpp"
#include "config/quantity.hpp"

#include <algorithm>

namespace tank::config {

failure settings_reader::wrong(position at, std::string reason) const {
  std::string where = file_;
  if (at.line != 0) where += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  return fail(errc::invalid, "read settings", std::move(where), std::move(reason));
}

failure settings_reader::wrong_value(const member& field, const std::string& reason) const {
  return wrong(field.value.at(), field.key + ": " + reason);
}

failure settings_reader::unexpected(const node& value, const std::string& name,
                                    std::string_view wanted) const {
  return wrong(value.at(), name + ": expected " + std::string{wanted} + ", got " +
                               std::string{value.kind_name()});
}

result<std::string> settings_reader::text(const member& field) const {
  if (const auto* found = field.value.as_string()) return *found;
  return unexpected(field.value, field.key, "string");
}

result<void> settings_reader::flag(const member& field, bool& to) const {
  const auto* flag = field.value.as_bool();
  if (flag == nullptr) return unexpected(field.value, field.key, "boolean");
  to = *flag;
  return {};
}

result<void> settings_reader::word(const member& field, std::string& to,
                                   std::initializer_list<std::string_view> words) const {
  const auto word = TANK_TRY(text(field));
  if (std::find(words.begin(), words.end(), word) == words.end()) {
    std::string list;
    for (auto w : words)
      list.append(list.empty() ? "" : ", ").append(w);
    return wrong_value(field, "must be one of " + list);
  }
  to = word;
  return {};
}

result<void> settings_reader::duration(const member& field, std::chrono::milliseconds& to,
                                       std::chrono::milliseconds least) const {
  const auto* zero = field.value.as_integer();
  auto span = zero != nullptr && *zero == 0 ? result<std::chrono::milliseconds>{0}
                                            : parse_duration(TANK_TRY(text(field)));
  if (!span) return wrong_value(field, span.error().message());
  if (*span < least)
    return wrong_value(field, "must be at least " + std::to_string(least.count() / 1000) + "s");
  to = *span;
  return {};
}

result<void> settings_reader::number(const member& field, std::uint64_t& to, std::uint64_t least,
                                     std::uint64_t most) const {
  const auto* found = field.value.as_integer();
  if (found == nullptr || *found < 0 || static_cast<std::uint64_t>(*found) < least ||
      static_cast<std::uint64_t>(*found) > most)
    return wrong_value(field, "must be a number between " + std::to_string(least) + " and " +
                                  std::to_string(most));
  to = static_cast<std::uint64_t>(*found);
  return {};
}

result<void> settings_reader::number(const member& field, std::uint32_t& to, std::uint32_t least,
                                     std::uint32_t most) const {
  std::uint64_t wide = 0;
  TANK_TRY(number(field, wide, std::uint64_t{least}, std::uint64_t{most}));
  to = static_cast<std::uint32_t>(wide);
  return {};
}

result<void> settings_reader::size(const member& field, std::uint64_t& to, std::uint64_t least,
                                   std::uint64_t most, const char* range) const {
  auto size = quantity::parse(field.value.scalar_text());
  if (!size) return wrong_value(field, size.error().message());
  if (size->value() < 0 || static_cast<std::uint64_t>(size->value()) < least ||
      static_cast<std::uint64_t>(size->value()) > most)
    return wrong_value(field, std::string{"must be between "} + range);
  to = static_cast<std::uint64_t>(size->value());
  return {};
}

} // namespace tank::config

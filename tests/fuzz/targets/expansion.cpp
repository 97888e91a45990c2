// Variables that name each other, as "A=text;B=$(A)...;word": the same text as by the plainest
// expansion there is, its size known beforehand, and never more than the budget.
#include "../fuzz.hpp"

#include "config/expand.hpp"

#include <map>
#include <optional>

namespace tank::fuzz {
namespace expansion_target {
namespace {

constexpr std::size_t most = 4096; ///< of all results together

using variables = std::map<std::string, std::string, std::less<>>;

std::string plainest(std::string_view text, const variables& known) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto close = text.substr(i).starts_with("$(") ? text.find(')', i) : text.npos;
    if (text.substr(i).starts_with("$$")) {
      out += '$';
      ++i;
    } else if (close != text.npos) {
      const auto it = known.find(text.substr(i + 2, close - i - 2));
      out += it != known.end() ? std::string_view{it->second} : text.substr(i, close + 1 - i);
      i = close;
    } else {
      out += text[i];
    }
  }
  return out;
}

verdict run(std::string_view input) {
  variables known;
  std::size_t left = most;
  while (!input.empty()) {
    const auto part = input.substr(0, input.find(';'));
    input.remove_prefix(part.size() == input.size() ? part.size() : part.size() + 1);
    const auto equals = part.find('=');
    const auto text = equals == part.npos ? part : part.substr(equals + 1);
    const auto size = config::expanded_size(text, [&](std::string_view name) {
      const auto it = known.find(name);
      return it == known.end() ? std::nullopt : std::optional{it->second.size()};
    });
    const auto lookup = [&](std::string_view name) -> const std::string* {
      const auto it = known.find(name);
      return it == known.end() ? nullptr : &it->second;
    };
    auto out = config::expand(text, lookup, left);
    FUZZ_CHECK(out.has_value() == (size <= left));
    if (!out) return verdict::refused;
    FUZZ_CHECK(out->size() == size && *out == plainest(text, known));
    left -= size;
    if (equals != part.npos)
      known.insert_or_assign(std::string{part.substr(0, equals)}, *std::move(out));
  }
  return verdict::accepted;
}

} // namespace
} // namespace expansion_target
const target targets::expansion{"expansion", expansion_target::run};
} // namespace tank::fuzz

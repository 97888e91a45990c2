#include "config/text_check.hpp"

#include <array>
#include <cstdio>

namespace tank::config {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

struct code_point {
  std::uint32_t value = 0;
  std::size_t length = 0; // 0: not UTF-8
};

code_point decode(std::string_view rest) {
  const auto lead = static_cast<unsigned char>(rest.front());
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || rest.size() < length) return {};
  std::uint32_t value = lead & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(rest[i]);
    if ((next & 0xC0) != 0x80) return {};
    value = value << 6 | (next & 0x3Fu);
  }
  constexpr std::array<std::uint32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
  if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, length};
}

/// The characters of YAML 1.1.
bool allowed(std::uint32_t c) {
  if (c < 0x20) return c == '\t' || c == '\n' || c == '\r';
  if (c < 0x7F) return true;
  return c == 0x85 || (c >= 0xA0 && c <= 0xFFFD && c != 0xFEFF) || c >= 0x10000;
}

std::string printable(std::uint32_t c) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "U+%04X", c);
  return text.data();
}

/// `%YAML 1.2` changes what scalars mean; Kubernetes refuses it, and so do we. `fresh`: only
/// comments, blank lines and directives so far in this document.
struct directive_watch {
  bool fresh = true;

  bool refuses(std::string_view line) {
    if (line.starts_with("...")) {
      fresh = true;
      return false;
    }
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos || line[first] == '#') return false;
    if (!fresh || line.front() != '%') {
      fresh = false;
      return false;
    }
    if (!line.starts_with("%YAML")) return false;
    const auto at = line.find_first_not_of(" \t", 5);
    return at == std::string_view::npos || !line.substr(at).starts_with("1.1");
  }
};

/// About how many tokens this character makes the parser hold at once: it reads a flow collection
/// to its end before it tells us of any of it.
unsigned weight(std::uint32_t c) {
  switch (c) {
  case '[':
  case '{':
    return 4;
  case ']':
  case '}':
  case ',':
  case ':':
  case '?':
  case '&':
  case '*':
  case '!':
    return 2;
  case '"':
  case '\'':
    return 1;
  default:
    return 0;
  }
}

std::optional<unsigned> hex4(std::string_view text) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
  unsigned value = 0;
  for (char c : text.substr(2, 4)) {
    const char low = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9')
      value = value * 16 + static_cast<unsigned>(c - '0');
    else if (low >= 'a' && low <= 'f')
      value = value * 16 + static_cast<unsigned>(low - 'a' + 10);
    else
      return std::nullopt;
  }
  return value;
}

} // namespace

std::optional<diagnostic> check_text(std::string_view text, const manifest_limits& limits) {
  const auto error = [](position at, std::string reason) {
    return diagnostic{severity::error, at, {}, std::move(reason)};
  };
  if (text.size() > limits.max_bytes)
    return error({}, "the file is larger than " + std::to_string(limits.max_bytes) + " bytes");
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  position at{1, 1};
  directive_watch directives;
  std::size_t line_start = 0;
  std::size_t tokens = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (i == line_start && directives.refuses(text.substr(i, text.find('\n', i) - i)))
      return error(at, "found incompatible YAML document: only %YAML 1.1 is read");
    const auto c = decode(text.substr(i));
    if (c.length == 0) return error(at, "the text is not valid UTF-8");
    if (!allowed(c.value))
      return error(at, "control characters are not allowed (" + printable(c.value) + ")");
    tokens += weight(c.value);
    if (tokens > 4 * limits.max_nodes)
      return error(at, "too many values: more punctuation than " +
                           std::to_string(limits.max_nodes) + " values need");
    i += c.length;
    at.column += static_cast<std::uint32_t>(c.length);
    if (c.value == '\n') {
      at = {at.line + 1, 1};
      line_start = i;
    }
  }
  return std::nullopt;
}

std::string prepare_text(std::string_view text) {
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto next = text.find('\\', i);
    out.append(text.substr(i, next - i));
    if (next == std::string_view::npos) break;
    i = next;
    const auto high = hex4(text.substr(i));
    const auto low = high && *high >= 0xD800 && *high < 0xDC00
                         ? hex4(text.substr(std::min(i + 6, text.size())))
                         : std::nullopt;
    if (low && *low >= 0xDC00 && *low < 0xE000) {
      std::array<char, 16> escape{};
      std::snprintf(escape.data(), escape.size(), "\\U%08X",
                    0x10000u + ((*high - 0xD800u) << 10) + (*low - 0xDC00u));
      out += escape.data();
      i += 12;
    } else { // this escape and the character it escapes, so that "\\\\u" is not mistaken
      out.append(text.substr(i, 2));
      i = std::min(i + 2, text.size());
    }
  }
  // A quoted scalar that never ends would pass for one that ends with the file; the end of the
  // document within it is an error. Not behind a last line without an end: a block scalar's text
  // would change.
  const auto last = out.find_last_not_of(" \t");
  if (last != std::string::npos && out[last] == '\n')
    out += last + 1 == out.size() ? "...\n" : "\n...\n";
  return out;
}

} // namespace tank::config

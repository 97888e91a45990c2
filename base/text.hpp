/// Bytes as text and back: hexadecimal, base64, percent escapes; text for people. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tank {

/// Two lower-case hexadecimal digits for each byte.
std::string to_hex(std::string_view bytes);

/// RFC 4648: standard alphabet, padded, one line.
std::string to_base64(std::string_view bytes);
/// The same back; line breaks are passed over. Nothing when it is none.
std::optional<std::string> from_base64(std::string_view text);

/// RFC 3986: every byte but letters, digits and "-._~" becomes %XX; those in `plain` stay as well.
std::string percent_encode(std::string_view bytes, std::string_view plain = {});
/// The same back, with digits of either case. Nothing when an escape is not whole.
std::optional<std::string> percent_decode(std::string_view text);

/// What counts as nothing around a word.
inline constexpr std::string_view ascii_blanks = " \t\r\n";
/// Without blanks at its ends.
std::string_view trimmed(std::string_view text);

/// `text` for a message: at most `most` bytes, cut between characters of UTF-8, with "..." behind
/// when something is missing.
std::string shortened(std::string_view text, std::size_t most);

/// Text from outside for a terminal or a message: nothing in it steers a terminal, ends a line or
/// turns the order of what stands beside it. "\n" and "\t" are written so. Other control characters
/// and bytes that are no UTF-8 become "\x1b"; the control characters C1, line separators and the marks
/// of Unicode's bidirectional algorithm (CVE-2021-42574) become "\u{202e}".
std::string printable(std::string_view text);

/// `text` as a value in a log line of `key=value`: printable, in quotes, with `"` and `\` escaped.
std::string in_quotes(std::string_view text);

} // namespace tank

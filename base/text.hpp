/// Bytes as text and back: hexadecimal, base64, percent escapes. Pure.
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

/// `text` for a message: at most `most` bytes, cut between characters of UTF-8, with "..." behind
/// when something is missing.
std::string shortened(std::string_view text, std::size_t most);

} // namespace tank

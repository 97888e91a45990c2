/// The look at a text before any parser sees it.
#pragma once

#include "config/diagnostic.hpp"
#include "config/limits.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tank::config {

/// Why the text is no YAML at all: too large, not UTF-8, a control character, a directive for
/// another version, more punctuation than any manifest needs. Nothing when it may be parsed.
std::optional<diagnostic> check_text(std::string_view text, const manifest_limits& limits);

/// JSON escapes characters beyond the first plane as two `\uXXXX`; YAML knows one `\UXXXXXXXX`.
/// Also takes off a byte order mark, and marks the end of the text as the end of a document.
std::string prepare_text(std::string_view text);

} // namespace tank::config

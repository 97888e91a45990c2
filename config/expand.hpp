/// `$(VAR)` in commands, arguments and the values of variables.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tank::config {

/// The value of a variable, or nothing when it is not set.
using variable_lookup = std::function<std::optional<std::string>(std::string_view name)>;

/// Replaces each `$(NAME)` whose NAME is known; `$$` stands for `$`, so `$$(NAME)` is the text
/// `$(NAME)`. What is unknown or unfinished stays as it is. A value is not expanded again. Pure.
std::string expand(std::string_view text, const variable_lookup& lookup);

} // namespace tank::config

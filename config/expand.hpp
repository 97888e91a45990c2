/// `$(VAR)` in commands, arguments and the values of variables.
///
/// A value may name others, so a short manifest can ask for any amount of text: what expansion
/// makes is counted against a budget (SECURITY.md class 8).
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tank::config {

/// Bytes of all variables and arguments of one container, expanded. Linux gives no program more:
/// three quarters of the usual stack's 8 MiB.
inline constexpr std::size_t max_run_text = 6u << 20;

/// The value of a variable, which lives until the expansion is over; nullptr when it is not set.
using variable_lookup = std::function<const std::string*(std::string_view name)>;

/// Replaces each `$(NAME)` whose NAME is known; `$$` stands for `$`, so `$$(NAME)` is the text
/// `$(NAME)`. What is unknown or unfinished stays as it is. A value is not expanded again. Takes
/// time in proportion to `text` and the result. Nothing when the result is longer than `most`.
/// Pure.
std::optional<std::string> expand(std::string_view text, const variable_lookup& lookup,
                                  std::size_t most);

/// How long a variable's value is; nothing when it is not set.
using size_lookup = std::function<std::optional<std::size_t>(std::string_view name)>;

/// How long the result of `expand` would be, without making it. Pure.
std::size_t expanded_size(std::string_view text, const size_lookup& lookup);

} // namespace tank::config

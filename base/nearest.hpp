/// "did you mean": the known word that is nearest to a mistyped one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tank {

/// How many letters to insert, remove or replace to get from one to the other, in any case of
/// letters. Costs the product of the lengths: for short words only.
std::size_t spelling_distance(std::string_view a, std::string_view b);

/// The first of the nearest `known` words, or "" when none is near: at most 1 letter away from
/// words below 5 letters, 2 from longer ones. Words longer than 64 letters are near nothing.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

} // namespace tank

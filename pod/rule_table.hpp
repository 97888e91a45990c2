/// Tables of rules: what a machine does in which state on which event, each cell named exactly once.
///
/// A rule names a set of states, a set of events and a handler. spread() makes the whole product of
/// them at compile time; a cell with two rules, or with none, does not compile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace tank::rule_table {

/// Sets of states and of events, as bits.
template <class... E>
constexpr std::uint32_t set(E... members) {
  return ((1U << static_cast<unsigned>(members)) | ...);
}
constexpr bool has(std::uint32_t members, std::size_t e) {
  return (members >> e & 1U) != 0;
}

template <class Handler>
struct rule {
  Handler act;
  std::uint32_t states;
  std::uint32_t events;
};

template <class Handler, std::size_t States, std::size_t Events>
using cells = std::array<std::array<Handler, Events>, States>;

template <std::size_t States, std::size_t Events, class Handler, std::size_t N>
constexpr cells<Handler, States, Events> spread(const rule<Handler> (&rules)[N]) {
  static_assert(States < 32 && Events < 32);
  cells<Handler, States, Events> all{};
  std::array<std::array<bool, Events>, States> named{};
  for (const auto& r : rules)
    for (std::size_t s = 0; s < States; ++s)
      for (std::size_t e = 0; e < Events; ++e) {
        if (!has(r.states, s) || !has(r.events, e)) continue;
        if (std::exchange(named[s][e], true)) throw "two rules for one cell";
        all[s][e] = r.act;
      }
  for (const auto& row : named)
    for (const bool is_named : row)
      if (!is_named) throw "a cell without a rule";
  return all;
}

} // namespace tank::rule_table

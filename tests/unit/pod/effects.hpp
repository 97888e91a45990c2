#pragma once

#include "pod/reconciler_core.hpp"

#include <variant>
#include <vector>

namespace tank::testing {

/// Those of one kind, in their order.
template <class Effect>
std::vector<Effect> of(const reconcile_effects& effects) {
  std::vector<Effect> out;
  for (const auto& e : effects)
    if (const auto* found = std::get_if<Effect>(&e)) out.push_back(*found);
  return out;
}

} // namespace tank::testing

/// Which fields of a valid Pod this version acts on.
///
/// An allow-list over the tables of config/reflect.hpp: a field that no rule names is not supported
/// yet, so a field added to the types is never dropped silently. A field that is absent, empty, or
/// equal to its default asks for nothing and is passed over.
#pragma once

#include "config/diagnostic.hpp"
#include "config/pod.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace tank::config {

enum class support : std::uint8_t {
  actuated,     ///< done, or without any effect to do
  judged,       ///< some values are done and some are not: decided in support.cpp
  cluster_only, ///< severity::warning: only steers a cluster
  not_yet,      ///< severity::unsupported
  impossible,   ///< severity::error: one node cannot realise it
};

/// What becomes of one field of one type of the API, wherever that type is used. The rule of a
/// field covers all below it, but an `impossible` within a `not_yet` is reported too.
struct support_rule {
  std::string_view owner; ///< the API's type: "Container"
  std::string_view key;   ///< its field: "livenessProbe"
  support is = support::not_yet;
  std::string_view neutral = {}; ///< scalar text that asks for nothing, beside an absent field
  std::string_view reason = {};  ///< for the diagnostic; empty: the general one
};

/// The whole list, for tests and documentation.
std::span<const support_rule> support_rules();

/// Appends what is not supported, not realisable, or only for clusters. `p` is defaulted and valid.
void check_support(const pod& p, const position_lookup& locate, std::vector<diagnostic>& found);

} // namespace tank::config

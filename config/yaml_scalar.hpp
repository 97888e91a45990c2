/// What a YAML 1.1 scalar means, as the YAML library of the Kubernetes API decides it.
#pragma once

#include "base/error.hpp"
#include "config/node.hpp"

#include <string>
#include <string_view>

namespace tank::config {

/// How a scalar was written. `tag` is the resolved tag: "?" for a plain scalar, "!" for a quoted or
/// block one, else what the text says ("tag:yaml.org,2002:int", "!local").
struct scalar_text {
  std::string_view tag;
  std::string_view text;
};

/// The value: null, boolean, integer, number or string. errc::invalid when the tag and the text
/// contradict each other, or for what JSON cannot say (infinity, not a number).
result<node::content> resolve_scalar(scalar_text scalar);

/// A scalar as the key of a mapping: `1` -> "1", `yes` -> "true". Null is no key.
result<std::string> resolve_key(scalar_text scalar);

} // namespace tank::config

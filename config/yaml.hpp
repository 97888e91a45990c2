/// YAML and JSON texts to trees.
///
/// The dialect is the one Kubernetes reads: YAML 1.1 scalars (`yes` is a boolean, 0644 is octal, a
/// date is a string), anchors, aliases and merge keys, many documents, flow style with trailing
/// commas (KYAML) with or without the leading `---`; and JSON, which is a subset. Duplicate keys
/// are reported.
#pragma once

#include "config/diagnostic.hpp"
#include "config/limits.hpp"
#include "config/node.hpp"

#include <string_view>
#include <vector>

namespace tank::config {

/// Either documents, or the one reason why there are none.
struct parsed_text {
  struct document {
    node root; ///< null for an empty document
    position at;
    std::vector<diagnostic> duplicates; ///< keys given twice; the last one counts
  };
  std::vector<document> documents;
  std::vector<diagnostic> errors; ///< syntax or a limit: then `documents` is empty
};

/// Never throws; time and memory are bounded by the limits, whatever the text is. Pure.
parsed_text parse_text(std::string_view text, const manifest_limits& limits = {});

} // namespace tank::config

/// How much of a text we are willing to read.
#pragma once

#include <cstddef>

namespace tank::config {

struct manifest_limits {
  std::size_t max_bytes = 10u << 20; ///< of one file; kubelet's limit
  std::size_t max_depth = 100;       ///< nesting, aliases expanded
  std::size_t max_nodes = 200'000;   ///< values of one file, aliases expanded: some 50 MiB
  std::size_t max_text = 20u << 20;  ///< bytes of all keys and strings, aliases expanded
  std::size_t max_documents = 1000;
  std::size_t max_objects = 1000; ///< Pods and the like of one file, in documents and Lists
};

/// A file of nothing but errors must not cost more than one without: what is found is limited in
/// number, of each kind, and in length.
inline constexpr std::size_t max_findings = 200;
inline constexpr std::size_t max_shown = 1000; ///< bytes of a field's path, or of a value
inline constexpr std::size_t max_word = 100;   ///< bytes of a key or a name within a text

} // namespace tank::config

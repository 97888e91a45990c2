/// How much of a text we are willing to read.
#pragma once

#include <cstddef>

namespace tank::config {

struct manifest_limits {
  std::size_t max_bytes = 10u << 20; ///< of one file; kubelet's limit
  std::size_t max_depth = 100;       ///< nesting, aliases expanded
  std::size_t max_nodes = 1'000'000; ///< values of one file, aliases expanded
  std::size_t max_text = 20u << 20;  ///< bytes of all keys and strings, aliases expanded
  std::size_t max_documents = 1000;
};

} // namespace tank::config

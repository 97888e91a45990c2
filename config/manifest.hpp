/// From the text of a manifest file to Pods: parsing, decoding, defaulting, validation.
///
/// Pure: text in, values and diagnostics out, memory bounded by limits. The decisions are those of
/// the Kubernetes API server for `v1` Pods, stricter on unknown fields.
#pragma once

#include "config/pod.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tank::config {

/// 1-based; 0 when unknown.
struct position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  bool operator==(const position&) const = default;
};

enum class severity : std::uint8_t {
  error,       ///< the manifest is wrong, or cannot be realised on one node
  unsupported, ///< valid, but this version does not actuate it: the daemon refuses to run the pod
  warning,     ///< accepted; stays visible on the pod (fields that only steer a cluster)
};

/// One finding. Printed as `file:line:column: field.path: reason`.
struct diagnostic {
  severity level = severity::error;
  position at;
  std::string field;  ///< "spec.containers[0].image"; empty for the whole document
  std::string reason; ///< kubelet's words where it has some
  bool operator==(const diagnostic&) const = default;
};

/// `path:line:column: field: reason`; for unsupported `path:line:column: not supported yet: field`
/// (with `: reason` behind it when there is one).
std::string format(const diagnostic& d, std::string_view file);

/// One Pod of a file with what was found about it.
struct pod_document {
  config::pod pod; ///< defaulted; meaningful when `valid()`
  std::vector<diagnostic> diagnostics;
  position at;
  [[nodiscard]] bool valid() const;    ///< no diagnostic of severity error
  [[nodiscard]] bool runnable() const; ///< valid and nothing unsupported
};

/// One file. A file whose text cannot be read as documents has no pods and says why in
/// `diagnostics`.
struct manifest {
  std::vector<pod_document> pods;
  std::vector<diagnostic> diagnostics; ///< of the file: syntax, limits, unknown kinds, duplicates
  [[nodiscard]] bool valid() const;    ///< no error anywhere
};

struct manifest_limits {
  std::size_t max_bytes = 10u << 20; ///< kubelet's limit
  std::size_t max_depth = 100;       ///< nesting
  std::size_t max_nodes = 1'000'000; ///< after alias expansion
  std::size_t max_documents = 1000;
};

manifest parse_manifest(std::string_view text, const manifest_limits& limits = {});

/// The normalised Pod as canonical JSON (defaults applied, quantities canonical, keys sorted), the
/// way the API server would return it; `indent` < 0 for one line.
std::string to_json(const pod& p, int indent = 2);

/// Identity is the content: a stable hex digest of the normalised Pod. A touch or a change of
/// comments or key order keeps it.
std::string content_hash(const pod& p);

} // namespace tank::config

/// From the text of a manifest file to Pods and their companions: parsing, decoding, defaulting,
/// validation.
///
/// Pure: text in, values and diagnostics out, memory bounded by limits. The decisions are those of
/// the Kubernetes API server for `v1` objects, stricter on unknown fields. No diagnostic holds a
/// value of a Secret.
#pragma once

#include "config/diagnostic.hpp"
#include "config/limits.hpp"
#include "config/objects.hpp"
#include "config/pod.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace tank::config {

/// One Pod of a file with what was found about it.
struct pod_document {
  config::pod pod; ///< defaulted; meaningful when `valid()`
  std::vector<diagnostic> diagnostics;
  position at;
  [[nodiscard]] bool valid() const;    ///< no diagnostic of severity error
  [[nodiscard]] bool runnable() const; ///< valid and nothing unsupported
};

/// One file. A file whose text cannot be read as documents has no pods and says why in
/// `diagnostics`. The companions are defaulted; those that are wrong are left out.
struct manifest {
  std::vector<pod_document> pods;
  std::vector<config_map> config_maps;
  std::vector<secret> secrets;
  std::vector<persistent_volume_claim> claims;
  std::vector<diagnostic> diagnostics; ///< of the file: syntax, limits, unknown kinds, duplicates,
                                       ///< and of the companions
  /// It holds no object at all.
  [[nodiscard]] bool empty() const noexcept {
    return pods.empty() && config_maps.empty() && secrets.empty() && claims.empty();
  }
  [[nodiscard]] bool valid() const; ///< no error anywhere
};

manifest parse_manifest(std::string_view text, const manifest_limits& limits = {});

/// The normalised Pod as canonical JSON (defaults applied, quantities canonical, keys sorted), the
/// way the API server would return it; `indent` < 0 for one line.
std::string to_json(const pod& p, int indent = 2);

/// Identity is the content: a stable hex digest of the normalised Pod. A touch or a change of
/// comments or key order keeps it.
std::string content_hash(const pod& p);

} // namespace tank::config

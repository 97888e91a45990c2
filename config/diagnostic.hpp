/// What is found wrong with a text, and where.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace tank::config {

/// 1-based; 0 when unknown. Columns count characters, not bytes.
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

/// Where a field path ("spec.containers[0].image") stands in the text; may say "unknown".
using position_lookup = std::function<position(std::string_view field_path)>;

/// `path:line:column: field: reason`; for unsupported `path:line:column: not supported yet: field`
/// (with `: reason` behind it when there is one), for warning `path:line:column: warning: field:
/// reason`. An unknown position and an empty field are left out.
std::string format(const diagnostic& d, std::string_view file);

} // namespace tank::config

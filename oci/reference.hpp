/// Image references: `[registry[:port]/]repository[:tag][@digest]`.
#pragma once

#include "base/error.hpp"

#include <string>
#include <string_view>

namespace tank::oci {

/// A parsed, fully qualified reference (docker.io and `library/` filled in, tag `latest` unless a
/// tag or digest is given), following the grammar of the distribution project's reference package.
struct reference {
  std::string registry;   ///< "docker.io", "localhost:5000"
  std::string repository; ///< "library/nginx"
  std::string tag;        ///< empty when only a digest was given
  std::string digest;     ///< "sha256:<64 hex>" or empty

  /// Canonical text: docker.io/library/nginx:1.27
  [[nodiscard]] std::string to_string() const;
  /// As a person writes it: nginx:1.27
  [[nodiscard]] std::string familiar() const;

  bool operator==(const reference&) const = default;
};

result<reference> parse_reference(std::string_view text);

} // namespace tank::oci

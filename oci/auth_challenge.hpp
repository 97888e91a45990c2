/// `WWW-Authenticate` (RFC 9110 11.6.1), from a server that is not trusted. Pure and bounded.
#pragma once

#include "base/error.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tank::oci {

struct auth_challenge {
  std::string scheme;                                          ///< lower case: "bearer", "basic"
  std::vector<std::pair<std::string, std::string>> parameters; ///< names in lower case

  [[nodiscard]] std::string_view parameter(std::string_view name) const;
  bool operator==(const auth_challenge&) const = default;
};

/// All challenges of one header value: at most 8 KiB, 16 challenges, 32 parameters each; a
/// parameter that comes twice, a control character and anything outside the grammar are
/// errc::invalid. A token68 after the scheme is skipped: no scheme of ours has one.
result<std::vector<auth_challenge>> parse_challenges(std::string_view text);

} // namespace tank::oci

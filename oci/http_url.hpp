/// Absolute http and https addresses, taken apart strictly: what decides where credentials go must
/// not be open to two readings (SECURITY.md class 11).
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace tank::oci {

struct http_url {
  bool secure = true;     ///< https
  std::string host;       ///< lower case; an IPv6 address with its brackets
  std::uint16_t port = 0; ///< always filled in
  std::string target;     ///< path and query, begins with '/'; no fragment

  [[nodiscard]] std::string origin() const; ///< https://host[:port], the default port left out
  [[nodiscard]] std::string to_string() const;
  /// The same scheme, host and port: the bound of credentials.
  [[nodiscard]] bool same_origin(const http_url& o) const;
  bool operator==(const http_url&) const = default;
};

/// Printable ASCII of at most 8 KiB, no user part, no backslash, a plain host name, IPv4 address or
/// bracketed IPv6 address. A fragment is dropped.
result<http_url> parse_url(std::string_view text);

/// Where a `Location` of an answer from `from` leads (RFC 9110 10.2.2, RFC 3986 5.2, without
/// removal of dot segments). From https to http is errc::denied.
result<http_url> follow_location(const http_url& from, std::string_view location);

/// "host[:port]" as registries are written; `secure` says which port is meant without one.
result<http_url> origin_of(std::string_view host, bool secure);

/// 127.0.0.0/8, ::1 or localhost: no network between us.
bool is_loopback(std::string_view host);

/// The same host, or names below one registrable domain (public suffix list): registry.gitlab.com
/// and gitlab.com. Addresses are only the same as themselves.
bool same_site(std::string_view a, std::string_view b);

/// Whether NO_PROXY names that host, as curl(1) has it: entries between blanks, tabs and commas. A
/// name stands for those below it too, an address for itself, with "/bits" for a network, "*" for
/// all. Case does not count, nor one dot at the end.
bool bypasses_proxy(std::string_view list, std::string_view host);

} // namespace tank::oci

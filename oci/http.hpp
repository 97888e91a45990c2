/// HTTP as values and one interface: what decides (registry_client, auth) is tested with a fake
/// transport, what moves bytes is http_curl.hpp.
#pragma once

#include "base/error.hpp"
#include "oci/http_url.hpp"
#include "oci/net_zone.hpp"
#include "oci/stream.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tank::oci {

/// Name and value; of answers the names are in lower case.
using http_headers = std::vector<std::pair<std::string, std::string>>;

/// How a server proves who it is, and we to it. PEM texts, not paths.
struct tls_trust {
  bool verify = true;
  std::string extra_authorities; ///< besides the system's
  std::string certificate;       ///< of ours; empty: none
  std::string key;
  bool operator==(const tls_trust&) const = default;
};

struct http_request {
  std::string method = "GET"; ///< GET, HEAD or POST
  http_url url;
  http_headers headers;
  std::string body;  ///< of a POST
  bool bulk = false; ///< many bytes come: no limit on the whole time, only on standstill
  tls_trust trust;
  /// Where the one is that sent us there, by a redirect or a realm: no connection is made, and
  /// nothing sent, to an address that it may not send us to (net_zone.hpp). Unset: our own choice.
  std::optional<net_zone> sent_from{};
};

struct http_response {
  int status = 0;
  int version = 0; ///< of HTTP: 10, 11, 20
  http_headers headers;
  std::unique_ptr<byte_source> body; ///< never null; errors as those of `send`
  std::string peer{};                ///< its address; empty when a proxy is between, or unknown

  /// The first of that (lower case) name; empty when there is none.
  [[nodiscard]] std::string_view header(std::string_view name) const {
    for (const auto& [key, value] : headers)
      if (key == name) return value;
    return {};
  }
};

/// Thread-safe.
class http_transport {
 public:
  virtual ~http_transport() = default;

  /// Sends, and waits for the head of the answer. Follows no redirect, knows no credentials, never
  /// tries again. Blocking; also the body's reads. Errors:
  ///   unavailable  no connection, or it broke: trying again may help
  ///   timeout      the other side stands still; likewise
  ///   not_found    no such host
  ///   denied       its certificate does not convince; or `sent_from` does not permit its address
  ///   unsupported  it speaks no TLS
  ///   limit        its head is larger than 64 KiB
  ///   cancelled
  virtual result<http_response> send(const http_request& request) = 0;
};

/// Reads `body` to the end; errc::limit beyond `limit` bytes.
result<std::string> read_body(byte_source& body, std::size_t limit, const std::string& name);

} // namespace tank::oci

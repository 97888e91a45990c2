/// The pulling half of the distribution specification (v1.1) against one repository of one
/// registry.
#pragma once

#include "base/error.hpp"
#include "oci/cancellation.hpp"
#include "oci/credentials.hpp"
#include "oci/http.hpp"
#include "oci/manifest.hpp"
#include "oci/registry_rules.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace tank::oci {

/// Where a repository is asked for, and how far its server is believed.
struct registry_endpoint {
  std::string host; ///< "registry-1.docker.io", "localhost:5000"
  std::string repository;
  bool insecure = false; ///< TLS is not verified, and http is taken when there is no TLS
  std::optional<credentials> login;
  std::vector<std::string> token_servers; ///< hosts that may see the login besides its own site
};

struct client_options {
  retry_policy retry;
  std::uint64_t max_manifest = 4u << 20;
  /// What to believe of `host[:port]`; also asked for hosts that are redirected to.
  std::function<result<tls_trust>(const std::string& host)> trust;
  std::function<std::int64_t()> now; ///< Unix time, s
  std::function<double()> jitter;    ///< in [0, 1); called from several threads
};

/// Thread-safe. Token and connections are shared by all requests of one client. Everything blocks.
/// Bodies and clients must not outlive `stop`.
///
/// Every request is retried as `retry` says. Redirects are followed here, at most 5: authorization
/// and client certificate go only to the registry's own (scheme, host, port), a challenge of
/// anybody else is never answered, and a redirect or a realm leads to this machine or to link-local
/// addresses only when the registry is there too (SECURITY.md class 11). An error holds no text of
/// any other host.
class registry_client {
 public:
  registry_client(std::shared_ptr<http_transport> transport, registry_endpoint endpoint,
                  client_options options, cancellation& stop);

  struct fetched {
    std::string text;
    digest content;
    std::string media_type; ///< as declared; empty when the type says nothing (application/json)
  };
  /// A manifest or an index by tag or digest. A digest, and what the registry says it is, are
  /// verified.
  result<fetched> manifest(const std::string& tag_or_digest);
  result<fetched> manifest(const descriptor& wanted);

  /// A whole small blob, verified; errc::limit when its declared size is above `limit`.
  result<std::string> document(const descriptor& wanted, std::uint64_t limit);

  /// The bytes of a blob: exactly its declared size, else an error. Not verified against the digest
  /// here: who stores them does. A broken connection is resumed where it broke. Uses this client.
  result<std::unique_ptr<byte_source>> blob(const descriptor& wanted);

  /// For messages: "https://host".
  [[nodiscard]] std::string where() const;

 private:
  friend class resuming_source;
  struct authorization {
    std::string header; ///< empty: none
    unsigned serial = 0;
  };
  struct asked {
    std::string path; ///< below /v2/
    http_headers headers;
    bool bulk = false;
    std::string step; ///< for messages
    std::string object;
  };

  result<http_url> connect();
  /// One try; sets its argument when a failure is final although its kind is not.
  using attempt = std::function<result<http_response>(bool& tried_enough)>;

  result<http_url> probe(bool secure, bool patient);
  result<http_response> get(const asked& what);
  result<http_response> once(const http_url& base, const asked& what, bool& tried_enough);
  result<http_response> send_retrying(const attempt& send);
  result<http_response> follow(http_response answer, const http_url& from, const asked& what);
  result<http_response> send(http_request request);
  result<void> wait_after(unsigned failures, const error* why, const http_response* answer,
                          bool& again);
  result<void> authorize(const http_url& origin, unsigned seen, const http_response& refused);
  result<std::string> fetch_token(const http_url& origin, net_zone home,
                                  const auth_challenge& challenge);
  [[nodiscard]] authorization current();
  [[nodiscard]] failure refused(const http_response& answer, const asked& what);

  std::shared_ptr<http_transport> transport_;
  const registry_endpoint endpoint_;
  const client_options options_;
  cancellation& stop_;
  std::mutex connecting_; ///< one at a time; guards connected_
  std::optional<http_url> connected_;
  std::mutex authorizing_; ///< one at a time; guards authorization_
  authorization authorization_;
};

} // namespace tank::oci

/// What the registry client decides, as functions over values: when to try again, where credentials
/// may go, what a refusal means to the user.
#pragma once

#include "base/error.hpp"
#include "oci/auth_challenge.hpp"
#include "oci/credentials.hpp"
#include "oci/http.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank::oci {

struct retry_policy {
  unsigned attempts = 5; ///< of one request, the first included
  std::chrono::milliseconds base{500};
  std::chrono::milliseconds cap = std::chrono::seconds{20};
  std::chrono::milliseconds patience = std::chrono::seconds{60}; ///< of a Retry-After
};

/// 408, 429, 500, 502, 503, 504.
bool worth_retrying(int status);
/// A connection that broke or stands still; not a name that nobody knows.
bool worth_retrying(const error& why);

/// How long to wait before try `failures` + 1 (failures >= 1): doubles from `base`, with `jitter`
/// in [0, 1) taking up to half of it away; a Retry-After (`asked`) is obeyed when it is longer.
/// nullopt: give up, because of the number or because it asks for more than `patience`.
std::optional<std::chrono::milliseconds> retry_delay(const retry_policy& policy, unsigned failures,
                                                     std::optional<std::chrono::seconds> asked,
                                                     double jitter);

/// Seconds or an HTTP date; `now` is Unix time in seconds. Never negative.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view text, std::int64_t now);

/// May a token be fetched from `realm` for the registry at `origin`, and with credentials? The
/// realm of an https registry must be https. Credentials go to the registry's own site, or to a
/// host in `trusted`; to nobody else, whatever the registry says (SECURITY.md class 11).
result<void> check_realm(const http_url& origin, const http_url& realm, bool with_credentials,
                         const std::vector<std::string>& trusted);

/// GET or POST (with an identity token) of the distribution project's token specification.
http_request token_request(const http_url& realm, const auth_challenge& challenge,
                           const std::string& scope, const std::optional<credentials>& login);
/// `token` or `access_token` of the answer.
result<std::string> parse_token(std::string_view text);

std::string basic_authorization(const credentials& login);

/// The error that an answer of the registry means; `text` is its body (may hold the specification's
/// error list, of which the first is shown).
error refusal(int status, std::string step, std::string object, std::string_view text,
              bool logged_in);

/// A Content-Range answers a request for everything from `from` of `size` bytes.
bool content_range_matches(std::string_view value, std::uint64_t from, std::uint64_t size);

} // namespace tank::oci

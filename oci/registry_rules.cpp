#include "oci/registry_rules.hpp"

#include "base/text.hpp"
#include "oci/json.hpp"
#include "oci/unpack.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>

namespace tank::oci {

namespace {

constexpr std::size_t max_token_answer = 1u << 20;
constexpr std::size_t max_token = 64u << 10;

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

/// "CODE: message" of the specification's error list; empty when there is none.
std::string first_error(std::string_view text) {
  const auto parsed = parse_json(text, 64u << 10, "answer");
  if (!parsed || !parsed->is_object()) return {};
  const auto errors = parsed->find("errors");
  if (errors == parsed->end() || !errors->is_array() || errors->empty()) return {};
  const auto o = json_object::of(errors->front(), "error");
  if (!o) return {};
  const auto code = o->text("code").value_or("");
  const auto message = o->text("message").value_or("");
  if (code.empty() || message.empty()) return for_message(code + message);
  return for_message(code + ": " + message);
}

} // namespace

bool worth_retrying(int status) {
  switch (status) {
  case 408:
  case 429:
  case 500:
  case 502:
  case 503:
  case 504:
    return true;
  default:
    return false;
  }
}

bool worth_retrying(const error& why) {
  return why.code == errc::unavailable || why.code == errc::timeout;
}

std::optional<std::chrono::milliseconds> retry_delay(const retry_policy& policy, unsigned failures,
                                                     std::optional<std::chrono::seconds> asked,
                                                     double jitter) {
  using std::chrono::milliseconds;
  if (failures >= policy.attempts) return std::nullopt;
  if (asked && *asked > policy.patience) return std::nullopt;
  auto delay = policy.base;
  for (unsigned i = 1; i < failures && delay < policy.cap; ++i)
    delay *= 2;
  delay = std::min(delay, policy.cap);
  delay -= milliseconds{static_cast<std::int64_t>(static_cast<double>(delay.count()) * jitter / 2)};
  if (asked) delay = std::max<milliseconds>(delay, *asked);
  return delay;
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view text, std::int64_t now) {
  if (const auto n = number(text))
    return std::chrono::seconds{static_cast<std::int64_t>(std::min<std::uint64_t>(*n, 1u << 30))};
  const auto at = ::curl_getdate(std::string{text.substr(0, 64)}.c_str(), nullptr);
  if (at < 0) return std::nullopt;
  return std::chrono::seconds{std::max<std::int64_t>(at - now, 0)};
}

result<void> check_realm(const http_url& origin, const http_url& realm, bool with_credentials,
                         const std::vector<std::string>& trusted) {
  if (origin.secure && !realm.secure)
    return fail(errc::denied, "fetch a token from", realm.origin(),
                "the registry is https and its token server is not");
  if (!with_credentials || same_site(origin.host, realm.host) ||
      std::find(trusted.begin(), trusted.end(), realm.host) != trusted.end())
    return {};
  return fail(errc::denied, "log in at", realm.origin(),
              "the registry " + origin.origin() +
                  " names it as its token server, but it is of "
                  "another site, and credentials are not sent there",
              "without the login, only public images of this registry can be had");
}

http_request token_request(const http_url& realm, const auth_challenge& challenge,
                           const std::string& scope, const std::optional<credentials>& login) {
  http_request r;
  r.url = realm;
  const auto service = challenge.parameter("service");
  std::string query = "service=" + percent_encode(service) + "&scope=" + percent_encode(scope);
  if (login && !login->identity_token.empty()) {
    r.method = "POST";
    r.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    r.body = "grant_type=refresh_token&client_id=tank&" + query +
             "&refresh_token=" + percent_encode(login->identity_token);
    return r;
  }
  if (login) {
    r.headers = {{"Authorization", basic_authorization(*login)}};
    query += "&account=" + percent_encode(login->user);
  }
  r.url.target += (r.url.target.find('?') == std::string::npos ? "?" : "&") + query;
  return r;
}

result<std::string> parse_token(std::string_view text) {
  const auto parsed = parse_json(text, max_token_answer, "token");
  if (!parsed) return fail(errc::invalid, "read", "token", "the answer is not proper JSON");
  const auto o = TANK_TRY(json_object::of(*parsed, "token"));
  auto token = TANK_TRY(o.text("token"));
  if (token.empty()) token = TANK_TRY(o.text("access_token"));
  // It goes into a header.
  const bool plain =
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (token.empty() || token.size() > max_token || !plain)
    return fail(errc::invalid, "read", "token", "the answer holds none that is usable");
  return token;
}

std::string basic_authorization(const credentials& login) {
  return "Basic " + to_base64(login.user + ":" + login.password);
}

error refusal(int status, std::string step, std::string object, std::string_view text,
              bool logged_in) {
  auto cause = first_error(text);
  cause = "the registry answers " + std::to_string(status) + (cause.empty() ? "" : " " + cause);
  auto code = errc::unavailable;
  std::string hint;
  if (status == 404) {
    code = errc::not_found;
    hint = "check the name and the tag";
  } else if (status == 401 || status == 403) {
    code = errc::denied;
    hint = logged_in ? "the login that was used does not permit it, or the name is wrong"
                     : "log in with 'docker login' or 'podman login', or check the name";
  } else if (status == 429) {
    code = errc::limit;
    hint = "it limits how often one may ask; try later, or log in";
  } else if (status >= 400 && status < 500) {
    code = errc::invalid;
  }
  return fail(code, std::move(step), std::move(object), std::move(cause), std::move(hint)).value();
}

bool content_range_matches(std::string_view value, std::uint64_t from, std::uint64_t size) {
  if (!value.starts_with("bytes ")) return false;
  value.remove_prefix(6);
  const auto dash = value.find('-');
  const auto slash = value.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash)
    return false;
  const auto first = number(value.substr(0, dash));
  const auto last = number(value.substr(dash + 1, slash - dash - 1));
  const auto all = value.substr(slash + 1);
  return first == from && last && *last + 1 == size && (all == "*" || number(all) == size);
}

} // namespace tank::oci

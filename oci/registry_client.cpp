#include "oci/registry_client.hpp"

#include "oci/unpack.hpp"

#include <algorithm>
#include <utility>

namespace tank::oci {

namespace {

constexpr unsigned max_redirects = 5;
constexpr std::size_t max_error_body = 64u << 10;
constexpr std::size_t max_token_body = 1u << 20;
constexpr std::uint64_t progress_that_counts = 1u << 20;
constexpr unsigned max_resumes = 100;

constexpr std::string_view accepted =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// The type without its parameters; empty when it is a general one.
std::string declared_type(std::string_view content_type) {
  auto type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' '))
    type.remove_suffix(1);
  if (!type.starts_with("application/vnd.")) return {};
  return std::string{type};
}

std::string host_of(const http_url& url) {
  const auto origin = url.origin();
  return origin.substr(origin.find("://") + 3);
}

/// Where a server is that answered.
net_zone home_of(const http_response& answer, const http_url& url) {
  return zone_of(answer.peer.empty() ? std::string_view{url.host} : answer.peer);
}

/// Nothing.
class no_bytes final : public byte_source {
 public:
  result<std::span<const std::byte>> next() override { return std::span<const std::byte>{}; }
};

/// What is left of a refusal's body, for its message.
std::string body_text(const http_response& answer) {
  return read_body(*answer.body, max_error_body, "answer").value_or("");
}

} // namespace

registry_client::registry_client(std::shared_ptr<http_transport> transport,
                                 registry_endpoint endpoint, client_options options,
                                 cancellation& stop)
    : transport_(std::move(transport))
    , endpoint_(std::move(endpoint))
    , options_(std::move(options))
    , stop_(stop) {}

std::string registry_client::where() const {
  return endpoint_.host;
}

registry_client::authorization registry_client::current() {
  const std::lock_guard lock{authorizing_};
  return authorization_;
}

result<http_response> registry_client::send(http_request request) {
  if (request.url.secure) {
    request.trust = TANK_TRY(options_.trust(host_of(request.url)));
    if (endpoint_.insecure && host_of(request.url) == endpoint_.host) request.trust.verify = false;
  }
  return transport_->send(request);
}

/// Sets `again` when the request shall be sent once more, after having waited.
result<void> registry_client::wait_after(unsigned failures, const error* why,
                                         const http_response* answer, bool& again) {
  again = why != nullptr ? worth_retrying(*why) : worth_retrying(answer->status);
  if (!again) return {};
  std::optional<std::chrono::seconds> pause;
  if (answer != nullptr) pause = parse_retry_after(answer->header("retry-after"), options_.now());
  const auto delay = retry_delay(options_.retry, failures, pause, options_.jitter());
  again = delay.has_value();
  if (again && stop_.wait_for(*delay))
    return fail(errc::cancelled, "reach", endpoint_.host, "no longer wanted");
  return {};
}

result<http_response> registry_client::send_retrying(const attempt& send) {
  for (unsigned failures = 1;; ++failures) {
    bool tried_enough = false;
    auto answer = send(tried_enough);
    if (tried_enough) return answer;
    bool again = false;
    TANK_TRY(wait_after(failures, answer ? nullptr : &answer.error(), answer ? &*answer : nullptr,
                        again));
    if (!again) return answer;
  }
}

result<http_url> registry_client::probe(bool secure, bool patient) {
  http_request request;
  request.url = TANK_TRY(origin_of(endpoint_.host, secure));
  const auto base = request.url;
  request.url.target = "/v2/";
  const auto answer = TANK_TRY(send_retrying([&](bool& tried_enough) {
    auto said = this->send(request);
    tried_enough = !patient && !said;
    return said;
  }));
  if (answer.status == 401) {
    TANK_TRY(authorize(base, 0, answer));
  } else if (answer.status == 404) {
    return fail(errc::unsupported, "use", base.origin(), "it is no registry: it has no /v2/");
  } else if (answer.status != 200 && answer.status != 403 && !is_redirect(answer.status)) {
    return tl::make_unexpected(refusal(answer.status, "use registry", base.origin(),
                                       body_text(answer), endpoint_.login.has_value()));
  }
  return base;
}

/// Finds out whether it is https, and answers its challenge if it has one for everybody.
result<http_url> registry_client::connect() {
  const std::lock_guard lock{connecting_};
  if (connected_) return *connected_;
  const auto plain_host = TANK_TRY(origin_of(endpoint_.host, true))
  .host;
  const bool http_too = endpoint_.insecure || is_loopback(plain_host);
  auto base = probe(true, !http_too);
  // No TLS is one thing; TLS that does not convince is another, and no reason to go without.
  if (!base && http_too &&
      (base.error().code == errc::unsupported || base.error().code == errc::unavailable))
    base = probe(false, true);
  if (!base) return base;
  connected_ = *base;
  return base;
}

result<void> registry_client::authorize(const http_url& origin, unsigned seen,
                                        const http_response& refused) {
  const std::lock_guard lock{authorizing_};
  if (authorization_.serial != seen) return {}; // somebody was faster
  const auto denied = [&](std::string cause, std::string hint = {}) {
    return fail(errc::denied, "log in to", endpoint_.host, std::move(cause), std::move(hint));
  };
  std::vector<auth_challenge> challenges;
  for (const auto& [name, value] : refused.headers)
    if (name == "www-authenticate") {
      auto some = TANK_TRY(parse_challenges(value));
      challenges.insert(challenges.end(), some.begin(), some.end());
    }
  const auto find = [&](std::string_view scheme) {
    return std::find_if(challenges.begin(), challenges.end(),
                        [&](const auto& c) { return c.scheme == scheme; });
  };
  if (const auto bearer = find("bearer"); bearer != challenges.end()) {
    authorization_.header =
        "Bearer " + TANK_TRY(fetch_token(origin, home_of(refused, origin), *bearer));
  } else if (find("basic") != challenges.end()) {
    if (!endpoint_.login || endpoint_.login->user.empty())
      return denied("it wants a user and a password",
                    "log in with 'docker login' or 'podman login'");
    authorization_.header = basic_authorization(*endpoint_.login);
  } else {
    return denied("it asks for neither Bearer nor Basic authorization");
  }
  ++authorization_.serial;
  return {};
}

result<std::string> registry_client::fetch_token(const http_url& origin, net_zone home,
                                                 const auth_challenge& challenge) {
  const auto realm = parse_url(challenge.parameter("realm"));
  if (!realm) return wrap(realm.error(), "log in to", endpoint_.host);
  TANK_TRY(check_realm(origin, *realm, endpoint_.login.has_value(), endpoint_.token_servers));
  const auto& known = endpoint_.token_servers; // which the settings name: our own choice
  const bool chosen = realm->same_origin(origin) ||
                      std::find(known.begin(), known.end(), realm->host) != known.end();
  if (!chosen) TANK_TRY(check_zone(home, *realm, "fetch a token from"));
  const auto scope = "repository:" + endpoint_.repository + ":pull";
  auto request = token_request(*realm, challenge, scope, endpoint_.login);
  if (!chosen) request.sent_from = home;
  auto answer = TANK_TRY(send_retrying([&](bool&) { return this->send(request); }));
  if (answer.status != 200)
    return tl::make_unexpected(
        refusal(answer.status, "log in at", realm->origin(),
                chosen || same_site(origin.host, realm->host) ? body_text(answer) : "",
                endpoint_.login.has_value()));
  return parse_token(TANK_TRY(read_body(*answer.body, max_token_body, "token")));
}

result<http_response> registry_client::follow(http_response answer, const http_url& from,
                                              const asked& what) {
  auto at = from;
  const auto home = home_of(answer, from);
  for (unsigned hops = 0; is_redirect(answer.status); ++hops) {
    if (hops == max_redirects)
      return fail(errc::limit, what.step, what.object, "more than 5 redirects");
    const auto location = answer.header("location");
    auto to = follow_location(at, location);
    if (!to) return wrap(std::move(to).error(), what.step, what.object);
    http_request request{.method = "GET",
                         .url = *to,
                         .headers = what.headers,
                         .body = {},
                         .bulk = what.bulk,
                         .trust = {}};
    if (!to->same_origin(from)) {
      TANK_TRY(check_zone(home, *to, "follow the redirect to"));
      request.sent_from = home;
    } else if (const auto mine = current(); !mine.header.empty()) {
      request.headers.emplace_back("Authorization", mine.header);
    }
    answer = TANK_TRY(send(std::move(request)));
    at = *std::move(to);
  }
  // What others answer is for the registry's clients to see, not for those who read a pod's status.
  if (!at.same_origin(from) && answer.status >= 300) answer.body = std::make_unique<no_bytes>();
  return answer;
}

/// One try: with a new authorization once, and through redirects.
result<http_response> registry_client::once(const http_url& base, const asked& what,
                                            bool& tried_enough) {
  for (bool first = true;; first = false) {
    const auto mine = current();
    http_request request{.method = "GET",
                         .url = base,
                         .headers = what.headers,
                         .body = {},
                         .bulk = what.bulk,
                         .trust = {}};
    request.url.target = "/v2/" + what.path;
    if (!mine.header.empty()) request.headers.emplace_back("Authorization", mine.header);
    const auto url = request.url;
    auto answer = TANK_TRY(send(std::move(request)));
    if (answer.status != 401 || !first) return follow(std::move(answer), url, what);
    tried_enough = true; // what fails in there was tried again in there
    TANK_TRY(authorize(base, mine.serial, answer));
    tried_enough = false;
  }
}

result<http_response> registry_client::get(const asked& what) {
  const auto base = TANK_TRY(connect());
  return send_retrying([&](bool& tried_enough) { return once(base, what, tried_enough); });
}

failure registry_client::refused(const http_response& answer, const asked& what) {
  return tl::make_unexpected(refusal(answer.status, what.step, what.object, body_text(answer),
                                     endpoint_.login.has_value()));
}

result<registry_client::fetched> registry_client::manifest(const std::string& tag_or_digest) {
  const bool by_digest = tag_or_digest.find(':') != std::string::npos;
  const asked what{.path = endpoint_.repository + "/manifests/" + tag_or_digest,
                   .headers = {{"Accept", std::string{accepted}}},
                   .bulk = false,
                   .step = "find image",
                   .object = endpoint_.host + "/" + endpoint_.repository + (by_digest ? "@" : ":") +
                             tag_or_digest};
  const auto answer = TANK_TRY(get(what));
  if (answer.status != 200) return refused(answer, what);
  auto text = read_body(*answer.body, options_.max_manifest, "manifest");
  if (!text) return wrap(std::move(text).error(), what.step, what.object);
  auto wanted = digest{};
  // Who was asked for it says what it is; what the registry says of itself is only a second check.
  if (by_digest)
    wanted = TANK_TRY(parse_digest(tag_or_digest));
  else if (const auto said = parse_digest(answer.header("docker-content-digest")))
    wanted = *said;
  fetched out{*std::move(text), {}, declared_type(answer.header("content-type"))};
  out.content = digest_of(out.text, wanted.algorithm);
  if (!wanted.empty() && out.content != wanted)
    return fail(errc::corrupt, "verify", what.object,
                "the content is " + out.content.to_string() + ", announced was " +
                    wanted.to_string());
  return out;
}

result<registry_client::fetched> registry_client::manifest(const descriptor& wanted) {
  auto out = TANK_TRY(manifest(wanted.content.to_string()));
  if (wanted.size != out.text.size())
    return fail(errc::corrupt, "verify", wanted.content.to_string(),
                "its size is " + std::to_string(out.text.size()) + ", announced was " +
                    std::to_string(wanted.size));
  out.media_type = wanted.media_type;
  return out;
}

/// A blob that survives broken connections.
class resuming_source final : public byte_source {
 public:
  resuming_source(registry_client& client, const descriptor& wanted)
      : client_(client)
      , name_(wanted.content.to_string())
      , size_(wanted.size) {}

  result<void> open() {
    auto what = registry_client::asked{.path = client_.endpoint_.repository + "/blobs/" + name_,
                                       .headers = {},
                                       .bulk = true,
                                       .step = "download",
                                       .object = name_};
    if (at_ > 0) what.headers.emplace_back("Range", "bytes=" + std::to_string(at_) + "-");
    auto answer = TANK_TRY(client_.get(what));
    if (answer.status != 200 && (answer.status != 206 || at_ == 0))
      return client_.refused(answer, what);
    skip_ = 0;
    if (answer.status == 206) {
      if (!content_range_matches(answer.header("content-range"), at_, size_))
        return wrong("it answers with another range than was asked for");
    } else {
      skip_ = at_; // it knows no ranges: what is here already comes again
      const auto length = answer.header("content-length");
      if (!length.empty() && length != std::to_string(size_))
        return wrong("its size is " + for_message(length) + ", announced was " +
                     std::to_string(size_));
    }
    body_ = std::move(answer.body);
    return {};
  }

  result<std::span<const std::byte>> next() override {
    for (;;) {
      if (!body_) TANK_TRY(open());
      auto bytes = body_->next();
      if (bytes && bytes->empty() && at_ < size_)
        bytes = fail(errc::unavailable, "download", name_,
                     "it ended after " + std::to_string(at_) + " of " + std::to_string(size_) +
                         " bytes");
      if (!bytes) {
        TANK_TRY(recover(std::move(bytes).error()));
        continue;
      }
      const auto skipped = std::min<std::uint64_t>(skip_, bytes->size());
      skip_ -= skipped;
      const auto fresh = bytes->subspan(static_cast<std::size_t>(skipped));
      if (fresh.empty() && !bytes->empty()) continue;
      if (fresh.size() > size_ - at_)
        return wrong("it is larger than the announced " + std::to_string(size_) + " bytes");
      at_ += fresh.size();
      return fresh;
    }
  }

 private:
  failure wrong(std::string cause) const {
    return fail(errc::corrupt, "download", name_, std::move(cause));
  }

  /// The connection broke: waits, and lets the next read open another. Little steps count as none:
  /// a server must not keep us for ever with a byte each time.
  result<void> recover(error why) {
    body_.reset();
    if (at_ - counted_from_ >= progress_that_counts) {
      counted_from_ = at_;
      failures_ = 0;
    }
    bool again = false;
    TANK_TRY(client_.wait_after(++failures_, &why, nullptr, again));
    if (!again || ++resumes_ > max_resumes) return wrap(std::move(why), "download", name_);
    return {};
  }

  registry_client& client_;
  const std::string name_;
  const std::uint64_t size_;
  std::unique_ptr<byte_source> body_;
  std::uint64_t at_ = 0;           ///< bytes handed out
  std::uint64_t skip_ = 0;         ///< of this body, handed out before
  std::uint64_t counted_from_ = 0; ///< where the failures that count began
  unsigned failures_ = 0;
  unsigned resumes_ = 0;
};

result<std::unique_ptr<byte_source>> registry_client::blob(const descriptor& wanted) {
  auto source = std::make_unique<resuming_source>(*this, wanted);
  TANK_TRY(source->open());
  return std::unique_ptr<byte_source>{std::move(source)};
}

result<std::string> registry_client::document(const descriptor& wanted, std::uint64_t limit) {
  const auto name = wanted.content.to_string();
  if (wanted.size > limit)
    return fail(errc::limit, "download", name,
                "its announced size is above " + std::to_string(limit) + " bytes");
  const auto source = TANK_TRY(blob(wanted));
  auto text = TANK_TRY(read_body(*source, wanted.size, name));
  if (const auto found = digest_of(text, wanted.content.algorithm); found != wanted.content)
    return fail(errc::corrupt, "verify", name, "the content is " + found.to_string());
  return text;
}

} // namespace tank::oci

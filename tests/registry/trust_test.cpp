/// Who sees credentials, and who is believed (SECURITY.md class 11). The servers record every
/// header.
#include "tests/registry/pull_fixture.hpp"

#include <atomic>

namespace trust_test {

using namespace tank;
using namespace tank::testing;

namespace {

const credentials login{"user", "secret", ""};

/// No request that `server` ever saw holds a credential.
void check_saw_no_secret(const fault_registry& server) {
  for (const auto& r : server.seen()) {
    CHECK(r.header("authorization").empty());
    CHECK(r.header("cookie").empty());
    for (const auto& [key, value] : r.headers)
      CHECK_MESSAGE(value.find("dXNlcjpzZWNyZXQ") == std::string::npos, key);
    CHECK(r.body.empty());
  }
}

reply challenge(const std::string& value) {
  return {.status = 401, .headers = {{"WWW-Authenticate", value}}, .body = "{}"};
}

/// A registry that wants a token from `realm`.
pull_world::bend wants_token(const std::string& realm) {
  return [realm](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.target.starts_with("/token")) return reply{.body = R"({"token":"t1"})"};
    if (r.header("authorization") == "Bearer t1") return std::nullopt;
    return challenge("Bearer realm=\"" + realm + "\",service=\"s\"");
  };
}

} // namespace

TEST_CASE("a token is fetched once and used for the whole pull") {
  pull_world w;
  w.bent = wants_token("http://" + w.registry.at() + "/token");
  w.check_pulls();
  CHECK(w.registry.count("/token") == 1);
  CHECK(w.registry.count("scope=repository%3Aa%3Apull") == 1);
}

TEST_CASE("a token that runs out in the middle is fetched again") {
  pull_world w;
  std::atomic<int> tokens{0};
  w.bent = [&](const seen_request& r, unsigned nth) -> std::optional<reply> {
    if (r.target.starts_with("/token"))
      return reply{.body = "{\"token\":\"t" + std::to_string(++tokens) + "\"}"};
    const bool stale = w.is_layer(r) && nth == 0;
    if (!stale && r.header("authorization").starts_with("Bearer t")) return std::nullopt;
    return challenge("Bearer realm=\"http://" + w.registry.at() + "/token\"");
  };
  w.check_pulls();
  CHECK(tokens == 2);
}

TEST_CASE("a registry that never takes the token ends in an error, soon") {
  pull_world w;
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.target.starts_with("/token")) return reply{.body = R"({"token":"t"})"};
    return challenge("Bearer realm=\"http://" + w.registry.at() + "/token\"");
  };
  w.check_fails(errc::denied, "answers 401");
  CHECK(w.registry.seen().size() <= 6);
}

TEST_CASE("challenges that make no sense are refused") {
  for (const std::string value :
       {"Bearer service=\"s\"", "Bearer realm=\"/token\"", "Bearer realm=\"ftp://h/\"",
        "Bearer realm=\"open", "Digest realm=\"x\"", ""}) {
    pull_world w;
    w.bent = [&](const seen_request&, unsigned) -> std::optional<reply> {
      return challenge(value);
    };
    const auto pulled = w.pull();
    REQUIRE_FALSE(pulled);
    CHECK_MESSAGE(pulled.error().message().find("127.0.0.1") != std::string::npos,
                  pulled.error().message());
    w.check_nothing_left();
  }
}

TEST_CASE("basic authorization goes to the registry, and the error says what is missing") {
  pull_world w;
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.header("authorization") == "Basic dXNlcjpzZWNyZXQ=") return std::nullopt;
    return challenge("Basic realm=\"r\"");
  };
  w.check_fails(errc::denied, "it wants a user and a password");
  w.login = credentials{"user", "wrong", ""};
  w.check_fails(errc::denied, "401");
  w.login = login;
  w.check_pulls();
}

TEST_CASE("no credential follows a redirect to another host") {
  pull_world w;
  fault_registry other{[&](const seen_request& r) {
    auto moved = r;
    moved.target = "/v2/a/blobs/" + r.target.substr(r.target.rfind('/') + 1);
    return w.honest(moved);
  }};
  w.login = login;
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.header("authorization").empty()) return challenge("Basic realm=\"r\"");
    if (r.target.find("/blobs/") == std::string::npos) return std::nullopt;
    return reply{.status = 307,
                 .headers = {{"Location", "http://" + other.at("localhost") + "/cdn/" +
                                              r.target.substr(r.target.rfind('/') + 1)}}};
  };
  w.check_pulls();
  CHECK(other.count("/cdn/") == 2);
  check_saw_no_secret(other);
}

TEST_CASE("another port of the same host is another host") {
  pull_world w;
  fault_registry other{[](const seen_request&) { return challenge("Basic realm=\"r\""); }};
  w.login = login;
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.header("authorization").empty()) return challenge("Basic realm=\"r\"");
    if (r.target.find("/blobs/") == std::string::npos) return std::nullopt;
    return reply{.status = 302, .headers = {{"Location", "http://" + other.at() + "/x"}}};
  };
  // Nor is the challenge of who we were sent to ever answered.
  w.check_fails(errc::denied, "answers 401");
  CHECK(other.seen().size() == 1);
  check_saw_no_secret(other);
}

TEST_CASE("a redirect within the registry keeps the authorization") {
  pull_world w;
  w.login = login;
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.header("authorization") != "Basic dXNlcjpzZWNyZXQ=")
      return challenge("Basic realm=\"r\"");
    if (!r.target.ends_with("?moved") && w.is_layer(r))
      return reply{.status = 301, .headers = {{"Location", r.target + "?moved"}}};
    auto plain = r;
    plain.target = r.target.substr(0, r.target.find('?'));
    return w.honest(plain);
  };
  w.check_pulls();
}

TEST_CASE("credentials are not sent to a token server of another site") {
  pull_world w;
  fault_registry other{[](const seen_request&) { return reply{.body = R"({"token":"t1"})"}; }};
  w.bent = wants_token("http://" + other.at("localhost") + "/token");
  w.login = login;
  w.check_fails(errc::denied, "credentials are not sent there");
  CHECK(other.seen().empty());
  w.token_servers = {"localhost"};
  w.check_pulls();
  CHECK(other.seen().front().header("authorization") == "Basic dXNlcjpzZWNyZXQ=");
}

TEST_CASE("an https registry is left for http by no redirect and no realm") {
  fault_registry plain{[](const seen_request&) { return reply{.body = R"({"token":"t1"})"}; }};
  pull_world w{{}, true};
  w.authorities[w.registry.at()] = w.registry.certificate();
  w.check_pulls();
  pull_world redirected{{}, true};
  redirected.authorities[redirected.registry.at()] = redirected.registry.certificate();
  redirected.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (!redirected.is_layer(r)) return std::nullopt;
    return reply{.status = 307, .headers = {{"Location", "http://" + plain.at() + "/b"}}};
  };
  redirected.check_fails(errc::denied, "from https to http");
  pull_world realm{{}, true};
  realm.authorities[realm.registry.at()] = realm.registry.certificate();
  realm.bent = wants_token("http://" + plain.at() + "/token");
  realm.check_fails(errc::denied, "its token server is not");
  CHECK(plain.seen().empty());
}

TEST_CASE("a certificate that does not convince is no reason to go without") {
  pull_world w{{}, true};
  const auto text = w.check_fails(errc::denied, "certs.d/" + w.registry.at() + "/ca.crt");
  CHECK(w.registry.seen().empty());
  w.insecure = true;
  w.check_pulls();
}

TEST_CASE("each host is believed by its own authorities") {
  pull_world w{{}, true};
  w.authorities[w.registry.at()] = w.registry.certificate();
  fault_registry cdn{[&](const seen_request& r) {
                       auto moved = r;
                       moved.target = "/v2/a/blobs/" + r.target.substr(1);
                       return w.honest(moved);
                     },
                     true};
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (!w.is_layer(r)) return std::nullopt;
    return reply{
        .status = 307,
        .headers = {{"Location", "https://" + cdn.at("localhost") + "/" + w.image.layer_digest}}};
  };
  w.check_fails(errc::denied, "localhost");
  w.authorities[cdn.at("localhost")] = cdn.certificate();
  w.check_pulls();
}

TEST_CASE("nobody outside of this machine sends us to it: nothing is even connected") {
  const fault_registry inner{[](const seen_request&) { return reply{.body = "metadata"}; }};
  cancellation stop;
  auto transport = curl_transport::start({}, stop).value();
  const auto ask = [&](const std::string& host, std::optional<net_zone> sent_from) {
    http_request request;
    request.url = origin_of(inner.at(host), false).value();
    request.sent_from = sent_from;
    return transport->send(request);
  };
  const auto before = inner.connections();
  for (const auto* host : {"127.0.0.1", "localhost"}) {
    const auto refused = ask(host, net_zone::anywhere);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::denied);
    CHECK(refused.error().cause.find("this machine's own address") != std::string::npos);
    CHECK_FALSE(ask(host, net_zone::link_local));
  }
  CHECK(inner.connections() == before);
  CHECK(inner.seen().empty());
  const auto own = ask("127.0.0.1", std::nullopt);
  REQUIRE(own);
  CHECK(own->peer == "127.0.0.1");
  CHECK(ask("127.0.0.1", net_zone::loopback));
  // Over the connection that is open now, too.
  CHECK_FALSE(ask("127.0.0.1", net_zone::anywhere));
  CHECK(inner.seen().size() == 2);
}

namespace {

/// The same answers as of a registry with a public address. Each says why in its body.
struct elsewhere final : http_transport {
  std::string location; ///< of everything but /v2/ and /own; empty: it answers 404
  std::string realm;
  std::vector<http_request> asked;
  result<http_response> send(const http_request& r) override {
    struct text final : byte_source {
      std::string left;
      std::string given;
      explicit text(std::string all) : left(std::move(all)) {}
      result<std::span<const std::byte>> next() override {
        given = std::exchange(left, {});
        return std::as_bytes(std::span{given});
      }
    };
    asked.push_back(r);
    http_response out;
    out.status = 500;
    out.peer = "93.184.216.34";
    const bool own = r.url.host == "registry.example";
    out.body = std::make_unique<text>(R"({"errors":[{"code":"X","message":")" +
                                      std::string{own ? "own words" : "inner secret"} + R"("}]})");
    if (!own) return out;
    if (!realm.empty()) {
      out.status = 401;
      out.headers = {{"www-authenticate", "Bearer realm=\"" + realm + "\""}};
    } else if (r.url.target == "/v2/") {
      out.status = 200;
    } else if (location.empty() || r.url.target == "/own") {
      out.status = 404;
    } else {
      out.status = 307;
      out.headers = {{"location", location}};
    }
    return out;
  }
};

/// What a client says that is refused there.
tank::error refusal_of(const std::shared_ptr<elsewhere>& transport) {
  cancellation stop;
  client_options options;
  options.retry.attempts = 1;
  options.now = [] { return std::int64_t{0}; };
  options.jitter = [] { return 0.0; };
  options.trust = [](const std::string&) { return tls_trust{}; };
  transport->asked.clear();
  registry_client client{transport, {"registry.example", "a", false, {}, {}}, options, stop};
  const auto refused = client.manifest("1");
  REQUIRE_FALSE(refused);
  return refused.error();
}

} // namespace

TEST_CASE("a registry elsewhere can neither redirect nor send for tokens to this machine") {
  const auto transport = std::make_shared<elsewhere>();
  for (const std::string inner : {"127.0.0.1", "localhost", "[::1]", "169.254.169.254", "0.0.0.0",
                                  "[::ffff:127.0.0.1]", "127.1", "[fe80::1]", "[fd00:ec2::254]"}) {
    CAPTURE(inner);
    transport->realm.clear();
    transport->location = "https://" + inner + "/latest";
    CHECK(refusal_of(transport).code == errc::denied);
    CHECK(transport->asked.size() == 2); // only the registry
    transport->realm = "https://" + inner + "/token";
    CHECK(refusal_of(transport).code == errc::denied);
    CHECK(transport->asked.size() == 1);
  }
}

TEST_CASE("the registry's own words are told, those of whom it sends us to are not") {
  const auto transport = std::make_shared<elsewhere>();
  const auto says = [&](const std::string& words) {
    const auto text = refusal_of(transport).message();
    return text.find(words) != std::string::npos;
  };
  for (const std::string place : {"", "/own"}) { // at once, and by a redirect to itself
    CAPTURE(place);
    transport->location = place;
    CHECK(refusal_of(transport).code == errc::not_found);
    CHECK(says("answers 404 X: own words"));
  }
  transport->location = "/elsewhere";
  CHECK(says("more than 5 redirects"));
  // A name is asked, for only its addresses tell.
  transport->location = "https://inner.example/";
  CHECK(says("answers 500"));
  CHECK_FALSE(says("secret"));
  CHECK(transport->asked.back().url.host == "inner.example");
  CHECK(transport->asked.back().sent_from == net_zone::anywhere);
  transport->realm = "https://inner.example/token";
  CHECK(says("answers 500"));
  CHECK_FALSE(says("secret"));
  CHECK(transport->asked.back().url.host == "inner.example");
  CHECK(transport->asked.back().sent_from == net_zone::anywhere);
}

} // namespace trust_test

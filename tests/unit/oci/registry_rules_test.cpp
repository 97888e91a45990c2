#include "oci/net_zone.hpp"
#include "oci/registry_rules.hpp"

#include "oci/pull_totals.hpp"

#include <doctest/doctest.h>

namespace registry_rules_test {

using namespace tank;
using namespace tank::oci;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

http_url url(std::string_view text) {
  auto parsed = parse_url(text);
  REQUIRE_MESSAGE(parsed, parsed.error().message());
  return *std::move(parsed);
}

std::string why(const error& e) {
  return e.message();
}

} // namespace

TEST_CASE("an address is taken apart strictly") {
  const auto u = url("HTTPS://Reg.Example.com:5000/v2/a?x=1#part");
  CHECK(u.secure);
  CHECK(u.host == "reg.example.com");
  CHECK(u.port == 5000);
  CHECK(u.target == "/v2/a?x=1");
  CHECK(u.to_string() == "https://reg.example.com:5000/v2/a?x=1");
  CHECK(url("http://h").to_string() == "http://h/");
  CHECK(url("https://h?q").target == "/?q");
  CHECK(url("https://[::1]:80/").host == "[::1]");
  for (const auto* bad : {"",
                          "h",
                          "ftp://h/",
                          "https://",
                          "https",
                          "http",
                          "https:",
                          "http:/",
                          "https://user@h/",
                          "https://u:p@h/",
                          "https://h:0/",
                          "https://h:65536/",
                          "https://h:8x/",
                          "https://h\\@evil/",
                          "https://h /",
                          "https://h\n/",
                          "https://-h/",
                          "https://[::1",
                          "https://h\xc3\xa4/",
                          "https://a[b]/"})
    CHECK_MESSAGE(!parse_url(bad), bad);
}

TEST_CASE("a redirect leads where RFC 3986 says, and never from https to http") {
  const auto from = url("https://h:5000/v2/a/blobs/x?k=1");
  const auto to = [&](std::string_view location) {
    const auto t = follow_location(from, location);
    return t ? t->to_string() : t.error().message();
  };
  CHECK(to("https://cdn.example/b?s=1") == "https://cdn.example/b?s=1");
  CHECK(to("//cdn.example/b") == "https://cdn.example/b");
  CHECK(to("/up?u=http://x/") == "https://h:5000/up?u=http://x/");
  CHECK(to("y") == "https://h:5000/v2/a/blobs/y");
  CHECK(to("?z=2") == "https://h:5000/v2/a/blobs/x?z=2");
  CHECK(to("http://cdn.example/b") ==
        "cannot follow the redirect to 'http://cdn.example': it leads from https to http");
  CHECK(follow_location(from, "http://h:5000/").error().code == errc::denied);
  CHECK(!follow_location(from, ""));
  CHECK(!follow_location(from, "file:///etc/passwd"));
  CHECK(follow_location(url("http://h/a"), "https://h/b"));
}

TEST_CASE("credentials' bounds: origin and site") {
  CHECK(url("https://a/x").same_origin(url("https://a:443/y")));
  CHECK_FALSE(url("https://a/").same_origin(url("http://a:443/")));
  CHECK_FALSE(url("https://a/").same_origin(url("https://a:444/")));
  CHECK(same_site("registry.gitlab.com", "gitlab.com"));
  CHECK(same_site("registry-1.docker.io", "auth.docker.io"));
  CHECK_FALSE(same_site("reg.foo.co.uk", "evil.co.uk"));
  CHECK_FALSE(same_site("127.0.0.1", "127.0.0.2"));
  CHECK_FALSE(same_site("10.0.0.1", "1.10.0.0.1"));
  CHECK(is_loopback("127.8.0.1"));
  CHECK(is_loopback("localhost"));
  CHECK_FALSE(is_loopback("127.evil.com"));
  CHECK_FALSE(is_loopback("127.0.0.1.evil.com"));
}

TEST_CASE("NO_PROXY has one reading") {
  constexpr auto direct = &bypasses_proxy;
  for (const auto* list :
       {"reg.example", "a,reg.example", "a reg.example", "a\treg.example,", "*", "REG.example",
        "reg.Example.", ".reg.example", "example", ", ,.EXAMPLE."})
    CHECK_MESSAGE(direct(list, "reg.example"), list);
  CHECK(direct("reg.example", "reg.example."));
  CHECK(direct("reg.example", "eu.reg.example"));
  for (const auto* list : {"", ".", ",", "g.example", "eu.reg.example", "*.example",
                           "reg.example..", "reg.example:443", "reg", "0.0.0.0/0"})
    CHECK_MESSAGE(!direct(list, "reg.example"), list);
  for (const auto* list : {"10.1.2.3", "10.0.0.0/8", "a, 10.1.2.0/23", "0.0.0.0/0", "10.1.2.3/32"})
    CHECK_MESSAGE(direct(list, "10.1.2.3"), list);
  for (const auto* list : {"2.3", ".3", "10.1.3.0/24", "10.1.2.2/32", "10.0.0.0/33", "10.0.0.0/",
                           "10.0.0.0/x", "10.0.0.0/-8", "::/0"})
    CHECK_MESSAGE(!direct(list, "10.1.2.3"), list);
  for (const auto* list : {"2001:DB8::1", "[2001:db8::1]", "2001:db8::/32", "2001:db8:0:0::1/127"})
    CHECK_MESSAGE(direct(list, "[2001:db8::1]"), list);
  for (const auto* list : {"2001:db8::2", "2001:db9::/32", "2001:db8::/129", "0.0.0.0/0", "["})
    CHECK_MESSAGE(!direct(list, "[2001:db8::1]"), list);
}

TEST_CASE("the realm of a challenge is judged before anything is sent to it") {
  const auto hub = url("https://registry-1.docker.io/");
  CHECK(check_realm(hub, url("https://auth.docker.io/token"), true, {}));
  CHECK(check_realm(hub, url("https://evil.example/token"), false, {}));
  const auto other = check_realm(hub, url("https://evil.example/token"), true, {});
  REQUIRE(!other);
  CHECK(other.error().code == errc::denied);
  CHECK(check_realm(hub, url("https://evil.example/token"), true, {"evil.example"}));
  CHECK_FALSE(check_realm(hub, url("http://auth.docker.io/token"), false, {}));
  CHECK_FALSE(check_realm(hub, url("http://auth.docker.io/token"), true, {"auth.docker.io"}));
  CHECK(check_realm(url("http://127.0.0.1:5000/"), url("http://127.0.0.1:5001/t"), true, {}));
}

TEST_CASE("WWW-Authenticate is read strictly") {
  const auto got = parse_challenges(
      R"(Bearer realm="https://a/t",service="x \"y\"", scope=pull , Basic realm="r")");
  REQUIRE_MESSAGE(got, why(got.error()));
  REQUIRE(got->size() == 2);
  CHECK((*got)[0].scheme == "bearer");
  CHECK((*got)[0].parameter("realm") == "https://a/t");
  CHECK((*got)[0].parameter("service") == "x \"y\"");
  CHECK((*got)[0].parameter("scope") == "pull");
  CHECK((*got)[1].scheme == "basic");
  CHECK(parse_challenges("")->empty());
  CHECK(parse_challenges("Negotiate")->front().parameters.empty());
  CHECK(parse_challenges("Negotiate YWJj==, Basic realm=\"a\"")->size() == 2);
  for (const auto* bad :
       {"Bearer realm=\"open", "Bearer realm=\"a\" service=\"b\"", "Bearer realm=\"a\",realm=\"b\"",
        "=\"a\"", "Bearer realm=\"a\\", "Bearer realm=\"a\n\"", "Bearer realm=\"\x80\""})
    CHECK_MESSAGE(!parse_challenges(bad), bad);
  CHECK(!parse_challenges(R"(Bearer scope="",scope="x")")); // an empty one is one
  CHECK(!parse_challenges(std::string(9000, 'a')));
  std::string many;
  for (int i = 0; i < 17; ++i)
    many += "Scheme" + std::to_string(i) + ",";
  CHECK(!parse_challenges(many));
}

TEST_CASE("waiting doubles up to the cap, obeys Retry-After, and ends") {
  const retry_policy p{
      .attempts = 4, .base = milliseconds{100}, .cap = milliseconds{250}, .patience = seconds{60}};
  CHECK(retry_delay(p, 1, {}, 0) == milliseconds{100});
  CHECK(retry_delay(p, 2, {}, 0) == milliseconds{200});
  CHECK(retry_delay(p, 3, {}, 0) == milliseconds{250});
  CHECK(retry_delay(p, 4, {}, 0) == std::nullopt);
  CHECK(retry_delay(p, 2, {}, 0.5) == milliseconds{150});
  CHECK(retry_delay(p, 1, seconds{7}, 0.9) == seconds{7});
  CHECK(retry_delay(p, 1, seconds{0}, 0) == milliseconds{100});
  CHECK(retry_delay(p, 1, seconds{61}, 0) == std::nullopt);
  CHECK(parse_retry_after("12", 0) == seconds{12});
  CHECK(parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 20) == seconds{40});
  CHECK(parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 100) == seconds{0});
  CHECK(parse_retry_after("soon", 0) == std::nullopt);
  CHECK(parse_retry_after("-5", 0) == std::nullopt);
  CHECK(worth_retrying(429));
  CHECK(worth_retrying(503));
  CHECK_FALSE(worth_retrying(404));
  CHECK_FALSE(worth_retrying(501));
}

TEST_CASE("a token is asked for with what the login holds") {
  const auth_challenge c{"bearer", {{"realm", "https://a/t"}, {"service", "a b"}}};
  const auto realm = url("https://a/t?x=1");
  const auto anonymous = token_request(realm, c, "repository:r:pull", {});
  CHECK(anonymous.url.target == "/t?x=1&service=a%20b&scope=repository%3Ar%3Apull");
  CHECK(anonymous.headers.empty());
  const auto basic = token_request(realm, c, "s", credentials{"u", "p", ""});
  CHECK(basic.headers.front().second == "Basic dTpw");
  const auto refresh = token_request(realm, c, "s", credentials{"", "", "id&1"});
  CHECK(refresh.method == "POST");
  CHECK(refresh.url.target == "/t?x=1");
  CHECK(refresh.body.find("refresh_token=id%261") != std::string::npos);
  CHECK(parse_token(R"({"token":"abc"})") == "abc");
  CHECK(parse_token(R"({"access_token":"abc"})") == "abc");
  for (const auto* bad : {"", "[]", "{}", R"({"token":"a\r\nHost: evil"})", R"({"token":1})"})
    CHECK_MESSAGE(!parse_token(bad), bad);
}

TEST_CASE("a range that continues elsewhere is not taken") {
  CHECK(content_range_matches("bytes 5-9/10", 5, 10));
  CHECK(content_range_matches("bytes 5-9/*", 5, 10));
  for (const auto* bad : {"", "bytes 4-9/10", "bytes 5-8/10", "bytes 5-9/11", "bytes */10",
                          "items 5-9/10", "bytes 5-/10", "bytes 5-99999999999999999999/10"})
    CHECK_MESSAGE(!content_range_matches(bad, 5, 10), bad);
}

TEST_CASE("progress of layers adds up") {
  pull_totals t;
  CHECK(t.text("web") == "pulling image 'web'");
  t.take({"sha256:a", 0, 1 << 20, layer_state::waiting});
  t.take({"sha256:b", 3 << 20, 3 << 20, layer_state::present});
  t.take({"sha256:a", 1 << 19, 1 << 20, layer_state::downloading});
  CHECK(t.layers().size() == 2);
  CHECK(t.here() == 1);
  CHECK(t.text("web") == "pulling image 'web': 3.5 of 4.0 MiB");
}

TEST_CASE("addresses of this machine and of its link are known in every guise") {
  for (const auto* text :
       {"127.0.0.1", "127.255.0.9", "0.0.0.0", "0", "127.1", "0x7f.1", "2130706433", "017700000001",
        "localhost", "a.localhost", "localhost.", "[::1]", "::1", "::", "[::ffff:127.0.0.1]",
        "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"})
    CHECK_MESSAGE(zone_of(text) == net_zone::loopback, text);
  for (const auto* text :
       {"169.254.169.254", "169.254.0.1", "[fe80::1]", "fe80::1%eth0", "febf::1",
        "::ffff:169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200",
        "192.0.0.192", "224.0.0.1", "255.255.255.255", "ff02::1"})
    CHECK_MESSAGE(zone_of(text) == net_zone::link_local, text);
  for (const auto* text : {"10.0.0.1", "192.168.1.1", "1.1.1.1", "[2001:db8::1]", "fd00::1",
                           "registry.example", "localhost.example", "notlocalhost", "fec0::1"})
    CHECK_MESSAGE(zone_of(text) == net_zone::anywhere, text);
  CHECK(may_send(net_zone::loopback, net_zone::loopback));
  CHECK(may_send(net_zone::loopback, net_zone::anywhere));
  CHECK_FALSE(may_send(net_zone::loopback, net_zone::link_local));
  CHECK_FALSE(may_send(net_zone::anywhere, net_zone::loopback));
}

} // namespace registry_rules_test

#include "oci/reference.hpp"

#include "oci/digest.hpp"

#include <doctest/doctest.h>

namespace reference_test {

using namespace tank;
using namespace tank::oci;

namespace {
std::string canonical(std::string_view text) {
  const auto r = parse_reference(text);
  return r ? r->to_string() : "error: " + r.error().cause;
}
} // namespace

TEST_CASE("a reference is completed as people mean it") {
  const auto d = digest_of("x").to_string();
  CHECK(canonical("nginx") == "docker.io/library/nginx:latest");
  CHECK(canonical("nginx:1.27") == "docker.io/library/nginx:1.27");
  CHECK(canonical("a/b") == "docker.io/a/b:latest");
  CHECK(canonical("index.docker.io/a") == "docker.io/library/a:latest");
  CHECK(canonical("docker.io/nginx") == "docker.io/library/nginx:latest");
  CHECK(canonical("localhost/x") == "localhost/x:latest");
  CHECK(canonical("localhost:5000/x/y:T_1.-") == "localhost:5000/x/y:T_1.-");
  CHECK(canonical("gcr.io/p/i@" + d) == "gcr.io/p/i@" + d);
  CHECK(canonical("gcr.io/p/i:t@" + d) == "gcr.io/p/i:t@" + d);
  CHECK(canonical("[fd00::1]:5000/x") == "[fd00::1]:5000/x:latest");
  CHECK(canonical("HOST/x") == "HOST/x:latest");
  CHECK(canonical("a__b--c.d_e") == "docker.io/library/a__b--c.d_e:latest");
  CHECK(canonical("localhost:80") == "docker.io/library/localhost:80");
}

TEST_CASE("the familiar form leaves out what was filled in") {
  CHECK(parse_reference("docker.io/library/nginx:1").value().familiar() == "nginx:1");
  CHECK(parse_reference("a/b").value().familiar() == "a/b:latest");
  CHECK(parse_reference("docker.io/library/a/b").value().familiar() == "library/a/b:latest");
  CHECK(parse_reference("q.io/a:2").value().familiar() == "q.io/a:2");
  // What would be read as another registry's image keeps its own.
  CHECK(parse_reference("docker.io/q.io/a:2").value().familiar() == "docker.io/q.io/a:2");
  CHECK(parse_reference("docker.io/localhost/a").value().familiar() ==
        "docker.io/localhost/a:latest");
  const auto id = std::string(64, 'a');
  CHECK(parse_reference("library/" + id).value().familiar() ==
        "docker.io/library/" + id + ":latest");
}

TEST_CASE("what the grammar does not allow is refused with the reason") {
  CHECK(canonical("") == "error: it is empty");
  CHECK(canonical("Nginx") == "error: repository name must be lower case");
  CHECK(canonical("a:") == "error: tag is empty");
  CHECK(canonical("a:-x") == "error: invalid tag");
  CHECK(canonical("a:" + std::string(128, 't')).starts_with("docker.io/library/a:tttt"));
  CHECK(canonical("a:" + std::string(129, 't')) == "error: tag is longer than 128 characters");
  CHECK(canonical("a@sha256:ab") == "error: invalid digest: needs 64 hex digits");
  CHECK(canonical(std::string(64, 'a')) ==
        "error: a name of 64 hex digits is an image ID, not a reference");
  CHECK(canonical("q.io/" + std::string(250, 'a')).starts_with("q.io/aaa"));
  CHECK(canonical("q.io/" + std::string(251, 'a')).starts_with("error: name is longer"));
  for (const auto* text : {"../x",    "a/../b",        "a//b",    "/a",       "a/",
                           "a___b",   "a..b",          "-a",      "a-",       "a b",
                           "a._b",    "a.io/",         "a.io:/x", "a.io:x/y", "a.io:123456/y",
                           "-h.io/x", "http://a.io/x", "a\n",     "[::1/x",   "[]:1/x"})
    CHECK_MESSAGE(canonical(text).starts_with("error: "), text);
}

} // namespace reference_test

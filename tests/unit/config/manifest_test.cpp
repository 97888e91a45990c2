#include "config/manifest.hpp"

#include <doctest/doctest.h>

namespace config = tank::config;

namespace {

const std::string web = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
                        "spec:\n  hostNetwork: true\n  containers:\n"
                        "  - {name: web, image: web, command: [web]}\n";

std::vector<std::string> lines(const config::manifest& m) {
  std::vector<std::string> all;
  for (const auto& d : m.diagnostics)
    all.push_back(format(d, "f.yaml"));
  for (const auto& p : m.pods)
    for (const auto& d : p.diagnostics)
      all.push_back(format(d, "f.yaml"));
  return all;
}

/// The only finding.
std::string line(const std::string& text) {
  const auto all = lines(config::parse_manifest(text));
  REQUIRE(all.size() == 1);
  return all[0];
}

} // namespace

TEST_CASE("a plain pod is valid, defaulted and runnable") {
  const auto m = config::parse_manifest(web);
  REQUIRE(m.pods.size() == 1);
  CHECK(m.valid());
  CHECK(m.pods[0].runnable());
  CHECK(m.pods[0].pod.metadata.name == "web");
  CHECK(m.pods[0].pod.metadata.ns == "default");
  CHECK(m.pods[0].pod.spec.restart_policy == "Always");
  CHECK(m.pods[0].at.line == 1);
}

TEST_CASE("a file holds many documents; empty ones are passed over") {
  auto second = web;
  second.replace(second.find("name: web"), 9, "name: api");
  const auto m = config::parse_manifest("---\n# nothing\n---\n" + web + "---\n" + second + "---\n");
  CHECK(m.valid());
  REQUIRE(m.pods.size() == 2);
  CHECK(m.pods[1].pod.metadata.name == "api");
  CHECK(config::parse_manifest("").valid());
  CHECK(config::parse_manifest("# only a comment\n").pods.empty());
}

TEST_CASE("the items of a List are objects like documents") {
  const auto m = config::parse_manifest(
      R"({"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod",
          "metadata":{"name":"a"},"spec":{"containers":[{"name":"a","image":"a"}]}},
          {"apiVersion":"apps/v1","kind":"Deployment"}]})");
  REQUIRE(m.pods.size() == 1);
  REQUIRE(m.diagnostics.size() == 1);
  CHECK(m.diagnostics[0].reason.find("apps/v1 Deployment is not read here") == 0);
}

TEST_CASE("what is no Pod is named with its kind and place") {
  CHECK(line("apiVersion: apps/v1\nkind: Deployment\n")
            .find("f.yaml:1:1: kind: apps/v1 Deployment") == 0);
  CHECK(line("apiVersion: v1\nkind: Service\n").find("f.yaml:2:1: kind: v1 Service") == 0);
  CHECK(line("kind: Pod\n") == "f.yaml:1:1: apiVersion: Required value");
  CHECK(line("metadata: {}\n") == "f.yaml:1:1: kind: Required value");
  CHECK(line("- a\n").find("a manifest must be an object") != std::string::npos);
}

TEST_CASE("a file that is no YAML says where it breaks") {
  CHECK(line("apiVersion: v1\nkind: [\n").find("f.yaml:") == 0);
  CHECK_FALSE(config::parse_manifest("a: {").valid());
}

TEST_CASE("two pods of one name in one file are an error that names both places") {
  const auto m = config::parse_manifest(web + "---\n" + web);
  CHECK_FALSE(m.valid());
  REQUIRE(m.diagnostics.size() == 1);
  CHECK(format(m.diagnostics[0], "f") ==
        "f:11:12: metadata.name: Duplicate value: \"default/web\": the pod at line 3 of this file "
        "has the same name");
}

TEST_CASE("one name in two namespaces is no duplicate") {
  auto other = web;
  other.replace(other.find("name: web"), 9, "name: web, namespace: other");
  CHECK(config::parse_manifest(web + "---\n" + other).valid());
}

TEST_CASE("unknown fields, wrong types and duplicate keys are errors with their place") {
  CHECK(lines(config::parse_manifest(web + "  unknownField: 1\n"))[0].find(
            "f.yaml:8:3: spec.unknownField") == 0);
  CHECK(lines(config::parse_manifest(web + "  hostname: 3\n"))[0].find("f.yaml:8:") == 0);
  CHECK(line(web + "  hostNetwork: true\n") == "f.yaml:8:3: spec.hostNetwork: Duplicate key");
}

TEST_CASE("companions are read beside the pods") {
  const auto m = config::parse_manifest(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n---\n" + web);
  CHECK(m.valid());
  CHECK(m.pods.size() == 1);
  CHECK(m.config_maps.size() == 1);
  CHECK_FALSE(
      config::parse_manifest("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: 1}\n")
          .valid());
}

TEST_CASE("a string with a NUL in it is refused, wherever it stands") {
  CHECK(line(web + "  hostname: \"a\\0b\"\n").find("f.yaml:8:13: a string must not contain") == 0);
}

TEST_CASE("format leaves out what is unknown") {
  using config::format;
  using config::severity;
  CHECK(format({severity::error, {3, 4}, "a.b", "bad"}, "f") == "f:3:4: a.b: bad");
  CHECK(format({severity::error, {}, "", "bad"}, "f") == "f: bad");
  CHECK(format({severity::unsupported, {3, 4}, "a.b", ""}, "f") == "f:3:4: not supported yet: a.b");
  CHECK(format({severity::warning, {3, 4}, "a.b", "why"}, "f") == "f:3:4: warning: a.b: why");
}

#include "config/manifest.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include <unistd.h>

namespace manifest_test {

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

TEST_CASE("variables that grow without measure are refused, and cost nothing") {
  // 26 lines that would become 2 TiB.
  std::string env = "{name: VA, value: a-text-of-some-forty-characters-in-length}";
  for (char c = 'B'; c <= 'Z'; ++c) {
    const std::string before = "$(V" + std::string{static_cast<char>(c - 1)} + ")";
    env += ", {name: V" + std::string{c} + ", value: '" + before + before + before + "'}";
  }
  const auto pod = [](const std::string& fields) {
    return "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostNetwork: true\n"
           "  containers: [{name: a, image: a, " +
           fields + "}]\n";
  };
  const std::string refused =
      "f.yaml:6:16: spec.containers[0]: Too long: command, args and env may "
      "not be more than 6291456 bytes once their variables are expanded";
  CHECK(line(pod("env: [" + env + "]")) == refused);
  CHECK(line(pod("env: [{name: A, value: " + std::string(100'000, 'x') + "}], args: ['" + [] {
          std::string many;
          for (int i = 0; i < 100; ++i)
            many += "$(A)";
          return many;
        }() + "']")) == refused);
  CHECK(config::parse_manifest(pod("env: [" + env.substr(0, env.find("{name: VF")) + "]")).valid());
}

TEST_CASE("what is found in a hostile file is bounded in number and in length") {
  const auto bytes = [](const config::manifest& m) {
    std::size_t sum = 0;
    for (const auto& l : lines(m))
      sum += l.size();
    return sum;
  };
  const std::string head = "apiVersion: v1\nkind: Pod\n";
  const std::string huge(1'000'000, 'k');
  std::string same;
  for (int i = 0; i < 50'000; ++i)
    same += "a: 1, ";
  // Each repetition would be told with the whole way to it: 50 GB.
  auto m = config::parse_manifest(head + "? " + huge + "\n: {" + same + "}\n");
  CHECK_FALSE(m.valid());
  CHECK(bytes(m) < 500'000);
  std::string nul;
  for (int i = 0; i < 50'000; ++i)
    nul += R"("\0", )";
  m = config::parse_manifest(head + "metadata: {finalizers: [" + nul + "]}\n");
  CHECK_FALSE(m.valid());
  CHECK(bytes(m) < 500'000);
  m = config::parse_manifest(head + "metadata: {name: " + huge + ", labels: {" + huge + ": " +
                             huge + "}}\nspec: {hostNetwork: true, restartPolicy: " + huge +
                             ", containers: [{name: " + huge + ", image: a}]}\n");
  CHECK_FALSE(m.valid());
  CHECK(bytes(m) < 50'000);
  // Valid names, all of them resources that no single host has.
  std::string extended;
  for (int i = 0; i < 30'000; ++i)
    extended += "a.b/r" + std::to_string(i) + ": 1, ";
  m = config::parse_manifest(
      head +
      "metadata: {name: a}\nspec: {hostNetwork: true, containers: [{name: a, "
      "image: a, resources: {limits: {" +
      extended + "}}}]}\n");
  CHECK_FALSE(m.valid());
  CHECK(lines(m).size() == 200);
  CHECK(lines(m).back().ends_with("(and more: no further findings are listed)"));
}

TEST_CASE("a file holds so many objects, and is not read on when all are wrong") {
  const auto list = [](const std::string& item, int count) {
    std::string items;
    for (int i = 0; i < count; ++i)
      items += item + ", ";
    return config::parse_manifest("{apiVersion: v1, kind: List, items: [" + items + "]}");
  };
  auto m = list("{apiVersion: v1, kind: Pod}", 30'000);
  CHECK(m.pods.size() <= 1000);
  CHECK(m.diagnostics.back().reason == "too much is wrong: the rest was not read");
  m = list("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}", 1100);
  CHECK_FALSE(m.valid());
  m = list("{apiVersion: v1, kind: Unknown}", 30'000);
  CHECK(m.diagnostics.size() < 2000);
}

TEST_CASE("a mountPath that is relative begins at the root, as kubelet has it") {
  const auto m = config::parse_manifest(
      "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostNetwork: true\n"
      "  volumes: [{name: v, emptyDir: {}}]\n"
      "  containers: [{name: a, image: a, volumeMounts: [{name: v, mountPath: data/x}, "
      "{name: v, mountPath: /y}]}]\n");
  REQUIRE(m.valid());
  const auto& mounts = m.pods.at(0).pod.spec.containers.at(0).volume_mounts;
  CHECK(mounts.at(0).mount_path == "/data/x");
  CHECK(mounts.at(1).mount_path == "/y");
}

TEST_CASE("where a text is wanted, the hint quotes what was written") {
  const auto hint = [](const std::string& value, const std::string& before = {}) {
    const auto text = line("apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {\xC3\xA4: x}\n" +
                           before + "  name: " + value +
                           "\nspec:\n  hostNetwork: true\n"
                           "  containers: [{name: a, image: a}]\n");
    const auto at = text.find("(write ");
    return at == text.npos ? text : text.substr(at);
  };
  for (const std::string word : {"n", "Y", "no", "yes", "on", "OFF", "true", "0123", "0x1F",
                                 "1_000", "1e3", "1.50", "-5", "+7", "0b11", "0o17"})
    CHECK(hint(word) == "(write \"" + word + "\")");
  CHECK(hint("012 # a comment") == "(write \"012\")");
  CHECK(hint("!!int \"012\"") == "(write \"10\")");
}

#ifndef __SANITIZE_ADDRESS__ // which keeps what is freed
TEST_CASE("refused manifests leave no memory behind") {
  const auto resident_kib = [] {
    std::ifstream in{"/proc/self/statm"};
    long all = 0;
    long resident = 0;
    in >> all >> resident;
    return resident * (::sysconf(_SC_PAGESIZE) / 1024);
  };
  // As many values as are read, within keys and texts of all sizes, then something that is wrong.
  std::string text = "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n";
  for (int i = 0; i < 90'000; ++i)
    text += "    k" + std::to_string(i) + ": '" +
            std::string(static_cast<std::size_t>(i % 90), 'v') + "'\n";
  text += "  name: [wrong]\n";
  CHECK_FALSE(config::parse_manifest(text).valid()); // what is made once is made now
  const auto before = resident_kib();
  for (int i = 0; i < 10; ++i)
    CHECK_FALSE(
        config::parse_manifest(text + std::string(static_cast<std::size_t>(i), ' ')).valid());
  CHECK(resident_kib() - before < 8 * 1024);
}
#endif

} // namespace manifest_test

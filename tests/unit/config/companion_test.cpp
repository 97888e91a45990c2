// What stands beside Pods: ConfigMaps, Secrets and claims, as the API server judges them.
#include "config/manifest.hpp"

#include "base/text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace companion_test {

namespace config = tank::config;

namespace {

std::string of(const std::string& kind, const std::string& members) {
  return "apiVersion: v1\nkind: " + kind + "\nmetadata: {name: app}\n" + members + "\n";
}

/// The findings, one a line: "data[key]: reason".
std::string findings(const std::string& text) {
  std::string out;
  for (const auto& d : config::parse_manifest(text).diagnostics)
    out += (out.empty() ? "" : "\n") + d.field + ": " + d.reason;
  return out;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a ConfigMap: text and bytes by key, as they are") {
  const auto m = config::parse_manifest(
      of("ConfigMap", "data:\n  app.conf: |\n    a=1\n  EMPTY: ''\n  .hidden_-: x\n"
                      "binaryData: {logo.png: iVBORw0KGgoA}\nimmutable: true"));
  CHECK(m.diagnostics.empty());
  CHECK(m.valid());
  CHECK_FALSE(m.empty());
  REQUIRE(m.config_maps.size() == 1);
  const auto& map = m.config_maps[0];
  CHECK(map.metadata.ns == "default");
  CHECK(map.data.at("app.conf") == "a=1\n"); // a final newline is kept
  CHECK(map.data.at("EMPTY").empty());
  CHECK(map.data.contains(".hidden_-"));
  CHECK(map.binary_data.at("logo.png").data == std::string("\x89PNG\r\n\x1a\n\0", 9));
  CHECK(map.immutable == true);
}

TEST_CASE("keys of a ConfigMap are names of files, each in one of its maps") {
  CHECK(has(findings(of("ConfigMap", "data: {'a/b': x}")), "data[a/b]: Invalid value"));
  CHECK(has(findings(of("ConfigMap", "data: {'..': x}")), "must not be '..'"));
  CHECK(has(findings(of("ConfigMap", "data: {'.': x}")), "must not be '.'"));
  CHECK(has(findings(of("ConfigMap", "data: {'..data': x}")), "must not start with '..'"));
  CHECK(has(findings(of("ConfigMap", "data: {'': x}")), "a valid config key"));
  CHECK(has(findings(of("ConfigMap", "data: {'a b': x}")), "a valid config key"));
  CHECK(has(findings(of("ConfigMap", "data: {" + std::string(254, 'k') + ": x}")), "253"));
  CHECK(findings(of("ConfigMap", "data: {" + std::string(253, 'k') + ": x}")).empty());
  CHECK(has(findings(of("ConfigMap", "data: {a: x}\nbinaryData: {a: eA==}")),
            "data[a]: Invalid value: \"a\": duplicate of key present in binaryData"));
  CHECK(has(findings(of("ConfigMap", "binaryData: {a: 'no base64!'}")), "is not base64"));
  CHECK(has(findings(of("ConfigMap", "data: {a: 1}")), "must be a string"));
  CHECK(has(findings(of("ConfigMap", "dota: {a: x}")), "unknown field"));
}

TEST_CASE("all values of a document together have a mebibyte") {
  const std::string half(1u << 19, 'x');
  CHECK(findings(of("ConfigMap", "data: {a: " + half + ", b: " + half + "}")).empty());
  CHECK(findings(of("ConfigMap", "data: {a: " + half + ", b: " + half + ", c: z}")) ==
        "data: Too long: may not be more than 1048576 bytes");
  const auto coded = tank::to_base64(half);
  CHECK(findings(of("Secret", "data: {a: " + coded + ", b: " + coded + "}")).empty());
  CHECK(has(findings(of("Secret", "data: {a: " + coded + ", b: " + coded + ", c: eQ==}")),
            "Too long"));
}

TEST_CASE("a Secret: stringData comes over data, base64 may be broken into lines") {
  const auto m = config::parse_manifest(
      of("Secret", "data: {user: YWRtaW4=, token: eA==}\nstringData: {token: plain}"));
  CHECK(m.diagnostics.empty());
  REQUIRE(m.secrets.size() == 1);
  CHECK(m.secrets[0].type == "Opaque");
  CHECK(m.secrets[0].string_data.empty());
  CHECK(m.secrets[0].data.at("token").data == "plain");
  const auto lines = config::parse_manifest(of("Secret", "data:\n  a: |\n    YWRt\n    aW4=\n"));
  REQUIRE(lines.secrets.size() == 1);
  CHECK(lines.secrets[0].data.at("a").data == "admin");
}

TEST_CASE("types of Secrets ask for their keys") {
  const auto type = [](const std::string& name, const std::string& data) {
    return findings(of("Secret", "type: " + name + "\nstringData: {" + data + "}"));
  };
  CHECK(type("kubernetes.io/tls", "tls.crt: a, tls.key: b").empty());
  CHECK(type("kubernetes.io/tls", "tls.crt: a") == "data[tls.key]: Required value");
  CHECK(type("kubernetes.io/ssh-auth", "a: b") == "data[ssh-privatekey]: Required value");
  CHECK(type("kubernetes.io/basic-auth", "password: b").empty());
  CHECK(type("kubernetes.io/basic-auth", "a: b") ==
        "data[username]: Required value\ndata[password]: Required value");
  CHECK(type("kubernetes.io/dockerconfigjson", ".dockerconfigjson: '{\"auths\": {}}'").empty());
  CHECK(type("kubernetes.io/dockerconfigjson", ".dockerconfigjson: '{pass-word'") ==
        "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": must be valid "
        "JSON");
  CHECK(type("kubernetes.io/dockercfg", "a: b") == "data[.dockercfg]: Required value");
  CHECK(type("kubernetes.io/service-account-token", "a: b") ==
        "type: only the API server of a cluster can issue it");
  CHECK(type("mine/own", "a: b").empty());
}

TEST_CASE("no finding says a value of a Secret") {
  // Of each: something wrong, with a value that must stay unsaid.
  for (const auto* wrong : {"stringData: {pin: 8472361}", "stringData: {pin: [8472361]}",
                            "data: {pin: 8472361}", "data: {pin: '!8472361'}", "data: 8472361",
                            "stringData: {pin: {a: 8472361}}", "stringData: {pin: 8472361.5}",
                            "type: kubernetes.io/dockercfg\n"
                            "stringData: {.dockercfg: '8472361}'}"}) {
    const auto said = findings(of("Secret", wrong));
    CAPTURE(wrong);
    CAPTURE(said);
    CHECK_FALSE(said.empty());
    CHECK_FALSE(has(said, "8472361"));
  }
}

TEST_CASE("claims: what one node can keep, and what only a cluster has") {
  const std::string good =
      "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}";
  CHECK(findings(of("PersistentVolumeClaim", good + "}")).empty());
  CHECK(config::parse_manifest(of("PersistentVolumeClaim", good + "}")).claims.size() == 1);
  CHECK(findings(of("PersistentVolumeClaim", good + ", storageClassName: fast, volumeName: pv, "
                                                    "selector: {matchLabels: {a: b}}}"))
            .empty());
  CHECK(findings(of("PersistentVolumeClaim", good + ", volumeMode: Block}")) ==
        "spec.volumeMode: there are no block devices to claim here");
  CHECK(findings(of("PersistentVolumeClaim", good + ", dataSource: {kind: a, name: b}}")) ==
        "spec.dataSource: only a cluster fills volumes from others");
  CHECK(has(findings(of("PersistentVolumeClaim", "spec: {accessModes: [ReadWriteOnce]}")),
            "spec.resources.requests[storage]: Required value"));
  CHECK(has(findings(of("PersistentVolumeClaim", "spec: {resources: {requests: {storage: 1Gi}}}")),
            "at least 1 access mode is required"));
  CHECK(has(findings(of("PersistentVolumeClaim",
                        "spec: {accessModes: [Often], resources: {requests: {storage: 1Gi}}}")),
            "Unsupported value: \"Often\""));
}

TEST_CASE("one name of a kind is once in a file, of two kinds twice") {
  const auto map = of("ConfigMap", "data: {a: b}");
  CHECK(findings(map + "---\n" + of("Secret", "")).empty());
  CHECK(has(findings(map + "---\n" + map),
            "Duplicate value: \"default/app\": the ConfigMap at line 3 of this file"));
}

TEST_CASE("a document without a name, or with one that names no file") {
  CHECK(has(findings("apiVersion: v1\nkind: ConfigMap\n"), "metadata.name: Required value"));
  CHECK(has(findings("apiVersion: v1\nkind: Secret\nmetadata: {name: ../x}\n"), "Invalid value"));
}

TEST_CASE("a thousand keys are read in one go") {
  std::string data = "data:\n";
  for (int i = 0; i < 1000; ++i)
    data += "  key" + std::to_string(i) + ": v\n";
  const auto m = config::parse_manifest(of("ConfigMap", data));
  REQUIRE(m.config_maps.size() == 1);
  CHECK(m.config_maps[0].data.size() == 1000);
}

} // namespace companion_test

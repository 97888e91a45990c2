/// Decoding, defaulting and encoding against Kubernetes' own results.
#include "config/decode.hpp"
#include "config/defaults.hpp"
#include "config/manifest.hpp"
#include "config/support.hpp"
#include "config/yaml.hpp"
#include "tree.hpp"
#include "vectors.hpp"

#include <doctest/doctest.h>
#include <set>
#include <sstream>
#include <string>

namespace golden_test {

using namespace tank::config;
using nlohmann::json;

namespace {

/// The golden as this project means it. The one place that says where we differ:
///  * status: from a file it is ignored, and never kept;
///  * metadata.uid: the goldens were made without it, here it may name the pod.
json expected(const std::string& golden, const pod& ours) {
  json j = json::parse(golden);
  j["status"] = json::object();
  if (!ours.metadata.uid.empty()) j["metadata"]["uid"] = ours.metadata.uid;
  return j;
}

std::vector<json> golden_rows() {
  std::vector<json> out;
  std::istringstream index{test::slurp(test::corpus() / "index.jsonl")};
  for (std::string line; std::getline(index, line);)
    if (auto row = json::parse(line); row.value("golden", json{}).is_string())
      out.push_back(std::move(row));
  return out;
}

pod decode_clean(const std::string& text, const std::string& name) {
  std::vector<diagnostic> found;
  auto p = decode_pod(test::tree(text), found);
  for (const auto& d : found)
    FAIL_CHECK(name, ": ", d.field, ": ", d.reason);
  return p;
}

/// Every leaf of a document as "spec.containers[].name".
void leaves(const json& j, const std::string& path, std::set<std::string>& out) {
  if (j.is_object() && !j.empty()) {
    for (const auto& [key, value] : j.items())
      leaves(value, path.empty() ? key : path + "." + key, out);
  } else if (j.is_array() && !j.empty()) {
    for (const auto& value : j)
      leaves(value, path + "[]", out);
  } else {
    out.insert(path);
  }
}

} // namespace

TEST_CASE("every field of the newest API decodes and encodes to itself") {
  if (!test::have_corpus()) return;
  for (const auto* version : {"HEAD", "v1.36.0", "v1.33.0"}) {
    const auto file = std::string{"core.v1.Pod."} + version + ".json";
    const auto text = test::slurp(test::corpus() / "api" / file);
    const auto p = decode_clean(text, file);
    const auto ours = json::parse(to_json(p));
    CHECK_MESSAGE(ours == expected(text, p), json::diff(expected(text, p), ours).dump());
  }
}

TEST_CASE("a normalised pod is a fixed point of decoding and defaulting") {
  if (!test::have_corpus()) return;
  const auto rows = golden_rows();
  CHECK(rows.size() > 300);
  for (const auto& row : rows) {
    const auto name = row["golden"].get<std::string>();
    const auto text = test::slurp(test::corpus() / name);
    auto p = decode_clean(text, name);
    apply_defaults(p);
    const auto ours = json::parse(to_json(p));
    CHECK_MESSAGE(ours == expected(text, p), name, json::diff(expected(text, p), ours).dump());
  }
}

TEST_CASE("every pod that kubelet accepts normalises as there") {
  if (!test::have_corpus()) return;
  std::size_t refused = 0;
  for (const auto& row : golden_rows()) {
    const auto name = row["file"].get<std::string>();
    const auto parsed = parse_text(test::slurp(test::corpus() / name));
    REQUIRE_MESSAGE(parsed.documents.size() >= 1, name);
    std::vector<diagnostic> found;
    auto p = decode_pod(parsed.documents.front().root, found);
    for (const auto& d : found) {
      CHECK_MESSAGE(d.reason.starts_with("unknown field"), name, ": ", d.field, ": ", d.reason);
      CHECK(d.at.line > 0);
    }
    // kubelet drops fields that the API does not have. Here they are errors: a field that is
    // misspelt would otherwise silently ask for nothing.
    CHECK_MESSAGE(found.size() == row["strict_unknown"].size(), name);
    refused += found.empty() ? 0 : 1;
    if (!found.empty()) continue;
    apply_defaults(p);
    const auto golden = expected(test::slurp(test::corpus() / row["golden"].get<std::string>()), p);
    const auto ours = json::parse(to_json(p));
    CHECK_MESSAGE(ours == golden, name, json::diff(golden, ours).dump());
  }
  CHECK(refused == 4);
}

TEST_CASE("no field of the newest API is dropped silently") {
  if (!test::have_corpus()) return;
  // What this version acts on, or what has no effect to act on; all else must be spoken of.
  std::set<std::string> quiet = {
      "spec.containers[].args[]",
      "spec.containers[].command[]",
      "spec.containers[].envFrom[].configMapRef.name",
      "spec.containers[].envFrom[].configMapRef.optional",
      "spec.containers[].envFrom[].prefix",
      "spec.containers[].envFrom[].secretRef.name",
      "spec.containers[].envFrom[].secretRef.optional",
      "spec.containers[].env[].name",
      "spec.containers[].env[].value",
      "spec.containers[].env[].valueFrom.configMapKeyRef.key",
      "spec.containers[].env[].valueFrom.configMapKeyRef.name",
      "spec.containers[].env[].valueFrom.configMapKeyRef.optional",
      "spec.containers[].env[].valueFrom.fieldRef.apiVersion",
      "spec.containers[].env[].valueFrom.resourceFieldRef.containerName",
      "spec.containers[].env[].valueFrom.resourceFieldRef.divisor",
      "spec.containers[].env[].valueFrom.secretKeyRef.key",
      "spec.containers[].env[].valueFrom.secretKeyRef.name",
      "spec.containers[].env[].valueFrom.secretKeyRef.optional",
      "spec.containers[].image",
      "spec.containers[].imagePullPolicy",
      "spec.containers[].lifecycle.stopSignal",
      "spec.containers[].name",
      "spec.containers[].ports[].containerPort",
      "spec.containers[].ports[].hostIP",   // the document sets hostNetwork
      "spec.containers[].ports[].hostPort", // so every port is the host's
      "spec.containers[].ports[].name",
      "spec.containers[].ports[].protocol",
      "spec.containers[].resources.requests.requestsKey", // equal to its limit
      "spec.containers[].securityContext.allowPrivilegeEscalation",
      "spec.containers[].securityContext.privileged",
      "spec.containers[].securityContext.procMount", // only "Unmasked" asks for something
      "spec.containers[].securityContext.readOnlyRootFilesystem",
      "spec.containers[].securityContext.runAsGroup",
      "spec.containers[].securityContext.runAsNonRoot",
      "spec.containers[].securityContext.runAsUser",
      "spec.containers[].securityContext.seccompProfile.localhostProfile",
      "spec.containers[].securityContext.seccompProfile.type",
      "spec.containers[].volumeMounts[].mountPath",
      "spec.containers[].volumeMounts[].mountPropagation",
      "spec.containers[].volumeMounts[].name",
      "spec.containers[].volumeMounts[].readOnly",
      "spec.containers[].volumeMounts[].recursiveReadOnly",
      "spec.containers[].volumeMounts[].subPathExpr",
      "spec.containers[].workingDir",
      "spec.dnsConfig.nameservers[]",
      "spec.dnsConfig.options[].name",
      "spec.dnsConfig.options[].value",
      "spec.dnsConfig.searches[]",
      "spec.dnsPolicy", // judged by value; validation refuses others
      "spec.enableServiceLinks",
      "spec.hostAliases[].hostnames[]",
      "spec.hostAliases[].ip",
      "spec.hostIPC",
      "spec.hostNetwork",
      "spec.hostPID",
      "spec.hostUsers",
      "spec.hostname",
      "spec.imagePullSecrets[].name",
      "spec.resources.requests.requestsKey", // equal to its limit
      "spec.restartPolicy",
      "spec.securityContext.fsGroup",
      "spec.securityContext.fsGroupChangePolicy",
      "spec.securityContext.runAsGroup",
      "spec.securityContext.runAsNonRoot",
      "spec.securityContext.runAsUser",
      "spec.securityContext.seccompProfile.localhostProfile",
      "spec.securityContext.seccompProfile.type",
      "spec.securityContext.supplementalGroupsPolicy",
      "spec.securityContext.supplementalGroups[]",
      "spec.serviceAccount",
      "spec.subdomain",
      "spec.terminationGracePeriodSeconds",
      "spec.volumes[].configMap.defaultMode",
      "spec.volumes[].configMap.defaultUser",
      "spec.volumes[].configMap.items[].key",
      "spec.volumes[].configMap.items[].mode",
      "spec.volumes[].configMap.items[].path",
      "spec.volumes[].configMap.items[].user",
      "spec.volumes[].configMap.name",
      "spec.volumes[].configMap.optional",
      "spec.volumes[].downwardAPI.defaultMode",
      "spec.volumes[].downwardAPI.defaultUser",
      "spec.volumes[].downwardAPI.items[].fieldRef.apiVersion",
      "spec.volumes[].downwardAPI.items[].fieldRef.fieldPath",
      "spec.volumes[].downwardAPI.items[].mode",
      "spec.volumes[].downwardAPI.items[].path",
      "spec.volumes[].downwardAPI.items[].resourceFieldRef.containerName",
      "spec.volumes[].downwardAPI.items[].resourceFieldRef.divisor",
      "spec.volumes[].downwardAPI.items[].user",
      "spec.volumes[].emptyDir.medium",
      "spec.volumes[].emptyDir.sizeLimit",
      "spec.volumes[].hostPath.path",
      "spec.volumes[].hostPath.type",
      "spec.volumes[].name",
      "spec.volumes[].persistentVolumeClaim.claimName",
      "spec.volumes[].persistentVolumeClaim.readOnly",
      "spec.volumes[].projected.defaultMode",
      "spec.volumes[].projected.defaultUser",
      "spec.volumes[].projected.sources[].configMap.items[].key",
      "spec.volumes[].projected.sources[].configMap.items[].mode",
      "spec.volumes[].projected.sources[].configMap.items[].path",
      "spec.volumes[].projected.sources[].configMap.items[].user",
      "spec.volumes[].projected.sources[].configMap.name",
      "spec.volumes[].projected.sources[].configMap.optional",
      "spec.volumes[].projected.sources[].downwardAPI.items[].fieldRef.apiVersion",
      "spec.volumes[].projected.sources[].downwardAPI.items[].fieldRef.fieldPath",
      "spec.volumes[].projected.sources[].downwardAPI.items[].mode",
      "spec.volumes[].projected.sources[].downwardAPI.items[].path",
      "spec.volumes[].projected.sources[].downwardAPI.items[].resourceFieldRef.containerName",
      "spec.volumes[].projected.sources[].downwardAPI.items[].resourceFieldRef.divisor",
      "spec.volumes[].projected.sources[].downwardAPI.items[].user",
      "spec.volumes[].projected.sources[].secret.items[].key",
      "spec.volumes[].projected.sources[].secret.items[].mode",
      "spec.volumes[].projected.sources[].secret.items[].path",
      "spec.volumes[].projected.sources[].secret.items[].user",
      "spec.volumes[].projected.sources[].secret.name",
      "spec.volumes[].projected.sources[].secret.optional",
      "spec.volumes[].secret.defaultMode",
      "spec.volumes[].secret.defaultUser",
      "spec.volumes[].secret.items[].key",
      "spec.volumes[].secret.items[].mode",
      "spec.volumes[].secret.items[].path",
      "spec.volumes[].secret.items[].user",
      "spec.volumes[].secret.optional",
      "spec.volumes[].secret.secretName",
      "spec.activeDeadlineSeconds",
      "spec.containers[].restartPolicy",
      "spec.containers[].restartPolicyRules[].action",
      "spec.containers[].restartPolicyRules[].exitCodes.operator",
      "spec.containers[].restartPolicyRules[].exitCodes.values[]",
  };
  const std::string containers = "spec.containers";
  for (const auto& leaf : std::set{quiet})
    if (leaf.starts_with(containers))
      quiet.insert("spec.initContainers" + leaf.substr(containers.size()));
  auto document = json::parse(test::slurp(test::corpus() / "api" / "core.v1.Pod.HEAD.json"));
  const auto p = decode_clean(document.dump(), "HEAD");
  std::vector<diagnostic> found;
  check_support(p, {}, found);
  std::set<std::string> spoken;
  for (const auto& d : found) {
    std::string path;
    for (std::size_t i = 0; i < d.field.size(); ++i) {
      path.push_back(d.field[i]);
      if (d.field[i] == '[') i = d.field.find(']', i) - 1;
    }
    CHECK_MESSAGE(spoken.insert(path).second, path);
  }
  std::set<std::string> all;
  leaves(document["spec"], "spec", all);
  std::set<std::string> silent;
  for (const auto& leaf : all) {
    bool covered = false;
    for (const auto& path : spoken)
      covered |= leaf.starts_with(path) && (leaf.size() == path.size() ||
                                            leaf[path.size()] == '.' || leaf[path.size()] == '[');
    // A map's entries are spoken of as path[key], its leaves are path.key.
    covered |= leaf.find(".resources.limits.") != std::string::npos &&
               spoken.contains(leaf.substr(0, leaf.rfind('.')) + "[]");
    if (!covered) silent.insert(leaf);
  }
  for (const auto& leaf : silent)
    CHECK_MESSAGE(quiet.contains(leaf), "dropped silently: ", leaf);
  for (const auto& leaf : quiet)
    CHECK_MESSAGE(silent.contains(leaf), "not there or spoken of: ", leaf);
}

} // namespace golden_test

#include "config/support.hpp"

#include "config/decode.hpp"
#include "config/defaults.hpp"
#include "config/schema.hpp"
#include "tree.hpp"

#include <doctest/doctest.h>
#include <set>
#include <string>

namespace support_test {

using namespace tank::config;

namespace {

/// The findings about a pod with these spec members, one a line: "<level> <path>".
std::string findings(const std::string& spec, const std::string& metadata = R"("name": "p")") {
  const auto root = test::tree("{\"metadata\": {" + metadata + "}, \"spec\": {" + spec + "}}");
  std::vector<diagnostic> found;
  auto p = decode_pod(root, found);
  REQUIRE(found.empty());
  apply_defaults(p);
  check_support(
      p, [&](std::string_view path) { return locate(root, path); }, found);
  std::string out;
  for (const auto& d : found) {
    CHECK(d.at == locate(root, d.field));
    if (!out.empty()) out += ", ";
    out += d.level == severity::error     ? "error "
           : d.level == severity::warning ? "warning "
                                          : "unsupported ";
    out += d.field;
  }
  return out;
}

std::string container_findings(const std::string& members, const std::string& spec = {}) {
  return findings(R"("containers": [{"name": "c", "image": "a:1", )" + members + "}]" + spec);
}

void collect(const reflect::type& t, std::set<const reflect::type*>& seen) {
  if (t.element != nullptr) return collect(t.element(), seen);
  if (t.what != reflect::kind::record || !seen.insert(&t).second) return;
  for (const auto& f : t.fields)
    collect(f.of(), seen);
}

} // namespace

TEST_CASE("a plain pod has no findings") {
  CHECK(container_findings(R"("command": ["sh"], "env": [{"name": "A", "value": "b"},
      {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['x']"}}}],
      "ports": [{"containerPort": 80, "name": "web"}], "workingDir": "/",
      "lifecycle": {"stopSignal": "SIGINT"},
      "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": true}],
      "securityContext": {"runAsUser": 7, "readOnlyRootFilesystem": true, "privileged": true,
        "seccompProfile": {"type": "Localhost", "localhostProfile": "x.json"},
        "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}})",
                           R"(, "volumes": [{"name": "v", "emptyDir": {}},
      {"name": "h", "hostPath": {"path": "/tmp", "type": "Directory"}}, {"name": "silent"}],
      "hostname": "h", "restartPolicy": "Never", "dnsPolicy": "Default")") == "");
}

TEST_CASE("a value that equals its default asks for nothing") {
  CHECK(container_findings(
            R"("terminationMessagePath": "/dev/termination-log", "tty": false,
               "terminationMessagePolicy": "File", "resources": {},
               "securityContext": {"privileged": false, "procMount": "Default", "capabilities": {},
                                   "seccompProfile": {"type": "Unconfined"},
                                   "allowPrivilegeEscalation": true},
               "volumeMounts": [{"name": "v", "mountPath": "/v", "mountPropagation": "None"}])",
            R"(, "schedulerName": "default-scheduler", "enableServiceLinks": true, "priority": 0,
               "hostUsers": true, "shareProcessNamespace": false, "os": {"name": "linux"},
               "automountServiceAccountToken": false, "dnsPolicy": "ClusterFirst")") == "");
}

TEST_CASE("what is not done yet is said at its field") {
  const std::string at = "unsupported spec.containers[0].";
  CHECK(container_findings(R"("tty": true)") == at + "tty");
  CHECK(container_findings(R"("livenessProbe": {"exec": {"command": ["x"]}})") ==
        at + "livenessProbe");
  CHECK(container_findings(R"("lifecycle": {"preStop": {"sleep": {"seconds": 1}}})") ==
        at + "lifecycle.preStop");
  CHECK(container_findings(R"("securityContext": {"procMount": "Unmasked"})") ==
        at + "securityContext.procMount");
  CHECK(container_findings(R"("securityContext": {"procMount": "Unmasked"})",
                           R"(, "hostUsers": false)") == "");
  CHECK(container_findings(R"("env": [{"name": "A", "value": "a"},
      {"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
      {"name": "F", "valueFrom": {"fileKeyRef": {"volumeName": "v", "path": "p", "key": "k"}}}])") ==
        at + "env[2].valueFrom.fileKeyRef");
  CHECK(container_findings(R"("envFrom": [{"configMapRef": {"name": "m"}}])") == "");
  CHECK(container_findings(R"("volumeMounts": [{"name": "v", "mountPath": "/", "subPath": "x",
      "readOnly": true, "recursiveReadOnly": "Enabled"},
      {"name": "v", "mountPath": "/a", "mountPropagation": "HostToContainer"}])") == "");
  CHECK(container_findings(R"("volumeMounts": [{"name": "v", "mountPath": "/",
                                                "mountPropagation": "Bidirectional"}])") ==
        at + "volumeMounts[0].mountPropagation");
  CHECK(container_findings(R"("volumeMounts": [{"name": "v", "mountPath": "/", "subPath": "x"}])",
                           R"(, "volumes": [{"name": "v", "configMap": {"name": "m"}}])") ==
        "warning spec.containers[0].volumeMounts[0].subPath");
  const auto volume = [](const std::string& source) {
    return findings(R"("volumes": [{"name": "v", )" + source + "}]");
  };
  CHECK(volume(R"("emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"})") == "");
  CHECK(volume(R"("emptyDir": {"sizeLimit": "1Mi"})") ==
        "unsupported spec.volumes[0].emptyDir.sizeLimit");
  CHECK(volume(R"("emptyDir": {"medium": "HugePages-2Mi"})") ==
        "unsupported spec.volumes[0].emptyDir.medium");
  CHECK(volume(R"("configMap": {"name": "m"})") == "");
  CHECK(volume(R"("secret": {"secretName": "m"})") == "");
  CHECK(volume(R"("downwardAPI": {"items": [{"path": "p", "fieldRef": {"apiVersion": "v1",
                                            "fieldPath": "metadata.name"}}]})") == "");
  CHECK(volume(R"("projected": {"sources": [{"secret": {"name": "s"}}]})") == "");
  CHECK(volume(R"("persistentVolumeClaim": {"claimName": "m"})") == "");
  CHECK(findings(R"("hostPID": true)") == "");
  CHECK(findings(R"("hostUsers": false)") == "");
  CHECK(findings(R"("activeDeadlineSeconds": 5)") == "");
  CHECK(findings(R"("runtimeClassName": "x")") == "unsupported spec.runtimeClassName");
}

TEST_CASE("several containers are said once each") {
  CHECK(findings(R"("containers": [{"name": "a"}, {"name": "b", "tty": true}],
      "initContainers": [{"name": "i", "tty": true, "resources": {"limits": {"cpu": 1}}}])") ==
        "unsupported spec.containers[1].tty, unsupported spec.initContainers[0].tty");
}

TEST_CASE("requests that limits imply are not said again") {
  CHECK(container_findings(R"("resources": {"limits": {"hugepages-2Mi": "4Mi", "cpu": 1}})") ==
        "unsupported spec.containers[0].resources.limits[hugepages-2Mi]");
  CHECK(container_findings(R"("resources": {"limits": {"a.b/c": 1}})") ==
        "error spec.containers[0].resources.limits[a.b/c]");
}

TEST_CASE("processor time and memory are limited, scratch space is not, a pod as a whole neither") {
  CHECK(container_findings(R"("resources": {"limits": {"cpu": 1}, "requests": {"memory": 1}})") ==
        "");
  CHECK(container_findings(R"("resources": {"limits": {"ephemeral-storage": 1}})") ==
        "unsupported spec.containers[0].resources.limits[ephemeral-storage]");
  CHECK(container_findings(R"("resources": {"requests": {"ephemeral-storage": 1}})") ==
        "warning spec.containers[0].resources.requests[ephemeral-storage]");
  CHECK(findings(R"("resources": {"limits": {"cpu": 1}})") ==
        "unsupported spec.resources.limits[cpu]");
}

TEST_CASE("capabilities that do not exist and kernel parameters that are not safe are said") {
  CHECK(container_findings(R"("securityContext": {"capabilities":
      {"add": ["NET_ADMIN", "all", "FLY"], "drop": ["ALL", "cap_kill", ""]}})") ==
        "error spec.containers[0].securityContext.capabilities.add[2], "
        "error spec.containers[0].securityContext.capabilities.drop[2]");
  CHECK(findings(R"("securityContext": {"sysctls": [
      {"name": "net.ipv4.tcp_syncookies", "value": "1"},
      {"name": "net/ipv4/ip_local_port_range", "value": "1024 65535"},
      {"name": "kernel.msgmax", "value": "1"}, {"name": "vm.swappiness", "value": "1"}]})") ==
        "unsupported spec.securityContext.sysctls[2], "
        "unsupported spec.securityContext.sysctls[3]");
}

TEST_CASE("a host port needs the host's network in this version") {
  const std::string ports = R"("ports": [{"containerPort": 80, "hostPort": 80}])";
  CHECK(container_findings(ports) == "unsupported spec.containers[0].ports[0].hostPort");
  CHECK(container_findings(ports, R"(, "hostNetwork": true)") == "");
}

TEST_CASE("what steers a cluster is a warning") {
  CHECK(findings(R"("nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}],
      "priorityClassName": "high", "serviceAccountName": "s", "enableServiceLinks": false,
      "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        [{"topologyKey": "k"}]}}, "dnsPolicy": "ClusterFirstWithHostNet",
      "imagePullSecrets": [{"name": "s"}])") ==
        "warning spec.nodeSelector, warning spec.tolerations, warning spec.priorityClassName, "
        "warning spec.serviceAccountName, warning spec.enableServiceLinks, warning spec.affinity, "
        "warning spec.dnsPolicy");
}

TEST_CASE("what one node cannot realise is an error, also within what is not done yet") {
  CHECK(findings(R"("volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}])") ==
        "error spec.volumes[0].nfs");
  CHECK(findings(R"("volumes": [{"name": "v", "projected": {"sources": [
      {"serviceAccountToken": {"path": "t"}}]}}])") ==
        "error spec.volumes[0].projected.sources[0].serviceAccountToken");
  CHECK(findings(R"("os": {"name": "windows"})") == "error spec.os.name");
  CHECK(findings(R"("resourceClaims": [{"name": "r"}])") == "error spec.resourceClaims");
  CHECK(findings(R"("initContainers": [{"name": "i", "volumeDevices": [{"name": "d"}],
      "resources": {"limits": {"example.com/gpu": 1}}}])") ==
        "error spec.initContainers[0].volumeDevices, "
        "error spec.initContainers[0].resources.limits[example.com/gpu]");
  CHECK(container_findings(R"("securityContext": {"windowsOptions": {"hostProcess": true}})") ==
        "error spec.containers[0].securityContext.windowsOptions");
}

TEST_CASE("annotations that ask for something are not dropped") {
  CHECK(findings(R"("hostname": "h")", R"("annotations": {"tank/nics": "x", "mine": "y"})") ==
        "unsupported metadata.annotations[tank/nics]");
  CHECK(findings(R"("hostname": "h")",
                 R"("annotations": {"tank/backoff": "fast", "tank/give-up": "never"})") == "");
  CHECK(findings(R"("hostname": "h")",
                 R"("annotations": {"container.apparmor.security.beta.kubernetes.io/c":
                    "localhost/x"})") ==
        "unsupported metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]");
}

TEST_CASE("every rule names a field that exists, once") {
  std::set<const reflect::type*> types;
  collect(reflect::type_of<pod>(), types);
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const auto& rule : support_rules()) {
    bool exists = false;
    for (const auto* t : types)
      exists |= t->name == rule.owner && t->find(rule.key) != nullptr;
    CHECK_MESSAGE(exists, rule.owner, ".", rule.key);
    CHECK_MESSAGE(seen.emplace(rule.owner, rule.key).second, rule.owner, ".", rule.key);
  }
}

TEST_CASE("no record has two rows of one key, and no two records one name") {
  std::set<const reflect::type*> types;
  collect(reflect::type_of<pod>(), types);
  std::set<std::string_view> names;
  CHECK(types.size() > 100);
  for (const auto* t : types) {
    CHECK_MESSAGE(names.insert(t->name).second, t->name);
    std::set<std::string_view> keys;
    std::set<std::size_t> offsets;
    for (const auto& f : t->fields) {
      CHECK_MESSAGE(keys.insert(f.key).second, t->name, ".", f.key);
      CHECK_MESSAGE(offsets.insert(f.offset).second, t->name, ".", f.key);
    }
  }
}

} // namespace support_test

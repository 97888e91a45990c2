/// One rule at a time: a Pod that breaks it, the field that must be named, the words.
#include "config/manifest.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace validate_test {

namespace config = tank::config;

namespace {

struct broken {
  std::string_view spec;      ///< further keys of the spec, flow style
  std::string_view container; ///< further keys of the container
  std::string_view field;
  std::string_view reason; ///< how the reason begins
};

std::string manifest(std::string_view spec, std::string_view container,
                     std::string_view meta = "name: web") {
  std::string text = "{apiVersion: v1, kind: Pod, metadata: {";
  text.append(meta).append("}, spec: {containers: [{name: web, image: web, ");
  text.append(container).append("}], ").append(spec).append("}}");
  return text;
}

std::vector<config::diagnostic> findings(const std::string& text) {
  const auto m = config::parse_manifest(text);
  REQUIRE_MESSAGE(m.diagnostics.empty(), format(m.diagnostics[0], text));
  REQUIRE(m.pods.size() == 1);
  return m.pods[0].diagnostics;
}

void expect(const std::string& text, std::string_view field, std::string_view reason) {
  const auto found = findings(text);
  std::string all;
  for (const auto& d : found)
    all += d.field + ": " + d.reason + "\n";
  CAPTURE(text);
  CAPTURE(all);
  CAPTURE(field);
  CAPTURE(reason);
  CHECK(std::any_of(found.begin(), found.end(), [&](const auto& d) {
    return d.level == config::severity::error && d.field == field && d.reason.find(reason) == 0 &&
           d.at.line == 1;
  }));
}

const broken table[] = {
    // containers
    {"", "imagePullPolicy: Sometimes", "spec.containers[0].imagePullPolicy",
     "Unsupported value: \"Sometimes\": supported values: \"Always\", \"IfNotPresent\", \"Never\""},
    {"", "terminationMessagePolicy: X", "spec.containers[0].terminationMessagePolicy",
     "Unsupported value: \"X\""},
    {"initContainers: [{name: web, image: a}]", "", "spec.initContainers[0].name",
     "Duplicate value: \"web\""},
    {"initContainers: [{name: Bad_Name, image: a}]", "", "spec.initContainers[0].name",
     "Invalid value: \"Bad_Name\": a lowercase RFC 1123 label must consist of"},
    {"initContainers: [{name: a}]", "", "spec.initContainers[0].image", "Required value"},
    {"initContainers: [{name: a, image: ' a'}]", "", "spec.initContainers[0].image",
     "Invalid value: \" a\": must not have leading or trailing whitespace"},
    {"initContainers: [{name: a, image: a, lifecycle: {preStop: {sleep: {seconds: 1}}}}]", "",
     "spec.initContainers[0].lifecycle",
     "Forbidden: may not be set for init containers without restartPolicy=Always"},
    {"initContainers: [{name: a, image: a, livenessProbe: {tcpSocket: {port: 1}}}]", "",
     "spec.initContainers[0].livenessProbe", "Forbidden: may not be set for init containers"},
    {"", "restartPolicy: Maybe", "spec.containers[0].restartPolicy",
     "Unsupported value: \"Maybe\""},
    {"", "restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]",
     "spec.containers[0].restartPolicy", "Required value"},
    {"",
     "restartPolicy: Never, restartPolicyRules: [{action: Jump, exitCodes: {operator: In, "
     "values: [1]}}]",
     "spec.containers[0].restartPolicyRules[0].action", "Unsupported value: \"Jump\""},
    {"ephemeralContainers: [{name: d, image: d}]", "", "spec.ephemeralContainers",
     "Forbidden: cannot be set on create"},
    // ports
    {"", "ports: [{containerPort: 0}]", "spec.containers[0].ports[0].containerPort",
     "Required value"},
    {"", "ports: [{containerPort: 65536}]", "spec.containers[0].ports[0].containerPort",
     "Invalid value: 65536: must be between 1 and 65535, inclusive"},
    {"", "ports: [{containerPort: 1, hostPort: -1}]", "spec.containers[0].ports[0].hostPort",
     "Invalid value: -1: must be between 1 and 65535, inclusive"},
    {"", "ports: [{containerPort: 1, protocol: tcp}]", "spec.containers[0].ports[0].protocol",
     "Unsupported value: \"tcp\": supported values: \"SCTP\", \"TCP\", \"UDP\""},
    {"", "ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]",
     "spec.containers[0].ports[1].name", "Duplicate value: \"a\""},
    {"", "ports: [{containerPort: 1, name: a-name-that-is-too-long}]",
     "spec.containers[0].ports[0].name",
     "Invalid value: \"a-name-that-is-too-long\": must be no more than 15 characters"},
    {"", "ports: [{containerPort: 1, name: '80'}]", "spec.containers[0].ports[0].name",
     "Invalid value: \"80\": must contain at least one letter (a-z)"},
    {"", "ports: [{containerPort: 1, hostPort: 9}, {containerPort: 2, hostPort: 9}]",
     "spec.containers[0].ports[1].hostPort", "Duplicate value: \"TCP//9\""},
    {"hostNetwork: true", "ports: [{containerPort: 1, hostPort: 2}]",
     "spec.containers[0].ports[0].containerPort",
     "Invalid value: 1: must match `hostPort` when `hostNetwork` is true"},
    {"", "ports: [{containerPort: 1, hostIP: localhost}]", "spec.containers[0].ports[0].hostIP",
     "Invalid value: \"localhost\": must be a valid IP address"},
    // environment
    {"", "env: [{name: 'A=B', value: c}]", "spec.containers[0].env[0].name",
     "Invalid value: \"A=B\": a valid environment variable name must consist only of printable"},
    {"", "env: [{value: c}]", "spec.containers[0].env[0].name", "Required value"},
    {"", "env: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]",
     "spec.containers[0].env[0].valueFrom",
     "Invalid value: \"\": may not be specified when `value` is not empty"},
    {"", "env: [{name: A, valueFrom: {}}]", "spec.containers[0].env[0].valueFrom",
     "Invalid value: \"\": must specify one of"},
    {"", "env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.hostname}}}]",
     "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath",
     "Unsupported value: \"spec.hostname\""},
    {"", "env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.labels}}}]",
     "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath",
     "Unsupported value: \"metadata.labels\""},
    {"", "env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['a b']\"}}}]",
     "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath", "Invalid value: \"a b\": name part"},
    {"", "env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"spec.x['a']\"}}}]",
     "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath",
     "Invalid value: \"spec.x\": does not support subscript"},
    {"", "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.disk}}}]",
     "spec.containers[0].env[0].valueFrom.resourceFieldRef.resource",
     "Unsupported value: \"limits.disk\""},
    {"", "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 2}}}]",
     "spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor", "Invalid value: \"2\": only"},
    {"", "env: [{name: A, valueFrom: {configMapKeyRef: {name: c}}}]",
     "spec.containers[0].env[0].valueFrom.configMapKeyRef.key", "Required value"},
    {"", "envFrom: [{prefix: a}]", "spec.containers[0].envFrom[0]",
     "Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`"},
    // probes and hooks
    {"", "livenessProbe: {}", "spec.containers[0].livenessProbe",
     "Required value: must specify a handler type"},
    {"", "livenessProbe: {exec: {command: [a]}, tcpSocket: {port: 1}}",
     "spec.containers[0].livenessProbe.tcpSocket",
     "Forbidden: may not specify more than 1 handler type"},
    {"", "livenessProbe: {exec: {}}", "spec.containers[0].livenessProbe.exec.command",
     "Required value"},
    {"", "livenessProbe: {tcpSocket: {port: 0}}", "spec.containers[0].livenessProbe.tcpSocket.port",
     "Invalid value: 0: must be between 1 and 65535, inclusive"},
    {"", "livenessProbe: {httpGet: {port: Web}}", "spec.containers[0].livenessProbe.httpGet.port",
     "Invalid value: \"Web\": must contain only alpha-numeric"},
    {"", "livenessProbe: {httpGet: {port: 1, scheme: http}}",
     "spec.containers[0].livenessProbe.httpGet.scheme", "Unsupported value: \"http\""},
    {"", "livenessProbe: {tcpSocket: {port: 1}, successThreshold: 2}",
     "spec.containers[0].livenessProbe.successThreshold", "Invalid value: 2: must be 1"},
    {"", "livenessProbe: {tcpSocket: {port: 1}, periodSeconds: -1}",
     "spec.containers[0].livenessProbe.periodSeconds",
     "Invalid value: -1: must be greater than or equal to 0"},
    {"", "livenessProbe: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 0}",
     "spec.containers[0].livenessProbe.terminationGracePeriodSeconds",
     "Invalid value: 0: must be greater than 0"},
    {"", "readinessProbe: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 5}",
     "spec.containers[0].readinessProbe.terminationGracePeriodSeconds",
     "Invalid value: 5: must not be set for readinessProbes"},
    {"", "livenessProbe: {grpc: {port: 70000}}", "spec.containers[0].livenessProbe.grpc.port",
     "Invalid value: 70000"},
    {"", "lifecycle: {preStop: {}}", "spec.containers[0].lifecycle.preStop",
     "Required value: must specify a handler type"},
    {"terminationGracePeriodSeconds: 5", "lifecycle: {preStop: {sleep: {seconds: 6}}}",
     "spec.containers[0].lifecycle.preStop.sleep", "Invalid value: 6: must be non-negative"},
    {"", "lifecycle: {stopSignal: SIGTERM}", "spec.containers[0].lifecycle.stopSignal",
     "Forbidden: may not be set for containers with empty `spec.os.name`"},
    {"os: {name: linux}", "lifecycle: {stopSignal: TERM}",
     "spec.containers[0].lifecycle.stopSignal", "Unsupported value: \"TERM\""},
    // resources
    {"", "resources: {requests: {cpu: 2}, limits: {cpu: 1}}",
     "spec.containers[0].resources.requests",
     "Invalid value: \"2\": must be less than or equal to cpu limit of 1"},
    {"", "resources: {limits: {memory: -1}}", "spec.containers[0].resources.limits[memory]",
     "Invalid value: \"-1\": must be greater than or equal to 0"},
    {"", "resources: {limits: {gpu: 1}}", "spec.containers[0].resources.limits[gpu]",
     "Invalid value: \"gpu\": must be a standard resource for containers"},
    {"", "resources: {limits: {a.b/gpu: 1500m}}", "spec.containers[0].resources.limits[a.b/gpu]",
     "Invalid value: \"1500m\": must be an integer"},
    {"", "resources: {requests: {a.b/gpu: 1}}", "spec.containers[0].resources.limits",
     "Required value: Limit must be set for non overcommitable resources"},
    {"", "resources: {limits: {hugepages-2Mi: 2Mi}}", "spec.containers[0].resources",
     "Forbidden: HugePages require cpu or memory"},
    {"", "resources: {claims: [{name: c}]}", "spec.containers[0].resources.claims[0]",
     "Not found: \"c\""},
    {"resources: {limits: {a.b/gpu: 1}}", "", "spec.resources.limits[a.b/gpu]",
     "Unsupported value: \"a.b/gpu\""},
    // security
    {"", "securityContext: {privileged: true, allowPrivilegeEscalation: false}",
     "spec.containers[0].securityContext.allowPrivilegeEscalation",
     "Invalid value: \"false\": cannot set `allowPrivilegeEscalation` to false and `privileged`"},
    {"", "securityContext: {capabilities: {add: [CAP_SYS_ADMIN]}, allowPrivilegeEscalation: false}",
     "spec.containers[0].securityContext.allowPrivilegeEscalation", "Invalid value: \"false\""},
    {"", "securityContext: {runAsUser: -1}", "spec.containers[0].securityContext.runAsUser",
     "Invalid value: -1: must be between 0 and 2147483647, inclusive"},
    {"", "securityContext: {runAsGroup: 2147483648}",
     "spec.containers[0].securityContext.runAsGroup", "Invalid value: 2147483648"},
    {"", "securityContext: {procMount: Open}", "spec.containers[0].securityContext.procMount",
     "Unsupported value: \"Open\""},
    {"", "securityContext: {seccompProfile: {type: Localhost}}",
     "spec.containers[0].securityContext.seccompProfile.localhostProfile",
     "Required value: must be set when type is Localhost"},
    {"", "securityContext: {seccompProfile: {type: Localhost, localhostProfile: ../a}}",
     "spec.containers[0].securityContext.seccompProfile.localhostProfile",
     "Invalid value: \"../a\": must not contain '..'"},
    {"", "securityContext: {seccompProfile: {type: Unconfined, localhostProfile: a}}",
     "spec.containers[0].securityContext.seccompProfile.localhostProfile",
     "Invalid value: \"a\": can only be set when type is 'Localhost'"},
    {"securityContext: {sysctls: [{name: A, value: b}]}", "",
     "spec.securityContext.sysctls[0].name", "Invalid value: \"A\": must have at most 253"},
    {"securityContext: {sysctls: [{name: a.b, value: c}, {name: a/b, value: c}]}", "",
     "spec.securityContext.sysctls[1].name", "Duplicate value: \"a/b\""},
    {"hostNetwork: true, securityContext: {sysctls: [{name: net.a, value: c}]}", "",
     "spec.securityContext.sysctls[0].name",
     "Invalid value: \"net.a\": may not be specified when 'hostNetwork' is true"},
    {"securityContext: {supplementalGroups: [1, -1]}", "",
     "spec.securityContext.supplementalGroups[1]", "Invalid value: -1"},
    {"securityContext: {fsGroupChangePolicy: Often}", "",
     "spec.securityContext.fsGroupChangePolicy", "Unsupported value: \"Often\""},
    {"shareProcessNamespace: true, hostPID: true", "", "spec.shareProcessNamespace",
     "Invalid value: \"true\": ShareProcessNamespace and HostPID cannot both be enabled"},
    {"hostUsers: false, hostPID: true", "", "spec.hostPID", "Forbidden: when `hostUsers` is false"},
    // volumes and mounts
    {"volumes: [{name: A_b, emptyDir: {}}]", "", "spec.volumes[0].name", "Invalid value: \"A_b\""},
    {"volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]", "", "spec.volumes[1].name",
     "Duplicate value: \"a\""},
    {"volumes: [{name: a, emptyDir: {}, hostPath: {path: /a}}]", "", "spec.volumes[0].emptyDir",
     "Forbidden: may not specify more than 1 volume type"},
    {"volumes: [{name: a, hostPath: {path: /a/../b}}]", "", "spec.volumes[0].hostPath.path",
     "Invalid value: \"/a/../b\": must not contain '..'"},
    {"volumes: [{name: a, hostPath: {path: /a, type: Dir}}]", "", "spec.volumes[0].hostPath.type",
     "Unsupported value: \"Dir\""},
    {"volumes: [{name: a, hostPath: {path: ''}}]", "", "spec.volumes[0].hostPath.path",
     "Required value"},
    {"volumes: [{name: a, emptyDir: {sizeLimit: -1}}]", "", "spec.volumes[0].emptyDir.sizeLimit",
     "Forbidden: SizeLimit field must be a valid resource quantity"},
    {"volumes: [{name: a, emptyDir: {mode: 02000}}]", "", "spec.volumes[0].emptyDir.mode",
     "Invalid value: 1024: must be a number between 0 and 01777"},
    {"volumes: [{name: a, emptyDir: {mode: -1}}]", "", "spec.volumes[0].emptyDir.mode",
     "Invalid value: -1: must be"},
    {"volumes: [{name: a, emptyDir: {medium: Disk}}]", "", "spec.volumes[0].emptyDir.medium",
     "Unsupported value: \"Disk\""},
    {"volumes: [{name: a, configMap: {name: c, defaultMode: 01000}}]", "",
     "spec.volumes[0].configMap.defaultMode",
     "Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive"},
    {"volumes: [{name: a, secret: {secretName: c, items: [{key: k, path: ../x}]}}]", "",
     "spec.volumes[0].secret.items[0].path", "Invalid value: \"../x\": must not contain '..'"},
    {"volumes: [{name: a, secret: {secretName: c, items: [{key: k, path: ..x}]}}]", "",
     "spec.volumes[0].secret.items[0].path", "Invalid value: \"..x\": must not start with '..'"},
    {"volumes: [{name: a, secret: {secretName: c, items: [{key: k, path: /x}]}}]", "",
     "spec.volumes[0].secret.items[0].path", "Invalid value: \"/x\": must be a relative path"},
    {"volumes: [{name: a, downwardAPI: {items: [{path: p}]}}]", "",
     "spec.volumes[0].downwardAPI.items[0]",
     "Required value: either fieldRef or resourceFieldRef is required"},
    {"volumes: [{name: a, projected: {sources: [{}]}}]", "", "spec.volumes[0].projected.sources[0]",
     "Required value"},
    {"", "volumeMounts: [{name: v, mountPath: /v}]", "spec.containers[0].volumeMounts[0].name",
     "Not found: \"v\""},
    {"volumes: [{name: v, emptyDir: {}}]",
     "volumeMounts: [{name: v, mountPath: /v}, {name: v, mountPath: /v}]",
     "spec.containers[0].volumeMounts[1].mountPath", "Invalid value: \"/v\": must be unique"},
    {"volumes: [{name: v, emptyDir: {}}]", "volumeMounts: [{name: v}]",
     "spec.containers[0].volumeMounts[0].mountPath", "Required value"},
    {"volumes: [{name: v, emptyDir: {}}]",
     "volumeMounts: [{name: v, mountPath: /v, subPath: a/../../b}]",
     "spec.containers[0].volumeMounts[0].subPath",
     "Invalid value: \"a/../../b\": must not contain '..'"},
    {"volumes: [{name: v, emptyDir: {}}]", "volumeMounts: [{name: v, mountPath: /v, subPath: /b}]",
     "spec.containers[0].volumeMounts[0].subPath",
     "Invalid value: \"/b\": must be a relative path"},
    {"volumes: [{name: v, emptyDir: {}}]",
     "volumeMounts: [{name: v, mountPath: /v, subPath: b, subPathExpr: c}]",
     "spec.containers[0].volumeMounts[0].subPathExpr",
     "Invalid value: \"c\": subPathExpr and subPath are mutually exclusive"},
    {"volumes: [{name: v, emptyDir: {}}]",
     "volumeMounts: [{name: v, mountPath: /v, mountPropagation: Bidirectional}]",
     "spec.containers[0].volumeMounts[0].mountPropagation",
     "Forbidden: Bidirectional mount propagation is available only to privileged containers"},
    {"volumes: [{name: v, emptyDir: {}}]",
     "volumeMounts: [{name: v, mountPath: /v, recursiveReadOnly: Enabled}]",
     "spec.containers[0].volumeMounts[0].recursiveReadOnly",
     "Forbidden: may only be specified when readOnly is true"},
    // the pod
    {"restartPolicy: Sometimes", "", "spec.restartPolicy", "Unsupported value: \"Sometimes\""},
    {"terminationGracePeriodSeconds: -1", "", "spec.terminationGracePeriodSeconds",
     "Invalid value: -1: must be greater than or equal to 0"},
    {"activeDeadlineSeconds: 0", "", "spec.activeDeadlineSeconds",
     "Invalid value: 0: must be between 1 and 2147483647, inclusive"},
    {"hostname: a.b", "", "spec.hostname", "Invalid value: \"a.b\": a lowercase RFC 1123 label"},
    {"subdomain: A", "", "spec.subdomain", "Invalid value: \"A\""},
    {"dnsPolicy: Mine", "", "spec.dnsPolicy", "Unsupported value: \"Mine\""},
    {"dnsPolicy: None", "", "spec.dnsConfig", "Required value"},
    {"dnsConfig: {nameservers: [a]}", "", "spec.dnsConfig.nameservers[0]",
     "Invalid value: \"a\": must be a valid IP address"},
    {"dnsConfig: {nameservers: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4]}", "",
     "spec.dnsConfig.nameservers", "Invalid value: \"4\": must not have more than 3 nameservers"},
    {"dnsConfig: {options: [{value: a}]}", "", "spec.dnsConfig.options[0]",
     "Required value: must not be empty"},
    {"hostAliases: [{ip: nowhere}]", "", "spec.hostAliases[0].ip", "Invalid value: \"nowhere\""},
    {"hostAliases: [{ip: '::1', hostnames: [A]}]", "", "spec.hostAliases[0].hostnames[0]",
     "Invalid value: \"A\""},
    {"os: {name: plan9}", "", "spec.os.name", "Unsupported value: \"plan9\""},
    {"nodeSelector: {a b: c}", "", "spec.nodeSelector", "Invalid value: \"a b\": name part"},
    {"tolerations: [{operator: Equal}]", "", "spec.tolerations[0].operator",
     "Invalid value: \"Equal\": operator must be Exists when `key` is empty"},
    {"tolerations: [{key: a, operator: Exists, value: b}]", "", "spec.tolerations[0].operator",
     "Invalid value: \"b\": value must be empty when `operator` is 'Exists'"},
    {"tolerations: [{key: a, effect: Never}]", "", "spec.tolerations[0].effect",
     "Unsupported value: \"Never\""},
    {"topologySpreadConstraints: [{maxSkew: 0, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]",
     "", "spec.topologySpreadConstraints[0].maxSkew",
     "Invalid value: 0: must be greater than zero"},
    {"affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
     "{nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Like}]}]}}}",
     "",
     "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
     "nodeSelectorTerms[0].matchExpressions[0].operator",
     "Invalid value: \"Like\": not a valid selector operator"},
    {"schedulingGates: [{name: a}, {name: a}]", "", "spec.schedulingGates[1]",
     "Duplicate value: \"a\""},
    {"readinessGates: [{conditionType: 'a b'}]", "", "spec.readinessGates[0].conditionType",
     "Invalid value: \"a b\""},
    {"overhead: {disk: 1}", "", "spec.overhead[disk]", "Invalid value: \"disk\""},
    {"serviceAccountName: A", "", "spec.serviceAccountName", "Invalid value: \"A\""},
    {"runtimeClassName: A", "", "spec.runtimeClassName", "Invalid value: \"A\""},
    {"preemptionPolicy: Ask", "", "spec.preemptionPolicy", "Unsupported value: \"Ask\""},
};

} // namespace

TEST_CASE("each rule names its field and its reason") {
  for (const auto& row : table)
    expect(manifest(row.spec, row.container), row.field, row.reason);
}

TEST_CASE("names and labels of a pod are checked") {
  expect(manifest("", "", "name: Web"), "metadata.name",
         "Invalid value: \"Web\": a lowercase RFC 1123 subdomain must consist of");
  expect(manifest("", "", "generateName: web-"), "metadata.name",
         "Required value: name or generateName is required");
  expect(manifest("", "", "name: " + std::string(254, 'a')), "metadata.name", "Invalid value:");
  expect(manifest("", "", "name: a, namespace: ../b"), "metadata.namespace", "Invalid value:");
  expect(manifest("", "", "name: a, uid: ../../b"), "metadata.uid", "Invalid value:");
  expect(manifest("", "", "name: a, uid: a_b"), "metadata.uid",
         "Invalid value: \"a_b\": must not contain '_'");
  expect(manifest("", "", "name: " + std::string(211, 'a')), "metadata.name",
         "Invalid value: \"" + std::string(211, 'a') + "\": must be no more than 210 characters");
  expect(
      manifest("", "", "namespace: " + std::string(63, 'n') + ", name: " + std::string(155, 'a')),
      "metadata.name", "Invalid value:");
  CHECK(findings(manifest("", "", "name: " + std::string(210, 'a'))).empty());
  expect(manifest("", "", "name: a, labels: {a/b/c: d}"), "metadata.labels",
         "Invalid value: \"a/b/c\": a qualified name must consist of");
  expect(manifest("", "", "name: a, labels: {/c: d}"), "metadata.labels",
         "Invalid value: \"/c\": prefix part must be non-empty");
  expect(manifest("", "", "name: a, labels: {c: '-'}"), "metadata.labels",
         "Invalid value: \"-\": a valid label must be an empty string or consist of");
  expect(manifest("", "", "name: a, annotations: {'a b': d}"), "metadata.annotations",
         "Invalid value: \"a b\": name part");
}

TEST_CASE("annotations of ours are judged") {
  const auto of = [](const std::string& key, const std::string& value) {
    return manifest("", "", "name: a, annotations: {" + key + ": '" + value + "'}");
  };
  for (const std::string good : {"never", "1 in 1s", "100 in 24h", "5 in 1h30m"})
    CHECK(findings(of("tank/give-up", good)).empty());
  for (const std::string good : {"default", "kubelet", "fast"})
    CHECK(findings(of("tank/backoff", good)).empty());
  expect(of("tank/backoff", "slow"), "metadata.annotations[tank/backoff]",
         "Invalid value: \"slow\": must be one of default, kubelet, fast");
  expect(of("tank/give-up", "0 in 10m"), "metadata.annotations[tank/give-up]",
         "Invalid value: \"0 in 10m\": the number of runs must be between 1 and 100 (write it as "
         "never, or as 5 in 10m)");
  for (const std::string bad :
       {"", "5", "5 in", "5 in ", " in 5m", "101 in 5m", "-1 in 5m", "5 in 5", "5 in 10ms",
        "5x in 5m", "5 in -5m", "always", "99999999999 in 5m"})
    expect(of("tank/give-up", bad), "metadata.annotations[tank/give-up]", "Invalid value:");
}

TEST_CASE("a file of nothing but errors is judged in bounded time and space") {
  std::string limits;
  for (int i = 0; i < 50'000; ++i)
    limits += "k" + std::to_string(i) + ": 1, ";
  const auto found = findings(manifest("", "resources: {limits: {" + limits + "}}"));
  CHECK(found.size() == 200);
  CHECK(found.back().reason.ends_with("(and more: no further findings are listed)"));
}

TEST_CASE("what the rules allow is not refused") {
  const auto errors = [](const std::string& text) {
    const auto found = findings(text);
    return std::count_if(found.begin(), found.end(),
                         [](const auto& d) { return d.level == config::severity::error; });
  };
  CHECK(errors(manifest("", "")) == 0);
  CHECK(errors(manifest("volumes: [{name: a, emptyDir: {mode: 01777}}]", "")) == 0);
  CHECK(errors(manifest("volumes: [{name: a}]", "volumeMounts: [{name: a, mountPath: /a}]")) == 0);
  CHECK(errors(manifest("", "env: [{name: my.env-name, value: '1'}, {name: 1A, value: ''}]")) == 0);
  CHECK(errors(manifest("os: {name: linux}", "lifecycle: {stopSignal: SIGRTMIN+3}")) == 0);
  CHECK(errors(manifest("initContainers: [{name: s, image: s, restartPolicy: Always, "
                        "startupProbe: {tcpSocket: {port: 1}}}]",
                        "")) == 0);
  CHECK(errors(manifest("", "ports: [{containerPort: 53, protocol: UDP, hostPort: 53}, "
                            "{containerPort: 53, hostPort: 53}]")) == 0);
  CHECK(errors(manifest("", "env: [{name: A, valueFrom: {fieldRef: {fieldPath: "
                            "\"metadata.annotations['example.com/Key']\"}}}]")) == 0);
  CHECK(errors(manifest("volumes: [{name: i, image: {reference: a}}]", "")) == 0);
}

} // namespace validate_test

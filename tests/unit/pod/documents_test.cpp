// The documents of all files as one set, and what containers take from them.
#include "config/restart_rules.hpp"
#include "pod/container.hpp"
#include "pod/documents.hpp"
#include "pod/field_values.hpp"
#include "pod/manifest_set.hpp"
#include "pod/restart_on.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace documents_test {

using namespace tank;

namespace {

using list = std::vector<std::string>;
using variables = std::vector<std::pair<std::string, std::string>>;

std::string document_text(const std::string& kind, const std::string& name,
                          const std::string& more) {
  return "apiVersion: v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\n" + more + "\n---\n";
}

std::string map_text(const std::string& name, const std::string& value,
                     const std::string& more = "") {
  return document_text("ConfigMap", name, "data: {key: '" + value + "'}\n" + more);
}

scanned_file file(const std::string& name, const std::string& text) {
  return {name, std::make_shared<const parsed_file>(judge_manifest(name, text))};
}

std::string value(const manifest_set& set, const std::string& name) {
  const auto data = set.desired().data;
  const auto* d = data->find(document_kind::config_map, "default", name);
  return d == nullptr ? "none" : *d->find("key");
}

/// A pod that the parser takes, its only container with these members.
config::pod pod_with(const std::string& container, const std::string& spec = "",
                     const std::string& metadata = "") {
  const auto m = config::parse_manifest("apiVersion: v1\nkind: Pod\nmetadata: {name: web" +
                                        metadata + "}\nspec:\n  containers:\n  - name: c\n" +
                                        "    image: i\n" + container + spec);
  REQUIRE(m.pods.size() == 1);
  for (const auto& d : m.pods[0].diagnostics)
    FAIL_CHECK(format(d, "pod"));
  return m.pods[0].pod;
}

documents data_of(const std::string& text) {
  documents out;
  for (auto& d : documents_of(config::parse_manifest(text), "f"))
    out.all.emplace(d.id, d.what);
  return out;
}

const kernel::host_facts host{.hostname = "node", .memory = std::uint64_t{8} << 30, .cpus = 4};

} // namespace

// --- the set -------------------------------------------------------------------------------------

TEST_CASE("documents of all files are one set, whatever their order") {
  manifest_set set;
  auto change = set.apply({file("b.yaml", map_text("one", "1") + map_text("two", "2"))});
  CHECK(change.desired);
  CHECK(value(set, "one") == "1");
  change = set.apply({{"b.yaml", nullptr}, file("a.yaml", map_text("three", "3"))});
  CHECK(change.desired);
  CHECK(value(set, "three") == "3");
  REQUIRE(set.files().size() == 2);
  CHECK(set.files()[1].documents == list{"configmap/default/one", "configmap/default/two"});
  CHECK_FALSE(set.apply({{"b.yaml", nullptr}, {"a.yaml", nullptr}}).desired);
  set.apply({{"a.yaml", nullptr}});
  CHECK(value(set, "one") == "none");
}

TEST_CASE("an edit of a document is news, a touch and an equal rewrite are not") {
  manifest_set set;
  set.apply({file("a.yaml", map_text("one", "1"))});
  CHECK_FALSE(set.apply({file("a.yaml", "# touched\n" + map_text("one", "1"))}).desired);
  CHECK(set.apply({file("a.yaml", map_text("one", "2"))}).desired);
  CHECK(value(set, "one") == "2");
}

TEST_CASE("a file that is wrong keeps its last good documents") {
  manifest_set set;
  set.apply({file("a.yaml", map_text("one", "1"))});
  const auto change = set.apply({file("a.yaml", map_text("one", "2") + "kind: [\n")});
  CHECK_FALSE(change.desired);
  CHECK(value(set, "one") == "1");
  CHECK(set.files()[0].last_good_kept);
}

TEST_CASE("one name in two files is an error on both, and who came first stays") {
  manifest_set set;
  set.apply({file("b.yaml", map_text("one", "b"))});
  set.apply({file("a.yaml", map_text("one", "a")), {"b.yaml", nullptr}});
  CHECK(value(set, "one") == "b");
  CHECK(set.files()[0].errors ==
        list{"a.yaml: configmap 'default/one' is also in 'b.yaml', which is in force (remove one "
             "of them)"});
  CHECK(set.files()[1].errors.size() == 1);
  set.apply({{"a.yaml", nullptr}});
  CHECK(value(set, "one") == "a");
}

TEST_CASE("an immutable document changes only by being removed first; a type never does") {
  manifest_set set;
  set.apply({file("a.yaml", map_text("one", "1", "immutable: true"))});
  set.apply({file("a.yaml", map_text("one", "2", "immutable: true"))});
  CHECK(value(set, "one") == "1");
  CHECK(set.files()[0].errors ==
        list{"a.yaml: configmap 'default/one' is immutable: remove it, then make it anew"});
  CHECK(set.files()[0].last_good_kept);
  set.apply({file("a.yaml", map_text("one", "1"))}); // the flag is final too
  CHECK(set.files()[0].errors.size() == 1);
  set.apply({file("a.yaml", map_text("one", "1", "immutable: true"))});
  CHECK(set.files()[0].errors.empty());
  set.apply({});
  set.apply({file("a.yaml", map_text("one", "2"))});
  CHECK(value(set, "one") == "2");

  set.apply({file("s.yaml", document_text("Secret", "s", "type: mine/a\nstringData: {a: b}"))});
  set.apply({file("s.yaml", document_text("Secret", "s", "type: mine/b\nstringData: {a: b}"))});
  CHECK(set.files()[0].errors ==
        list{"s.yaml: the type of secret 'default/s' cannot change: remove it, then make it anew"});
}

// --- what is missing -----------------------------------------------------------------------------

TEST_CASE("what a container lacks is named, without values; optional things are not asked for") {
  const auto pod = pod_with("    env:\n"
                            "    - {name: A, valueFrom: {configMapKeyRef: {name: m, key: a}}}\n"
                            "    - {name: B, valueFrom: {secretKeyRef: {name: s, key: b, "
                            "optional: true}}}\n"
                            "    envFrom: [{secretRef: {name: s}}]\n"
                            "    volumeMounts: [{name: v, mountPath: /v}]\n",
                            "  volumes:\n  - {name: v, configMap: {name: files, items: [{key: k, "
                            "path: p}]}}\n  - {name: unused, secret: {secretName: nobody}}\n");
  const auto& c = pod.spec.containers[0];
  const auto secret = document_text("Secret", "s", "stringData: {x: hidden}");
  const auto map = document_text("ConfigMap", "m", "data: {a: '1'}");
  const auto files = document_text("ConfigMap", "files", "binaryData: {k: eA==}");
  const auto missing = [&](const std::string& text) {
    const auto data = data_of(text);
    return missing_data(pod, c, &data);
  };
  CHECK(missing_data(pod, c, nullptr) == "secret 'default/s' is not read yet");
  CHECK(missing("") == "secret 'default/s' is missing");
  CHECK(missing(secret) == "configmap 'default/m' is missing");
  CHECK(missing(secret + document_text("ConfigMap", "m", "data: {b: '1'}")) ==
        "key 'a' of configmap 'default/m' is missing");
  CHECK(missing(secret + map) == "configmap 'default/files' is missing");
  CHECK(missing(secret + map + document_text("ConfigMap", "files", "data: {other: x}")) ==
        "key 'k' of configmap 'default/files' is missing");
  CHECK(missing(secret + map + files).empty());
  CHECK(missing_data(pod_with(""), pod_with("").spec.containers[0], nullptr).empty());
}

TEST_CASE("documents of another namespace are not the pod's") {
  const auto pod = pod_with("    envFrom: [{configMapRef: {name: m}}]\n", "", ", namespace: other");
  const auto data = data_of(map_text("m", "x"));
  CHECK(missing_data(pod, pod.spec.containers[0], &data) == "configmap 'other/m' is missing");
}

// --- variables -----------------------------------------------------------------------------------

TEST_CASE("envFrom comes first with its prefixes, env comes over it, values are not expanded") {
  const auto pod = pod_with(
      "    envFrom:\n    - {configMapRef: {name: m}}\n    - {prefix: DB_, secretRef: {name: s}}\n"
      "    - {configMapRef: {name: nobody, optional: true}}\n"
      "    env:\n    - {name: a, value: over}\n"
      "    - {name: K, valueFrom: {configMapKeyRef: {name: m, key: b.c}}}\n"
      "    - {name: S, valueFrom: {secretKeyRef: {name: s, key: pw}}}\n"
      "    - {name: NONE, valueFrom: {secretKeyRef: {name: s, key: lost, optional: true}}}\n");
  const auto data = data_of(document_text("ConfigMap", "m",
                                          "data: {a: '$(S)', b.c: 'x y'}\n"
                                          "binaryData: {raw: eA==}") +
                            document_text("Secret", "s", "stringData: {pw: s3cret}"));
  const auto& c = pod.spec.containers[0];
  CHECK(container_env(pod, c, host, "u", data).value() == variables{{"a", "$(S)"},
                                                                    {"b.c", "x y"},
                                                                    {"DB_pw", "s3cret"},
                                                                    {"a", "over"},
                                                                    {"K", "x y"},
                                                                    {"S", "s3cret"}});
  CHECK(has_secret_env(c));
  CHECK_FALSE(has_secret_env(pod_with("").spec.containers[0]));
  const auto why = container_env(pod, c, host, "u", {}).error();
  CHECK(why.code == errc::not_found);
}

TEST_CASE("a value with a NUL is no variable, and is not said") {
  const auto pod = pod_with("    envFrom: [{secretRef: {name: s}}]\n");
  const auto data = data_of(document_text("Secret", "s", "data: {raw: czNjcmV0AA==}"));
  const auto why = container_env(pod, pod.spec.containers[0], host, "u", data).error().message();
  CHECK(why.find("has a NUL in it") != std::string::npos);
  CHECK(why.find("s3cret") == std::string::npos);
}

TEST_CASE("resourceFieldRef: divided, rounded up; what is not limited has what the host has") {
  const auto pod = pod_with("    resources: {limits: {cpu: 1250m}, requests: {memory: 100Mi}}\n");
  const auto ask = [&](const std::string& resource, const std::string& divisor) {
    config::resource_field_selector ref;
    ref.resource = resource;
    if (!divisor.empty()) ref.divisor = config::quantity::parse(divisor).value();
    return resource_value(ref, pod, "c", host).value();
  };
  CHECK(ask("limits.cpu", "") == "2");
  CHECK(ask("limits.cpu", "1m") == "1250");
  CHECK(ask("requests.cpu", "1m") == "1250"); // as the limit
  CHECK(ask("requests.memory", "1Mi") == "100");
  CHECK(ask("requests.memory", "1") == "104857600");
  CHECK(ask("requests.memory", "1Gi") == "1");
  CHECK(ask("limits.memory", "1Gi") == "8");
  const auto bare = pod_with("");
  config::resource_field_selector cpu;
  cpu.resource = "limits.cpu";
  CHECK(resource_value(cpu, bare, "c", host) == "4");
  cpu.resource = "requests.cpu";
  CHECK(resource_value(cpu, bare, "c", host) == "0");
  cpu.container_name = "nobody";
  CHECK(resource_value(cpu, bare, "c", host).error().code == errc::invalid);
}

// --- logins --------------------------------------------------------------------------------------

TEST_CASE("imagePullSecrets are logins of both of docker's forms; others are passed over") {
  const auto pod = pod_with("", "  imagePullSecrets: [{name: new}, {name: lost}, {name: old}, "
                                "{name: other}]\n");
  const auto data = data_of(document_text("Secret", "new",
                                          "type: kubernetes.io/dockerconfigjson\nstringData: "
                                          "{.dockerconfigjson: '{\"auths\": {}}'}") +
                            document_text("Secret", "old",
                                          "type: kubernetes.io/dockercfg\nstringData: "
                                          "{.dockercfg: '{\"host\": {}}'}") +
                            document_text("Secret", "other", "stringData: {a: b}"));
  CHECK(pull_logins(pod, &data) == list{"{\"auths\": {}}", "{\"auths\": {\"host\": {}}}"});
  CHECK(pull_logins(pod, nullptr).empty());
}

// --- tank/restart-on -----------------------------------------------------------------------------

TEST_CASE("a pod begins anew when what it names has changed, come or gone, and not for others") {
  const auto before = data_of(map_text("a", "1") + map_text("b", "1") + map_text("c", "1"));
  auto now = data_of(map_text("a", "2") + map_text("b", "1") + map_text("d", "1"));
  const auto changed = changed_documents(before, now);
  CHECK(changed == std::set<document_id>{{document_kind::config_map, "default/a"},
                                         {document_kind::config_map, "default/c"},
                                         {document_kind::config_map, "default/d"}});
  const auto restarts = [&](const std::string& wish, const std::string& more = "") {
    return restarts_on(
        pod_with("", "", ", annotations: {tank/restart-on: \"" + wish + "\"}" + more), changed);
  };
  CHECK(restarts("configmap/a"));
  CHECK(restarts("secret/x, configmap/d"));
  CHECK_FALSE(restarts("configmap/b,secret/a"));
  CHECK_FALSE(restarts("configmap/a", ", namespace: other"));
  CHECK_FALSE(restarts_on(pod_with(""), changed));
  for (const auto* bad : {"", "a", "configmap/", "pvc/a", "configmap/a,"})
    CHECK(config::parse_restart_on(bad).error().code == errc::invalid);
}

} // namespace documents_test

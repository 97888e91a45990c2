#include "config/decode.hpp"

#include "config/defaults.hpp"
#include "config/encode.hpp"
#include "config/manifest.hpp"
#include "config/yaml.hpp"
#include "tree.hpp"

#include <doctest/doctest.h>
#include <string>

namespace decode_test {

using namespace tank::config;
using test::tree;

namespace {

struct decoded {
  tank::config::pod pod;
  std::vector<diagnostic> found;
};

decoded decode(const node& root) {
  decoded out;
  out.pod = decode_pod(root, out.found);
  return out;
}

/// A pod with one container that has `members` beside its name.
node with_container(const std::string& members) {
  return tree(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
                  "spec": {"containers": [{"name": "c", )" +
              members + "}]}}");
}

/// The only finding about a container with `members`, as "path: reason".
std::string only_finding(const std::string& members) {
  const auto root = with_container(members);
  const auto got = decode(root);
  REQUIRE(got.found.size() == 1);
  const auto& d = got.found.front();
  CHECK(d.level == severity::error);
  return d.field + ": " + d.reason;
}

const container& first(const decoded& d) {
  return d.pod.spec.containers.front();
}

} // namespace

TEST_CASE("a pod's fields arrive in its members") {
  const auto got = decode(with_container(R"("image": "busybox", "args": ["-c", "echo"],
      "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
      "resources": {"limits": {"cpu": "0.5", "memory": 1048576}},
      "livenessProbe": {"httpGet": {"port": "web"}, "periodSeconds": 3},
      "securityContext": {"runAsUser": 0})"));
  REQUIRE(got.found.empty());
  CHECK(got.pod.metadata.name == "p");
  const auto& c = first(got);
  CHECK(c.image == "busybox");
  CHECK(c.args == std::vector<std::string>{"-c", "echo"});
  CHECK(c.env.at(0).value_from->field_ref->field_path == "metadata.name");
  CHECK(c.resources.limits.at("cpu").to_string() == "500m");
  CHECK(c.resources.limits.at("memory").value() == 1048576);
  CHECK(*c.liveness_probe->http_get->port.text() == "web");
  CHECK(c.liveness_probe->period_seconds == 3);
  CHECK(c.security_context->run_as_user == 0);
  CHECK_FALSE(c.security_context->run_as_group.has_value());
  CHECK_FALSE(c.readiness_probe.has_value());
}

TEST_CASE("an unknown field is an error where its key stands, with the key that was meant") {
  CHECK(only_finding(R"("imagePulPolicy": "Always")") ==
        R"(spec.containers[0].imagePulPolicy: unknown field "imagePulPolicy", )"
        R"(did you mean "imagePullPolicy"?)");
  CHECK(only_finding(R"("Image": "x")") ==
        R"(spec.containers[0].Image: unknown field "Image", did you mean "image"?)");
  CHECK(only_finding(R"("colour": "red")") ==
        R"(spec.containers[0].colour: unknown field "colour")");
  CHECK(only_finding(R"("readOnlyRootFilesystem": true)") ==
        "spec.containers[0].readOnlyRootFilesystem: unknown field \"readOnlyRootFilesystem\", "
        "did you mean \"securityContext.readOnlyRootFilesystem\"?");

  const auto root = tree(R"({"metadata": {"name": "p"}, "spec": {}, "volumes": []})");
  const auto got = decode(root);
  REQUIRE(got.found.size() == 1);
  CHECK(got.found[0].field == "volumes");
  CHECK(got.found[0].reason == R"(unknown field "volumes", did you mean "spec.volumes"?)");
  CHECK(got.found[0].at == root.find_member("volumes")->at);
}

TEST_CASE("a value of the wrong type is an error where the value stands") {
  CHECK(only_finding(R"("args": [1.5])") ==
        R"(spec.containers[0].args[0]: must be a string, not a number (write "1.5"))");
  CHECK(only_finding(R"("args": ["x", true])") ==
        R"(spec.containers[0].args[1]: must be a string, not a boolean (write "true"))");
  CHECK(only_finding(R"("args": "x")") ==
        "spec.containers[0].args: must be an array, not a string");
  CHECK(only_finding(R"("securityContext": [])") ==
        "spec.containers[0].securityContext: must be an object, not an array");
  CHECK(only_finding(R"("tty": "true")") ==
        "spec.containers[0].tty: must be a boolean, not a string");
  CHECK(only_finding(R"("ports": [{"containerPort": "80"}])") ==
        "spec.containers[0].ports[0].containerPort: must be an integer, not a string");
  CHECK(only_finding(R"("ports": [{"containerPort": 1.5}])") ==
        "spec.containers[0].ports[0].containerPort: must be an integer, not 1.5");
  CHECK(only_finding(R"("ports": [{"containerPort": 3000000000}])") ==
        "spec.containers[0].ports[0].containerPort: is out of the range of a 32-bit integer: "
        "3000000000");
  CHECK(only_finding(R"("livenessProbe": {"tcpSocket": {"port": true}})") ==
        "spec.containers[0].livenessProbe.tcpSocket.port: must be an integer or a string, not a "
        "boolean");

  const auto root = with_container(R"("args": ["a", 7])");
  CHECK(decode(root).found.at(0).at == locate(root, "spec.containers[0].args[1]"));
}

TEST_CASE("a quantity may be a number or a text, and nothing else") {
  const auto got = decode(with_container(R"("resources": {"limits": {"a": 2, "b": 0.1}})"));
  REQUIRE(got.found.empty());
  CHECK(first(got).resources.limits.at("a").value() == 2);
  CHECK(first(got).resources.limits.at("b").milli_value() == 100);
  CHECK(only_finding(R"("resources": {"limits": {"memory": "1 GB"}})")
            .starts_with(R"(spec.containers[0].resources.limits[memory]: "1 GB": )"));
  CHECK(only_finding(R"("resources": {"limits": {"memory": true}})") ==
        "spec.containers[0].resources.limits[memory]: must be a quantity, not a boolean");
}

TEST_CASE("null means absent, everywhere") {
  const auto got = decode(tree(R"({"metadata": {"name": "p", "creationTimestamp": null},
      "spec": {"hostname": null, "terminationGracePeriodSeconds": null, "securityContext": null,
               "containers": [{"name": "c", "args": [null], "tty": null}]}, "status": null})"));
  REQUIRE(got.found.empty());
  CHECK_FALSE(got.pod.spec.termination_grace_period_seconds.has_value());
  CHECK_FALSE(got.pod.spec.security_context.has_value());
  CHECK(first(got).args == std::vector<std::string>{""});
}

TEST_CASE("an integer written with an exponent is an integer") {
  const auto got = decode(with_container(R"("ports": [{"containerPort": 8e3}])"));
  REQUIRE(got.found.empty());
  CHECK(first(got).ports.at(0).port == 8000);
}

TEST_CASE("all errors of a document are found in one run") {
  const auto got = decode(tree(R"({"kind": 3, "metadata": {"name": 1, "x": 2},
      "spec": {"containers": [{"nam": "c"}], "hostPID": "yes"}, "status": []})"));
  std::vector<std::string> fields;
  for (const auto& d : got.found)
    fields.push_back(d.field);
  CHECK(fields == std::vector<std::string>{"kind", "metadata.name", "metadata.x",
                                           "spec.containers[0].nam", "spec.hostPID", "status"});
}

TEST_CASE("a document of nothing but errors is given up") {
  std::string spec;
  for (int i = 0; i < 5000; ++i)
    spec += (i == 0 ? "\"" : ", \"") + std::string{"unknown"} + std::to_string(i) + "\": 1";
  const auto got = decode(tree("{\"spec\": {" + spec + "}}"));
  REQUIRE(got.found.size() == 101);
  CHECK(got.found.back().reason == "too many errors: the rest was not read");
}

TEST_CASE("a list of empty objects without end does not fill the memory") {
  node::sequence nulls(200'000);
  node root{node::mapping{{"spec", {}, node{node::mapping{{"volumes", {}, node{nulls}}}}}}};
  const auto got = decode(root);
  REQUIRE(got.found.size() == 1);
  CHECK(got.found[0].field == "spec.volumes[20000]");
  CHECK(got.found[0].reason == "there are more than 20000 objects");
  CHECK(got.pod.spec.volumes.size() == 20'000);
}

TEST_CASE("a finding in a file points at its line and column") {
  const auto parsed = parse_text("metadata:\n  name: p\nspec:\n  containers:\n  - name: c\n"
                                 "    imag: x\n    args: [a, 1.5]\n");
  REQUIRE(parsed.documents.size() == 1);
  const auto got = decode(parsed.documents[0].root);
  REQUIRE(got.found.size() == 2);
  CHECK(got.found[0].at == position{6, 5});
  CHECK(got.found[1].at == position{7, 15});
}

TEST_CASE("a status is passed over, as kubelet does with a file's") {
  const auto got = decode(tree(R"({"status": {"phase": "Running", "anything": [1]}})"));
  CHECK(got.found.empty());
}

TEST_CASE("times are read in any offset and written in UTC") {
  const auto time = [](std::string_view text) {
    const auto t = timestamp::parse(text);
    return t ? t->to_string() : "none";
  };
  CHECK(time("2008-01-01T01:01:01Z") == "2008-01-01T01:01:01Z");
  CHECK(time("2008-01-01T01:01:01.5+02:30") == "2007-12-31T22:31:01Z");
  CHECK(time("1969-12-31T23:59:59-00:00") == "1969-12-31T23:59:59Z");
  for (const std::string bad :
       {"", "2008-01-01", "2008-02-30T00:00:00Z", "2008-01-01T24:00:00Z", "2008-01-01 00:00:00Z",
        "2008-01-01T00:00:00", "2008-01-01T00:00:00ZZ", "2008-01-01T00:00:00.Z",
        "-008-01-01T00:00:00Z"})
    CHECK_MESSAGE(time(bad) == "none", bad);
  const auto got = decode(tree(R"({"metadata": {"creationTimestamp": "yesterday"}})"));
  CHECK(got.found.at(0).field == "metadata.creationTimestamp");
}

TEST_CASE("a Secret's data is base64, checked") {
  std::vector<diagnostic> found;
  auto s = decode_secret(
      tree(R"({"data": {"a": "aGk=", "b": "aGl5\n", "none": ""}, "stringData": {"a": "over"}})"),
      found);
  REQUIRE(found.empty());
  CHECK(s.data.at("a").data == "hi");
  CHECK(s.data.at("b").data == "hiy");
  apply_defaults(s);
  CHECK(s.type == "Opaque");
  CHECK(s.data.at("a").data == "over");
  CHECK(to_json(s, -1).find(R"("a":"b3Zlcg==")") != std::string::npos);
  for (const std::string bad : {"aGk", "a===", "aG=k", "aGk=aGk=", "a b=", "=", "====", "aGk*"}) {
    found.clear();
    decode_secret(tree(std::string{R"({"data": {"a": ")"} + bad + "\"}}"), found);
    REQUIRE_MESSAGE(found.size() == 1, bad);
    CHECK(found[0].field == "data[a]");
  }
}

TEST_CASE("base64 gives back any bytes") {
  std::string all;
  for (int i = 0; i < 256; ++i) {
    all.push_back(static_cast<char>(i));
    const bytes b{all};
    CHECK(bytes::from_base64(b.to_base64()) == b);
  }
}

TEST_CASE("a ConfigMap and a claim decode as strictly") {
  std::vector<diagnostic> found;
  const auto map = decode_config_map(
      tree(R"({"metadata": {"name": "m"}, "data": {"a.b": "x"}, "binaryData": {"c": "AA=="}})"),
      found);
  const auto claim =
      decode_persistent_volume_claim(tree(R"({"spec": {"accessModes": ["ReadWriteOnce"],
               "resources": {"requests": {"storage": "1Gi"}}}, "status": {}})"),
                                     found);
  REQUIRE(found.empty());
  CHECK(map.data.at("a.b") == "x");
  CHECK(map.binary_data.at("c").data == std::string(1, '\0'));
  CHECK(claim.spec.resources.requests.at("storage").value() == 1 << 30);
  decode_config_map(tree(R"({"data": {"a": 1}, "status": {}})"), found);
  REQUIRE(found.size() == 2);
  CHECK(found[0].field == "data[a]");
  CHECK(found[1].reason == "unknown field \"status\"");
}

TEST_CASE("the content hash sees meaning, not spelling") {
  const auto hash = [](const std::string& members) {
    auto p = decode(with_container(members)).pod;
    apply_defaults(p);
    return content_hash(p);
  };
  const auto one = hash(R"("image": "a:1", "resources": {"limits": {"cpu": "500m"}})");
  CHECK(one.size() == 64);
  CHECK(one.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(one == hash(R"("resources": {"limits": {"cpu": "0.5"}}, "image": "a:1", "tty": false)"));
  CHECK(one != hash(R"("image": "a:1", "resources": {"limits": {"cpu": "501m"}})"));
}

} // namespace decode_test

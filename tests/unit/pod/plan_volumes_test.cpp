// What volumes of documents show: merged, chosen, with modes and owners.
#include "pod/plan_volumes.hpp"

#include "config/manifest.hpp"

#include <doctest/doctest.h>

#include <string>

namespace plan_volumes_test {

using namespace tank;
using namespace std::string_literals;

namespace {

const std::string documents_text = R"(
{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"},
 "data": {"a": "one", "b": "two"}, "binaryData": {"raw": "AAE="}}
---
{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
 "stringData": {"a": "hidden", "key": "k"}}
)";

struct world {
  pod_request request;
  kernel::user_range users{};

  explicit world(const std::string& volume, const std::string& spec = "") {
    const auto m = config::parse_manifest(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  labels: {z: last, app: web}\n"
        "  annotations: {odd: 'a \"b\"'}\n"
        "spec:\n  containers:\n  - {name: c, image: i, resources: {limits: {cpu: 500m}}}\n"
        "  volumes:\n  - {name: v, " +
        volume + "}\n" + spec);
    REQUIRE(m.pods.size() == 1);
    for (const auto& d : m.pods[0].diagnostics)
      FAIL_CHECK(format(d, "pod"));
    auto data = std::make_shared<documents>();
    for (auto& d : documents_of(config::parse_manifest(documents_text), "f"))
      data->all.emplace(d.id, d.what);
    request.pod = std::make_shared<const config::pod>(m.pods[0].pod);
    request.host = std::make_shared<const kernel::host_facts>();
    request.dirs.run_dir = "/r";
    request.uid = "u-1";
    request.data = data;
  }
  [[nodiscard]] result<projected_volume> plan() const {
    return plan_projection(request, request.pod->spec.volumes[0], users);
  }
  /// "path=content mode uid:gid" of each file, one a line.
  [[nodiscard]] std::string shown() const {
    std::string out;
    const auto planned = plan().value();
    for (const auto& f : planned.what.files) {
      char mode[8];
      std::snprintf(mode, sizeof mode, "%o", f.mode);
      out += f.path + "=" + f.content + " " + mode + " " + std::to_string(f.uid) + ":" +
             std::to_string(f.gid) + "\n";
    }
    return out;
  }
};

} // namespace

TEST_CASE("a configMap volume shows all keys; bytes are as they are") {
  const world w{"configMap: {name: m}"};
  CHECK(w.plan()->directory == "/r/volumes/u-1/files/v");
  CHECK(w.plan()->what.directory_mode == 0755);
  CHECK(w.shown() == "a=one 644 0:0\nb=two 644 0:0\nraw=\0\1 644 0:0\n"s);
}

TEST_CASE("items choose, rename, and have modes of their own") {
  const world w{"secret: {secretName: s, defaultMode: 0400, items: [{key: key, path: etc/k}, "
                "{key: a, path: b, mode: 0600}]}"};
  CHECK(w.shown() == "b=hidden 600 0:0\netc/k=k 400 0:0\n");
}

TEST_CASE("what is missing is an error that names it, unless it is optional") {
  CHECK(world{"configMap: {name: gone}"}.plan().error().message() ==
        "cannot make volume 'v': configmap 'default/gone' is missing");
  CHECK(world{"configMap: {name: m, items: [{key: lost, path: p}]}"}.plan().error().message() ==
        "cannot make volume 'v': key 'lost' of configmap 'default/m' is missing");
  CHECK(world{"configMap: {name: gone, optional: true}"}.shown().empty());
  CHECK(world{"configMap: {name: m, optional: true, items: [{key: lost, path: p}, "
              "{key: a, path: q}]}"}
            .shown() == "q=one 644 0:0\n");
}

TEST_CASE(
    "sources of a projected volume merge in order, the later wins; each has its own optional") {
  const world w{
      "projected: {defaultMode: 0440, sources: [{configMap: {name: m}}, "
      "{secret: {name: s}}, {secret: {name: gone, optional: true}}, {downwardAPI: {items: "
      "[{path: l, fieldRef: {fieldPath: metadata.labels}}, {path: who, mode: 0444, "
      "fieldRef: {fieldPath: metadata.name}}]}}]}"};
  CHECK(w.shown() == "a=hidden 440 0:0\nb=two 440 0:0\nkey=k 440 0:0\n"
                     "l=app=\"web\"\nz=\"last\" 440 0:0\nraw=\0\1 440 0:0\nwho=web 444 0:0\n"s);
}

TEST_CASE("a downwardAPI volume has fields and resources as files") {
  const world w{"downwardAPI: {items: [{path: meta/uid, fieldRef: {fieldPath: metadata.uid}}, "
                "{path: app, fieldRef: {fieldPath: \"metadata.annotations['odd']\"}}, {path: cpu, "
                "resourceFieldRef: {containerName: c, resource: limits.cpu, divisor: 1m}}]}"};
  CHECK(w.shown() == "app=a \"b\" 644 0:0\ncpu=500 644 0:0\nmeta/uid=u-1 644 0:0\n");
}

TEST_CASE("with fsGroup the group may read all; with users of its own ids are the host's") {
  world w{"secret: {secretName: s, defaultMode: 0400, items: [{key: a, path: a}]}",
          "  securityContext: {fsGroup: 7}\n"};
  CHECK(w.shown() == "a=hidden 440 0:7\n");
  CHECK(w.plan()->what.directory_mode == 02755);
  CHECK(w.plan()->what.gid == 7);
  w.users = {100000, 65536};
  CHECK(w.shown() == "a=hidden 440 100000:100007\n");
  CHECK(w.plan()->what.uid == 100000);
}

TEST_CASE("a file cannot be a directory of another") {
  CHECK(world{"projected: {sources: [{configMap: {name: m, items: [{key: a, path: x/y}]}}, "
              "{secret: {name: s, items: [{key: key, path: x}]}}]}"}
            .plan()
            .error()
            .message() == "cannot make volume 'v': 'x' is a file, and 'x/y' is below it");
  // "x-z" sorts between them as text, and is nobody's parent.
  CHECK(world{"configMap: {name: m, items: [{key: a, path: x-z}, {key: b, path: x/y}]}"}.plan());
}

} // namespace plan_volumes_test

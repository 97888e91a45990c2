#include "pod/pod_instance.hpp"

#include "pod/manifest_set.hpp"
#include "pod/pod_record.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>

namespace pod_instance_test {

using namespace tank;

namespace {

desired_pod with(const std::string& resources, const std::string& more = {}) {
  const auto judged = judge_manifest(
      "web.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: "
                  "main, image: 'web:1'" +
                      more + ", resources: " + resources + "}]}\n");
  REQUIRE(judged.pods.size() == 1);
  return judged.pods[0].desired;
}

} // namespace

TEST_CASE("other amounts of cpu and memory are the same instance, with the same uid") {
  const auto a = with("{limits: {memory: 64Mi}}");
  for (const auto* resources :
       {"{limits: {memory: 65Mi}}", "{limits: {memory: 64Mi, cpu: 1}, requests: {cpu: 100m}}",
        "{requests: {cpu: 1m}}"}) {
    CAPTURE(resources);
    const auto b = with(resources);
    CHECK(a.hash != b.hash);
    CHECK(a.instance == b.instance);
    CHECK(a.uid == b.uid);
  }
  CHECK(std::all_of(a.instance.begin(), a.instance.end(),
                    [](unsigned char c) { return std::isxdigit(c) != 0; }));
}

TEST_CASE("another QoS class, or anything else, is another instance") {
  const auto a = with("{limits: {memory: 64Mi}}");
  CHECK(with("{}").instance != a.instance);
  CHECK(with("{limits: {memory: 64Mi, cpu: 1}}").instance != a.instance); // guaranteed
  CHECK(with("{limits: {memory: 64Mi}}", ", command: [/run]").instance != a.instance);
}

TEST_CASE("a record comes back as the same instance") {
  pod_record r;
  r.key = "default/web";
  r.what = with("{limits: {memory: 64Mi}}");
  const auto back = decode_record(encode_record(r, "boot"), "boot");
  REQUIRE(back);
  CHECK(back->what.instance == r.what.instance);
}

} // namespace pod_instance_test

/// Records of pods for tests, their content judged as a manifest's.
#pragma once

#include "pod/manifest_set.hpp"
#include "pod/pod_record.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

namespace tank::testing {

inline desired_pod pod_named(const std::string& name, const std::string& policy = "Always",
                             const std::string& image = "web:1") {
  const auto judged = judge_manifest(
      name + ".yaml",
      "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\nspec: {restartPolicy: " + policy +
          ", containers: [{name: main, image: '" + image + "', command: [/run]}]}\n");
  REQUIRE(judged.pods.size() == 1);
  return judged.pods[0].desired;
}

inline pod_record record_of(const std::string& name, pod_state state = pod_state::starting) {
  pod_record r;
  r.key = "default/" + name;
  r.what = pod_named(name);
  r.state = state;
  r.restarts = 4;
  r.retries = 2;
  r.created_ns = 77;
  r.run.number = 5;
  return r;
}

} // namespace tank::testing

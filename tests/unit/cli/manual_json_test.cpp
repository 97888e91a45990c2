// The fields of `-o json` that tank(1) lists, against those that the program writes, both ways.
#include "api/api_protocol.hpp"
#include "api/pod_usage.hpp"
#include "cli/image_text.hpp"
#include "cli/volume.hpp"
#include "config/pod.hpp"
#include "pod/model.hpp"
#include "tests/unit/cli/manual_page.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <set>
#include <string>

namespace manual_json_test {

using namespace tank;
using namespace tank::cli;
using nlohmann::json;

namespace {

using names = std::set<std::string>;

/// Of all objects in `value`, but not of those that are not ours to describe.
void collect_keys(const json& value, names& found) {
  if (value.is_array())
    for (const auto& one : value)
      collect_keys(one, found);
  if (!value.is_object()) return;
  for (const auto& [key, below] : value.items()) {
    found.insert(key);
    if (key != "pod" && key != "labels") collect_keys(below, found);
  }
}

names keys_of(const std::string& document) {
  auto parsed = json::parse(document);
  CHECK(parsed["apiVersion"] == "tank/v1");
  parsed.erase("apiVersion");
  parsed.erase("kind");
  names found;
  collect_keys(parsed, found);
  found.erase("items");
  return found;
}

void compare_with(const std::string& title, const names& written) {
  const auto page = read_manual_page(std::string{TANK_SOURCE_TREE} + "/doc/man/tank.1");
  auto listed = page.section(title).macro_words("Va");
  listed.merge(page.section(title).macro_words("Pq Va"));
  listed.merge(page.section(title).macro_words("Pq as Va"));
  listed.erase("items");
  for (const auto& one : written)
    CHECK_MESSAGE(listed.contains(one), title, ": the manual does not have ", one);
  for (const auto& one : listed)
    CHECK_MESSAGE(written.contains(one), title, ": only the manual has ", one);
}

} // namespace

TEST_CASE("tank(1) has the fields of a pod's status") {
  pod_status pod;
  pod.key = "default/web";
  pod.last = last_exit{};
  pod.pod = std::make_shared<config::pod>();
  auto spec = std::make_shared<config::pod>();
  spec->spec.containers.resize(1);
  spec->spec.init_containers.resize(1);
  pod.pod = spec;
  for (const auto state :
       {container_phase::waiting, container_phase::running, container_phase::terminated}) {
    container_status one;
    one.state = state;
    one.restart_at_ns = 1;
    one.last = one.terminated = last_exit{};
    pod.containers.push_back(one);
  }
  pod.containers.front().kind = container_kind::sidecar;
  auto written = keys_of(api::status_document({pod}, true, 0));
  written.erase("metadata"); // of the manifest
  written.insert("metadata.uid");
  compare_with("PodStatusList", written);
}

TEST_CASE("tank(1) has the fields of what pods use") {
  compare_with("PodUsageList", keys_of(api::usage_document({usage_row{}}, 0)));
}

TEST_CASE("tank(1) has the fields of the watch directory's files") {
  compare_with("FileStatusList", keys_of(api::file_document({file_status{}}, 0)));
}

TEST_CASE("tank(1) has the fields of volumes") {
  compare_with("Volumes", keys_of(volume_document({volume_row{}})));
}

TEST_CASE("tank(1) has the fields of images") {
  oci::image_details image;
  image.layers.resize(1);
  names written = keys_of(image_document({oci::image_summary{}}));
  written.merge(keys_of(details_document({image})));
  written.merge(keys_of(prune_document(oci::prune_report{})));
  written.merge(keys_of(damage_document({oci::damage{}})));
  compare_with("Images", written);
}

} // namespace manual_json_test

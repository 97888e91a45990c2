// Manifests: a Pod that is valid is the same Pod when its normalised text is read.
#include "../fuzz.hpp"

#include "config/manifest.hpp"

namespace tank::fuzz {
namespace pod_manifest_target {
namespace {

using namespace config;

void look(const std::vector<diagnostic>& found, std::size_t size) {
  FUZZ_CHECK(found.size() < 5000);
  for (const auto& d : found) {
    FUZZ_CHECK(d.at.line <= size + 1);
    FUZZ_CHECK(!format(d, "f").empty());
  }
}

verdict run(std::string_view input) {
  manifest_limits limits;
  limits.max_bytes = 32768;
  limits.max_depth = 30;
  limits.max_nodes = 4000;
  limits.max_text = 65536;
  limits.max_documents = 10;
  const auto m = parse_manifest(input, limits);
  look(m.diagnostics, input.size());
  for (const auto& document : m.pods) {
    look(document.diagnostics, input.size());
    if (!document.valid()) continue;
    const auto text = to_json(document.pod, -1);
    const auto again = parse_manifest(text);
    FUZZ_CHECK(again.valid() && again.pods.size() == 1);
    FUZZ_CHECK(to_json(again.pods.front().pod, -1) == text);
    FUZZ_CHECK(content_hash(again.pods.front().pod) == content_hash(document.pod));
    FUZZ_CHECK(again.pods.front().runnable() == document.runnable());
  }
  return m.valid() && !m.pods.empty() ? verdict::accepted : verdict::refused;
}

} // namespace
} // namespace pod_manifest_target
const target targets::pod_manifest{"pod_manifest", pod_manifest_target::run};
} // namespace tank::fuzz

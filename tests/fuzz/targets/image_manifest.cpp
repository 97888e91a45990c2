// Image manifests: what is read is within its limits, is never an index too, and survives printing.
#include "../fuzz.hpp"

#include "oci/manifest.hpp"

namespace tank::fuzz {
namespace image_manifest_target {
namespace {

using namespace oci;

/// What to_json keeps.
void strip(descriptor& d) {
  d.target = {};
  d.annotations.clear();
}

verdict run(std::string_view input) {
  unpack_limits limits;
  limits.max_document = 16384;
  limits.max_layers = 8;
  const auto read = parse_document(input, {}, limits);
  const auto as_manifest = parse_document(input, media::manifest, limits);
  const auto as_index = parse_document(input, media::index, limits);
  FUZZ_CHECK(!as_manifest || !as_index);
  FUZZ_CHECK(!as_manifest || std::holds_alternative<image_manifest>(*as_manifest));
  if (!read || !std::holds_alternative<image_manifest>(*read)) return verdict::refused;
  FUZZ_CHECK(!as_index && input.size() <= limits.max_document);
  auto m = std::get<image_manifest>(*read);
  FUZZ_CHECK(m.layers.size() <= limits.max_layers);
  strip(m.config);
  for (auto& l : m.layers) {
    strip(l);
    FUZZ_CHECK(parse_digest(l.content.to_string()) && l.size <= INT64_MAX);
  }
  const auto text = to_json(m);
  unpack_limits wide;
  const auto again = parse_document(text, media::manifest, wide);
  FUZZ_CHECK(again && std::get<image_manifest>(*again) == m);
  return verdict::accepted;
}

} // namespace
} // namespace image_manifest_target
const target targets::image_manifest{"image_manifest", image_manifest_target::run};
} // namespace tank::fuzz

// A manifest and a configuration, with a tab between: what is taken gives each blob one content,
// and stays within the limits.
#include "../fuzz.hpp"

#include "oci/new_record.hpp"

#include <map>
#include <variant>

namespace tank::fuzz {
namespace new_record_target {
namespace {

using namespace oci;

verdict run(std::string_view input) {
  unpack_limits limits;
  limits.max_document = 16384;
  limits.max_layers = 8;
  limits.max_bytes = 1'000'000;
  const auto tab = input.find('\t');
  if (tab == input.npos) return verdict::refused;
  const auto document = parse_document(input.substr(0, tab), {}, limits);
  const auto settings = parse_settings(input.substr(tab + 1), limits);
  const auto* manifest = document ? std::get_if<image_manifest>(&*document) : nullptr;
  if (manifest == nullptr || !settings) return verdict::refused;
  const auto record = new_record(*settings, manifest->layers, limits);
  if (!record) return verdict::refused;
  FUZZ_CHECK(record->layers.size() == manifest->layers.size());
  FUZZ_CHECK(record->size <= limits.max_bytes);
  std::map<digest, digest> contents;
  for (std::size_t i = 0; i < record->layers.size(); ++i) {
    const auto& l = record->layers[i];
    FUZZ_CHECK(l.blob == manifest->layers[i].content && l.diff_id == settings->diff_ids[i]);
    FUZZ_CHECK(contents.emplace(l.blob, l.diff_id).first->second == l.diff_id);
  }
  return verdict::accepted;
}

} // namespace
} // namespace new_record_target
const target targets::new_record{"new_record", new_record_target::run};
} // namespace tank::fuzz

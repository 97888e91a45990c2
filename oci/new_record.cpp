#include "oci/new_record.hpp"

#include <map>

namespace tank::oci {

namespace {

/// A layer is found in the store by its content (diff_id). A manifest that lists one blob for two
/// contents could so name a layer that it does not bring.
result<void> check_pairs(const std::vector<layer_record>& layers) {
  std::map<digest, digest> contents;
  for (const auto& l : layers)
    if (const auto [it, fresh] = contents.emplace(l.blob, l.diff_id);
        !fresh && it->second != l.diff_id)
      return fail(errc::invalid, "use", "image",
                  "its manifest has " + l.blob.to_string() +
                      " twice, and its config gives it two contents: " + it->second.to_string() +
                      " and " + l.diff_id.to_string());
  return {};
}

} // namespace

result<image_record> new_record(const image_settings& settings, std::size_t layers,
                                const unpack_limits& limits) {
  if (settings.diff_ids.size() != layers)
    return fail(errc::invalid, "use", "image",
                "the manifest has " + std::to_string(layers) + " layers, its config " +
                    std::to_string(settings.diff_ids.size()));
  image_record out;
  out.architecture = settings.target.architecture;
  out.created = settings.created;
  out.config = settings.config;
  for (const auto& id : settings.diff_ids)
    out.layers.push_back({id, {}, {}});
  if (to_json(out).size() > limits.max_record)
    return fail(errc::limit, "use", "image",
                "its config is larger than " + std::to_string(limits.max_record) + " bytes");
  return out;
}

result<image_record> new_record(const image_settings& settings, std::span<const descriptor> layers,
                                const unpack_limits& limits) {
  auto out = TANK_TRY(new_record(settings, layers.size(), limits));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    out.layers[i].blob = layers[i].content;
    if (layers[i].size > limits.max_bytes - out.size)
      return fail(errc::limit, "use", "image",
                  "its layers are larger than " + std::to_string(limits.max_bytes) + " bytes");
    out.size += layers[i].size;
  }
  TANK_TRY(check_pairs(out.layers));
  return out;
}

} // namespace tank::oci

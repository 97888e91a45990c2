#include "oci/manifest.hpp"

#include "base/text.hpp"
#include "oci/json.hpp"
#include "oci/unpack.hpp"

#include <algorithm>
#include <sys/utsname.h>

namespace tank::oci {

namespace {

constexpr std::size_t max_index_entries = 1000;

bool is_index_type(std::string_view type) {
  return type == media::index || type == media::docker_list;
}
bool is_manifest_type(std::string_view type) {
  return type == media::manifest || type == media::docker_manifest;
}

result<descriptor> descriptor_from(const json& value, const std::string& path) {
  const auto o = TANK_TRY(json_object::of(value, path));
  descriptor d;
  d.media_type = TANK_TRY(o.text("mediaType"));
  auto content = o.text("digest").and_then(parse_digest);
  if (!content) return wrap(std::move(content).error(), "read", o.path("digest"));
  d.content = *std::move(content);
  d.size = TANK_TRY(o.number("size"));
  for (auto& [k, v] : TANK_TRY(o.pairs("annotations")))
    d.annotations.emplace(std::move(k), std::move(v));
  const auto p = TANK_TRY(o.object("platform"));
  d.target = {
    TANK_TRY(p.text("os")),
    TANK_TRY(p.text("architecture")),
    TANK_TRY(p.text("variant"))
  };
  if (!TANK_TRY(o.texts("urls")).empty())
    return fail(errc::unsupported, "use", path, "its content lives elsewhere (urls)");
  return d;
}

result<void> check_layer_type(const descriptor& d, const std::string& path) {
  static constexpr std::string_view known[] = {media::layer,
                                               media::layer_gzip,
                                               media::layer_zstd,
                                               "application/vnd.docker.image.rootfs.diff.tar",
                                               "application/vnd.docker.image.rootfs.diff.tar.gzip",
                                               "application/vnd.docker.image.rootfs.diff.tar.zstd"};
  if (std::find(std::begin(known), std::end(known), d.media_type) != std::end(known)) return {};
  return fail(errc::unsupported, "use", path,
              "layers of type '" + for_message(d.media_type) + "' are not known");
}

result<image_document> manifest_from(const json_object& o, const unpack_limits& limits) {
  image_manifest m;
  const json* config = o.find("config");
  if (config == nullptr) return o.wrong("config", "missing");
  m.config = TANK_TRY(descriptor_from(*config, o.path("config")));
  if (m.config.media_type != media::config && m.config.media_type != media::docker_config)
    return fail(errc::unsupported, "use", "manifest",
                "it is not a container image but '" + for_message(m.config.media_type) + "'");
  const json* layers = o.find("layers");
  if (layers == nullptr || !layers->is_array()) return o.wrong("layers", "not a list");
  if (layers->size() > limits.max_layers)
    return fail(errc::limit, "use", "manifest",
                "more than " + std::to_string(limits.max_layers) + " layers");
  for (const auto& item : *layers) {
    const auto path = o.path("layers[" + std::to_string(m.layers.size()) + "]");
    m.layers.push_back(TANK_TRY(descriptor_from(item, path)));
    TANK_TRY(check_layer_type(m.layers.back(), path));
  }
  return m;
}

result<image_document> index_from(const json_object& o) {
  image_index index;
  const json* manifests = o.find("manifests");
  if (manifests == nullptr || !manifests->is_array()) return o.wrong("manifests", "not a list");
  if (manifests->size() > max_index_entries)
    return fail(errc::limit, "use", "index", "more than 1000 manifests");
  for (const auto& item : *manifests) {
    const auto path = o.path("manifests[" + std::to_string(index.manifests.size()) + "]");
    index.manifests.push_back(TANK_TRY(descriptor_from(item, path)));
  }
  return index;
}

/// How well an entry for `have` runs on a host of `want`; -1 not at all.
int variant_rank(const platform& have, const platform& want) {
  const auto level = [](const platform& p) {
    if (p.architecture == "arm64" && p.variant.empty()) return 8;
    if (p.variant.size() == 2 && p.variant[0] == 'v' && p.variant[1] >= '1' && p.variant[1] <= '9')
      return p.variant[1] - '0';
    return p.variant.empty() ? 0 : 100;
  };
  const int h = level(have);
  const int w = level(want);
  if (h > 9) return -1;
  if (h == w) return 100;
  if (want.architecture == "amd64") return h <= 1 ? 50 : -1; // v1 is what every amd64 is
  return h < w ? h : -1;
}

} // namespace

std::string platform::to_string() const {
  return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

/// Some builders write "unknown" where they know of none.
bool is_unsaid(const platform& p) {
  const auto unsaid = [](const std::string& word) { return word.empty() || word == "unknown"; };
  return unsaid(p.os) && unsaid(p.architecture);
}

platform host_platform() {
  utsname name{};
  ::uname(&name);
  const std::string machine = name.machine;
  if (machine == "x86_64") return {"linux", "amd64", ""};
  if (machine == "aarch64") return {"linux", "arm64", "v8"};
  if (machine == "armv7l") return {"linux", "arm", "v7"};
  if (machine == "armv6l") return {"linux", "arm", "v6"};
  if (machine.size() == 4 && machine[0] == 'i' && machine.ends_with("86"))
    return {"linux", "386", ""};
  return {"linux", machine, ""}; // ppc64le, s390x, riscv64: the same word
}

result<image_document> parse_document(std::string_view text, std::string_view declared,
                                      const unpack_limits& limits) {
  const auto value = TANK_TRY(parse_json(text, limits.max_document, "manifest"));
  const auto o = TANK_TRY(json_object::of(value, "manifest"));
  if (TANK_TRY(o.number("schemaVersion")) != 2)
    return fail(errc::unsupported, "use", "manifest", "only schema version 2 is known");
  const bool like_manifest = value.contains("layers") || value.contains("config");
  const bool like_index = value.contains("manifests");
  if (like_manifest && like_index)
    return fail(errc::invalid, "use", "manifest", "it is both a manifest and an index");
  const auto own = TANK_TRY(o.text("mediaType"));
  const std::string type{own.empty() ? declared : std::string_view{own}};
  if (!declared.empty() && !own.empty() && declared != own)
    return fail(errc::invalid, "use", "manifest",
                "announced as '" + for_message(declared) + "', says '" + for_message(own) +
                    "' of itself");
  if (!type.empty() && !is_index_type(type) && !is_manifest_type(type))
    return fail(errc::unsupported, "use", "manifest",
                "unknown media type '" + for_message(type) + "'");
  if (!type.empty() && (is_index_type(type) ? like_manifest : like_index))
    return fail(errc::invalid, "use", "manifest",
                "content does not match type '" + for_message(type) + "'");
  return type.empty() ? (like_index ? index_from(o) : manifest_from(o, limits))
                      : (is_index_type(type) ? index_from(o) : manifest_from(o, limits));
}

result<descriptor> choose_platform(const image_index& index, const platform& host) {
  const descriptor* best = nullptr;
  int best_rank = -1;
  std::string seen;
  std::vector<const descriptor*> unnamed;
  for (const auto& d : index.manifests) {
    if (d.annotations.contains("vnd.docker.reference.type")) continue; // signatures, provenance
    if (is_unsaid(d.target)) {
      unnamed.push_back(&d);
      continue;
    }
    if (seen.size() < 300)
      seen.append(seen.empty() ? "" : ", ").append(for_message(d.target.to_string()));
    if (d.target.os != host.os || d.target.architecture != host.architecture) continue;
    if (const int rank = variant_rank(d.target, host); rank > best_rank) {
      best = &d;
      best_rank = rank;
    }
  }
  if (best != nullptr) return *best;
  if (seen.empty() && unnamed.size() == 1) return *unnamed.front();
  if (seen.size() > 300) seen = shortened(seen, 300);
  return fail(errc::not_found, "find image for", host.to_string(),
              seen.empty() ? "the index names no platform" : "the index holds only " + seen);
}

result<image_settings> parse_settings(std::string_view text, const unpack_limits& limits) {
  const auto value = TANK_TRY(parse_json(text, limits.max_document, "image config"));
  const auto o = TANK_TRY(json_object::of(value, "image config"));
  if (value.contains("layers") || value.contains("manifests"))
    return fail(errc::invalid, "use", "image config", "it is a manifest");
  image_settings s;
  s.target = {
    TANK_TRY(o.text("os")),
    TANK_TRY(o.text("architecture")),
    TANK_TRY(o.text("variant"))
  };
  if (is_unsaid(s.target)) s.target = {};
  if (!s.target.os.empty() && s.target.os != "linux")
    return fail(errc::unsupported, "use", "image",
                "it is for " + for_message(s.target.to_string()));
  s.created = TANK_TRY(o.text("created"));
  s.config = TANK_TRY(o.object("config").and_then(image_config_from));
  const auto rootfs = TANK_TRY(o.object("rootfs"));
  if (const auto type = TANK_TRY(rootfs.text("type")); type != "layers")
    return rootfs.wrong("type", "not 'layers'");
  for (const auto& id : TANK_TRY(rootfs.texts("diff_ids"))) {
    auto parsed = parse_digest(id);
    if (!parsed) return wrap(std::move(parsed).error(), "read", rootfs.path("diff_ids"));
    s.diff_ids.push_back(*std::move(parsed));
  }
  if (s.diff_ids.size() > limits.max_layers)
    return fail(errc::limit, "use", "image config", "too many layers");
  return s;
}

static std::string dump(const json& value) {
  // Text that is no UTF-8 must not throw here; it cannot come from parsed JSON.
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string to_json(const image_settings& s, std::string_view created_by) {
  json out = {{"architecture", s.target.architecture},
              {"os", s.target.os},
              {"config", to_json_value(s.config)}};
  if (!s.target.variant.empty()) out["variant"] = s.target.variant;
  if (!s.created.empty()) out["created"] = s.created;
  json ids = json::array();
  json history = json::array();
  for (const auto& id : s.diff_ids) {
    ids.push_back(id.to_string());
    json step = {{"created_by", created_by}};
    if (!s.created.empty()) step["created"] = s.created;
    history.push_back(std::move(step));
  }
  out["rootfs"] = {{"type", "layers"}, {"diff_ids", std::move(ids)}};
  out["history"] = std::move(history);
  return dump(out);
}

static json to_json_value(const descriptor& d) {
  return {{"mediaType", d.media_type}, {"digest", d.content.to_string()}, {"size", d.size}};
}

std::string to_json(const image_manifest& m) {
  json layers = json::array();
  for (const auto& l : m.layers)
    layers.push_back(to_json_value(l));
  return dump({{"schemaVersion", 2},
               {"mediaType", media::manifest},
               {"config", to_json_value(m.config)},
               {"layers", std::move(layers)}});
}

} // namespace tank::oci

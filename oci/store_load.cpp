/// `tank image load`: OCI layouts and docker-save archives, as directories or as one tar.
#include "oci/store.hpp"

#include "oci/bundle.hpp"
#include "oci/image_source.hpp"
#include "oci/ingest.hpp"
#include "oci/json.hpp"
#include "oci/new_record.hpp"

#include <algorithm>
#include <optional>

namespace tank::oci {

namespace {

constexpr unsigned max_index_depth = 4;
constexpr std::size_t max_images = 1000;

std::string blob_path(const digest& d) {
  return "blobs/" + std::string{to_string(d.algorithm)} + "/" + d.hex;
}

/// A blob of an OCI layout, checked against who refers to it.
result<std::string> read_blob(const bundle& source, const descriptor& d, std::uint64_t limit) {
  auto found = source.read(blob_path(d.content), limit);
  if (!found && found.error().code == errc::not_found)
    return fail(errc::not_found, "read", d.content.to_string(), "the blob is missing in it");
  auto text = TANK_TRY(std::move(found));
  if (text.size() != d.size || digest_of(text, d.content.algorithm) != d.content)
    return fail(errc::corrupt, "verify", d.content.to_string(), "content or size is another");
  return text;
}

/// One image found in the source, not read yet.
struct candidate {
  std::vector<std::string> names; ///< as written there
  std::vector<std::string> tags;  ///< as well, but no whole names
  std::optional<descriptor> manifest;
  digest index;
  std::string docker_config; ///< docker-save: file names instead
  std::vector<std::string> docker_layers;
};

/// skopeo and others write only a tag there; that alone is no name.
void read_names(const descriptor& d, candidate& to) {
  std::vector<std::string> names;
  for (const auto* key : {"io.containerd.image.name", "org.opencontainers.image.ref.name"}) {
    const auto it = d.annotations.find(key);
    if (it == d.annotations.end()) continue;
    if (it->second.find_first_of("/:") == std::string::npos)
      to.tags.push_back(it->second);
    else if (names.empty())
      names.push_back(it->second);
    else
      to.tags.push_back(it->second);
  }
  if (!names.empty()) to.names = std::move(names);
}

/// Whether `ref` means this image: its name, in any spelling, or its tag.
bool is_called(const candidate& c, std::string_view ref) {
  const auto is = [&](const std::string& name) { return name == ref; };
  if (std::any_of(c.tags.begin(), c.tags.end(), is)) return true;
  const auto wanted = parse_reference(ref);
  return std::any_of(c.names.begin(), c.names.end(), [&](const std::string& name) {
    if (name == ref) return true;
    const auto parsed = parse_reference(name);
    return parsed && ((wanted && *parsed == *wanted) || parsed->tag == ref);
  });
}

/// Those that `ref` means; all when it is empty.
result<std::vector<candidate>> pick(std::vector<candidate> found, std::string_view ref) {
  if (ref.empty()) return found;
  std::string seen;
  for (const auto& c : found)
    for (const auto* list : {&c.names, &c.tags})
      for (const auto& name : *list)
        seen.append(seen.empty() ? "" : ", ").append(name);
  std::erase_if(found, [&](const candidate& c) { return !is_called(c, ref); });
  if (!found.empty()) return found;
  return fail(errc::not_found, "find image", std::string{ref},
              seen.empty() ? "there is none with a name" : "there is only " + for_message(seen));
}

class loader {
 public:
  loader(const bundle& source, ingest& session, const unpack_limits& limits)
      : source_(source)
      , session_(session)
      , limits_(limits) {}

  /// All images of an archive that says itself which kind it is.
  result<std::vector<candidate>> find(image_source::form kind) {
    const bool docker = kind == image_source::form::docker_archive;
    auto found = docker ? find_docker() : find_oci();
    if (!found && found.error().code == errc::not_found && !source_.open(index_of(docker)))
      return fail(errc::invalid, "load", "image", "there is no " + std::string{index_of(docker)},
                  docker ? "what 'docker save' writes is wanted" : "an OCI layout is wanted");
    return found;
  }

  result<std::vector<candidate>> find() {
    // Newer docker-save archives hold both; the index is the standard one, with digests.
    if (const auto index = source_.open("index.json")) return find_oci();
    if (const auto manifest = source_.open("manifest.json")) return find_docker();
    return fail(errc::invalid, "load", "image", "there is neither index.json nor manifest.json",
                "an OCI layout or a docker-save archive is wanted; for a root file system "
                "use 'tank image import'");
  }

  result<image_record> add(const candidate& c) { return c.manifest ? add_oci(c) : add_docker(c); }

 private:
  static const char* index_of(bool docker) { return docker ? "manifest.json" : "index.json"; }

  result<std::vector<candidate>> find_oci() {
    const auto text = TANK_TRY(source_.read(index_of(false), limits_.max_document));
    auto document = TANK_TRY(parse_document(text, {}, limits_));
    const auto* index = std::get_if<image_index>(&document);
    if (index == nullptr) return fail(errc::invalid, "load", "index.json", "it is no index");
    std::vector<candidate> out;
    for (const auto& d : index->manifests) {
      if (d.annotations.contains("vnd.docker.reference.type")) continue;
      // One entry per platform, all of one name or of none: this host's is meant.
      auto found = choose(d, 0);
      if (!found && found.error().code == errc::not_found && index->manifests.size() > 1) {
        last_ = found.error();
        continue;
      }
      auto c = TANK_TRY(std::move(found));
      const bool seen = std::any_of(out.begin(), out.end(), [&](const candidate& o) {
        if (o.manifest->content != c.manifest->content) return false;
        return o.names == c.names && o.tags == c.tags;
      });
      if (!seen) out.push_back(std::move(c));
    }
    if (out.empty() && last_) return tl::make_unexpected(*last_);
    return out;
  }

  /// Follows indexes down to the manifest for this host.
  result<candidate> choose(const descriptor& d, unsigned depth) {
    if (depth > max_index_depth) return fail(errc::limit, "load", "index", "nested too deep");
    const auto host = host_platform();
    if (d.target != platform{}) TANK_TRY(choose_platform(image_index{{d}}, host));
    const auto text = TANK_TRY(read_blob(source_, d, limits_.max_document));
    const auto document = TANK_TRY(parse_document(text, d.media_type, limits_));
    candidate c;
    if (const auto* index = std::get_if<image_index>(&document); index != nullptr) {
      const auto picked = TANK_TRY(choose_platform(*index, host));
      c = TANK_TRY(choose(picked, depth + 1));
      c.index = d.content;
      TANK_TRY(session_.add_document(text, d.content));
    } else {
      c.manifest = d;
    }
    read_names(d, c);
    return c;
  }

  result<std::vector<candidate>> find_docker() {
    const auto text = TANK_TRY(source_.read(index_of(true), limits_.max_document));
    const auto value = TANK_TRY(parse_json(text, limits_.max_document, "manifest.json"));
    if (!value.is_array() || value.size() > max_images)
      return fail(errc::invalid, "load", "manifest.json", "not a list of images");
    std::vector<candidate> out;
    for (const auto& item : value) {
      const auto o = TANK_TRY(json_object::of(item, "manifest.json"));
      candidate c;
      c.names = TANK_TRY(o.texts("RepoTags"));
      c.docker_config = TANK_TRY(o.text("Config"));
      c.docker_layers = TANK_TRY(o.texts("Layers"));
      out.push_back(std::move(c));
    }
    return out;
  }

  result<image_record> add_oci(const candidate& c) {
    const auto text = TANK_TRY(read_blob(source_, *c.manifest, limits_.max_document));
    const auto document = TANK_TRY(parse_document(text, c.manifest->media_type, limits_));
    const auto& manifest = std::get<image_manifest>(document); // choose() saw that it is one
    const auto config = TANK_TRY(read_blob(source_, manifest.config, limits_.max_document));
    const auto settings = TANK_TRY(parse_settings(config, limits_));
    auto record = TANK_TRY(new_record(settings, manifest.layers, limits_));
    std::vector<ingest::wanted> layers;
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      const auto& blob = manifest.layers[i];
      layers.push_back({blob, record.layers[i].diff_id, opener(blob_path(blob.content)), {}});
    }
    TANK_TRY(add_layers(layers));
    record.manifest = TANK_TRY(session_.add_document(text, c.manifest->content));
    record.config_blob = TANK_TRY(session_.add_document(config, manifest.config.content));
    record.index = c.index;
    return record;
  }

  result<image_record> add_docker(const candidate& c) {
    const auto config = TANK_TRY(source_.read(c.docker_config, limits_.max_document));
    const auto settings = TANK_TRY(parse_settings(config, limits_));
    auto record = TANK_TRY(new_record(settings, c.docker_layers.size(), limits_));
    image_manifest manifest;
    std::vector<ingest::wanted> layers;
    for (std::size_t i = 0; i < c.docker_layers.size(); ++i)
      layers.push_back({{}, record.layers[i].diff_id, opener(c.docker_layers[i]), {}});
    const auto added = TANK_TRY(add_layers(layers));
    for (std::size_t i = 0; i < added.size(); ++i) {
      record.size += added[i].blob.size;
      record.layers[i].blob = added[i].blob.content;
      manifest.layers.push_back(added[i].blob);
    }
    record.config_blob = TANK_TRY(session_.add_document(config));
    manifest.config = {std::string{media::config}, record.config_blob, config.size(), {}, {}};
    record.manifest = TANK_TRY(session_.add_document(to_json(manifest)));
    return record;
  }

  result<std::vector<ingest::layer>> add_layers(std::span<const ingest::wanted> layers) {
    cancellation never;
    return session_.add_layers(layers, never, {.step = "load layer"});
  }

  [[nodiscard]] std::function<result<std::unique_ptr<byte_source>>(cancellation&)>
  opener(std::string path) const {
    return [this, path = std::move(path)](cancellation&) -> result<std::unique_ptr<byte_source>> {
      return TANK_TRY(source_.open(path))
      .bytes;
    };
  }

  const bundle& source_;
  ingest& session_;
  const unpack_limits& limits_;
  std::optional<error> last_;
};

result<std::vector<reference>> names_for(const candidate& c, const reference* given) {
  if (given != nullptr) {
    if (!given->digest.empty() && (!c.manifest || c.manifest->content.to_string() != given->digest))
      return fail(errc::invalid, "load image", given->to_string(), "its digest is another");
    auto name = *given;
    name.digest.clear();
    if (name.tag.empty()) name.tag = "latest";
    return std::vector{std::move(name)};
  }
  std::vector<reference> out;
  for (const auto& text : c.names) {
    auto name = TANK_TRY(parse_reference(text));
    if (!name.digest.empty())
      return fail(errc::invalid, "load image", text, "its name has a digest");
    out.push_back(std::move(name));
  }
  if (out.empty())
    return fail(errc::invalid, "load", "image", "the archive gives it no name", "give one");
  return out;
}

} // namespace

result<std::vector<image>> store::load(const std::filesystem::path& source, const reference* name,
                                       std::string_view ref) const {
  auto session = TANK_TRY(ingest::begin({root_}, options_));
  const auto opened = open_bundle(source, bundle_input::stream, options_.limits,
                                  [&session] { return session.make_directory(); });
  if (!opened) return wrap(opened.error(), "load", source);
  loader load{**opened, session, options_.limits};
  const auto found =
      load.find().and_then([&](std::vector<candidate> all) { return pick(std::move(all), ref); });
  if (!found) return wrap(found.error(), "load", source);
  if (found->empty()) return fail(errc::invalid, "load", source, "it holds no image");
  if (name != nullptr && found->size() > 1)
    return fail(errc::invalid, "load", source,
                "it holds " + std::to_string(found->size()) + " images, one name is not enough");
  // All are read and verified before the first becomes visible.
  std::vector<std::pair<image_record, std::vector<reference>>> read;
  std::size_t all = 0;
  for (const auto& c : *found) {
    auto names = TANK_TRY(names_for(c, name));
    if ((all += names.size()) > options_.limits.max_names)
      return fail(errc::limit, "load", source,
                  "more than " + std::to_string(options_.limits.max_names) + " names");
    auto record = load.add(c);
    if (!record) return wrap(std::move(record).error(), "load", source);
    read.emplace_back(*std::move(record), std::move(names));
  }
  std::vector<image> out;
  for (auto& [record, names] : read)
    for (const auto& n : names) {
      record.name = n.to_string();
      out.push_back(TANK_TRY(session.commit(record)));
    }
  return out;
}

namespace {

/// Of an image source that could not be brought. "Not found" and "invalid" are said of names of
/// images only: what is missing or wrong here is a file, which may be mended.
failure of_source(error why, const std::string& name) {
  if (why.code == errc::not_found) why.code = errc::unavailable;
  if (why.code == errc::invalid) why.code = errc::corrupt;
  return wrap(std::move(why), "load image", name);
}

result<image_record> record_from(const image_source& source, const std::string& name,
                                 ingest& session, const unpack_limits& limits) {
  const auto opened = TANK_TRY(open_bundle(source.path, bundle_input::file, limits,
                                           [&session] { return session.make_directory(); }));
  loader load{*opened, session, limits};
  auto all = TANK_TRY(load.find(source.kind));
  const auto found = TANK_TRY(pick(std::move(all), source.ref));
  if (found.size() != 1)
    return fail(errc::invalid, "find image", source.path,
                "it holds " + std::to_string(found.size()) + " images",
                found.empty() ? "" : "name one: " + name + ":REF");
  return load.add(found.front());
}

} // namespace

result<image> store::bring(std::string_view text) const {
  const auto source = TANK_TRY(parse_image_source(text));
  const auto name = source.to_string();
  // Taken before the reading: what changes meanwhile is read again next time.
  const auto stamp = stamp_of(source);
  if (const auto known = read_record({root_}, name);
      known && known->stamp == stamp && !stamp.empty())
    if (auto here = resolve(name)) return here;
  auto session = TANK_TRY(ingest::begin({root_}, options_));
  auto record = record_from(source, name, session, options_.limits);
  if (!record) return of_source(std::move(record).error(), name);
  record->name = name;
  record->stamp = stamp;
  auto done = session.commit(*std::move(record));
  if (!done) return of_source(std::move(done).error(), name);
  return done;
}

} // namespace tank::oci

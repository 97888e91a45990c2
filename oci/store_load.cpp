/// `tank image load`: OCI layouts and docker-save archives, as directories or as one tar.
#include "oci/store.hpp"

#include "base/file.hpp"
#include "oci/ingest.hpp"
#include "oci/json.hpp"
#include "oci/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace tank::oci {

namespace {

constexpr unsigned max_index_depth = 4;
constexpr std::size_t max_images = 1000;

/// A file of the source, opened below its directory whatever links lie there.
result<unique_fd> open_file(int source, const std::string& path, std::uint64_t* size = nullptr) {
  auto fd = TANK_TRY(open_in_root(source, path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "stat", printable(path));
  if (!S_ISREG(st.st_mode))
    return fail(errc::invalid, "read", printable(path), "not a regular file");
  if (size != nullptr) *size = static_cast<std::uint64_t>(st.st_size);
  return fd;
}

result<std::string> read_document(int source, const std::string& path, std::uint64_t limit) {
  const auto fd = TANK_TRY(open_file(source, path));
  return read_all(fd.get(), limit, printable(path));
}

std::string blob_path(const digest& d) {
  return "blobs/" + std::string{to_string(d.algorithm)} + "/" + d.hex;
}

/// A blob of an OCI layout, checked against who refers to it.
result<std::string> read_blob(int source, const descriptor& d, std::uint64_t limit) {
  const auto text = TANK_TRY(read_document(source, blob_path(d.content), limit));
  if (text.size() != d.size || digest_of(text, d.content.algorithm) != d.content)
    return fail(errc::corrupt, "verify", d.content.to_string(), "content or size is another");
  return text;
}

/// One image found in the source, not read yet.
struct candidate {
  std::vector<std::string> names; ///< as written there
  std::optional<descriptor> manifest;
  digest index;
  std::string docker_config; ///< docker-save: file names instead
  std::vector<std::string> docker_layers;
};

/// skopeo and others write only a tag there; that alone is no name.
std::vector<std::string> names_of(const descriptor& d) {
  for (const auto* key : {"io.containerd.image.name", "org.opencontainers.image.ref.name"})
    if (const auto it = d.annotations.find(key);
        it != d.annotations.end() && it->second.find_first_of("/:") != std::string::npos)
      return {it->second};
  return {};
}

class loader {
 public:
  loader(int source, ingest& session, const unpack_limits& limits)
      : source_(source)
      , session_(session)
      , limits_(limits) {}

  result<std::vector<candidate>> find() {
    // Newer docker-save archives hold both; the index is the standard one, with digests.
    if (const auto index = open_file(source_, "index.json")) return find_oci();
    if (const auto manifest = open_file(source_, "manifest.json")) return find_docker();
    return fail(errc::invalid, "load", "image", "there is neither index.json nor manifest.json",
                "an OCI layout or a docker-save archive is wanted; for a root file system "
                "use 'tank image import'");
  }

  result<image_record> add(const candidate& c) {
    auto record = TANK_TRY(c.manifest ? add_oci(c) : add_docker(c));
    if (to_json(record).size() > limits_.max_record)
      return fail(errc::limit, "load", "image",
                  "its config is larger than " + std::to_string(limits_.max_record) + " bytes");
    return record;
  }

 private:
  result<std::vector<candidate>> find_oci() {
    const auto text = TANK_TRY(read_document(source_, "index.json", limits_.max_document));
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
        return o.names == c.names;
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
    if (auto names = names_of(d); !names.empty()) c.names = std::move(names);
    return c;
  }

  result<std::vector<candidate>> find_docker() {
    const auto text = TANK_TRY(read_document(source_, "manifest.json", limits_.max_document));
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
    auto record = TANK_TRY(record_of(config, manifest.layers.size()));
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      const auto& blob = manifest.layers[i];
      record.size += blob.size;
      record.layers[i].blob = blob.content;
      const auto& diff_id = record.layers[i].diff_id;
      if (session_.knows(blob.content, diff_id)) continue;
      const auto path = blob_path(blob.content);
      file_source bytes {
        TANK_TRY(open_file(source_, path))
        , path
      };
      auto added = session_.add_layer(bytes, &blob, &diff_id);
      if (!added) return wrap(std::move(added).error(), "load layer", blob.content.to_string());
    }
    record.manifest = TANK_TRY(session_.add_document(text, c.manifest->content));
    record.config_blob = TANK_TRY(session_.add_document(config, manifest.config.content));
    record.index = c.index;
    return record;
  }

  result<image_record> add_docker(const candidate& c) {
    const auto config = TANK_TRY(read_document(source_, c.docker_config, limits_.max_document));
    auto record = TANK_TRY(record_of(config, c.docker_layers.size()));
    image_manifest manifest;
    for (std::size_t i = 0; i < c.docker_layers.size(); ++i) {
      const auto& path = c.docker_layers[i];
      file_source bytes {
        TANK_TRY(open_file(source_, path))
        , printable(path)
      };
      auto added = session_.add_layer(bytes, nullptr, &record.layers[i].diff_id);
      if (!added) return wrap(std::move(added).error(), "load layer", printable(path));
      record.size += added->blob.size;
      record.layers[i].blob = added->blob.content;
      manifest.layers.push_back(added->blob);
    }
    record.config_blob = TANK_TRY(session_.add_document(config));
    manifest.config = {std::string{media::config}, record.config_blob, config.size(), {}, {}};
    record.manifest = TANK_TRY(session_.add_document(to_json(manifest)));
    return record;
  }

  result<image_record> record_of(const std::string& config, std::size_t layers) const {
    auto settings = TANK_TRY(parse_settings(config, limits_));
    if (settings.diff_ids.size() != layers)
      return fail(errc::invalid, "load", "image",
                  "the manifest has " + std::to_string(layers) + " layers, its config " +
                      std::to_string(settings.diff_ids.size()));
    if (layers == 0) return fail(errc::unsupported, "load", "image", "it has no layers");
    image_record record;
    record.architecture = settings.target.architecture;
    record.created = settings.created;
    record.config = std::move(settings.config);
    for (auto& id : settings.diff_ids)
      record.layers.push_back({std::move(id), {}});
    return record;
  }

  int source_;
  ingest& session_;
  const unpack_limits& limits_;
  std::optional<error> last_;
};

/// The source as a directory: itself, or unpacked into the session.
result<unique_fd> open_source(const std::filesystem::path& source, ingest& session,
                              const unpack_limits& limits) {
  unique_fd fd{::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
  if (!fd) return fail_errno(errno, "open", source);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "stat", source);
  if (S_ISDIR(st.st_mode)) return fd;
  const auto directory = TANK_TRY(session.make_directory());
  unique_fd out{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!out) return fail_errno(errno, "open", directory);
  file_source raw{std::move(fd), source};
  decompressing_source plain{raw};
  measuring_source bounded{plain, digest_algorithm::sha256, limits.max_stream()};
  auto unpacked = unpack_tar(bounded, out.get(), {limits, true, false});
  if (!unpacked) return wrap(std::move(unpacked).error(), "load", source);
  return out;
}

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

result<std::vector<image>> store::load(const std::filesystem::path& source, const reference* name) {
  auto session = TANK_TRY(ingest::begin({root_}, options_));
  const auto directory = TANK_TRY(open_source(source, session, options_.limits));
  loader load{directory.get(), session, options_.limits};
  auto found = load.find();
  if (!found) return wrap(std::move(found).error(), "load", source);
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

} // namespace tank::oci

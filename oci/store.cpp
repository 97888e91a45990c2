#include "oci/store.hpp"

#include "base/file.hpp"
#include "oci/changes.hpp"
#include "oci/ingest.hpp"
#include "oci/store_gc.hpp"
#include "oci/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace tank::oci {

namespace {

constexpr std::string_view rootfs_prefix = "rootfs:";

result<image> resolve_directory(std::string_view name) {
  const std::filesystem::path path{name.substr(rootfs_prefix.size())};
  const auto bad = [&](std::string cause) {
    return fail(errc::invalid, "use image", std::string{name}, std::move(cause));
  };
  if (!path.is_absolute()) return bad("the directory is not absolute");
  if (std::find(path.begin(), path.end(), "..") != path.end()) return bad("it contains '..'");
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return fail_errno(errno, "use image", std::string{name});
  if (!S_ISDIR(st.st_mode)) return bad("not a directory");
  return image{std::string{name}, {}, {}, {path}};
}

} // namespace

store::store(std::filesystem::path root, store_options options)
    : root_(std::move(root))
    , options_(std::move(options)) {}

result<store> store::open(std::filesystem::path root, store_options options) {
  if (!root.is_absolute())
    return fail(errc::invalid, "open image store", root, "the path is not absolute");
  const store_layout layout{root};
  TANK_TRY(make_directories(root));
  for (const auto& path : {layout.blobs(), layout.blobs() / "sha256", layout.blobs() / "sha512",
                           layout.layers(), layout.records(), layout.refs(), layout.tmp()})
    TANK_TRY(make_directories(path));
  TANK_TRY(make_directories(layout.empty(), 0755));
  // Layers hold set-uid files and what images keep private: nobody else may look in, also when
  // somebody made the directory beforehand (SECURITY.md class 18).
  if (::chmod(root.c_str(), 0700) != 0) return fail_errno(errno, "chmod", root);
  TANK_TRY(sweep(layout, options));
  return store{std::move(root), std::move(options)};
}

result<image> store::import_rootfs(const std::filesystem::path& tar, const reference& name,
                                   const std::vector<std::string>& changes,
                                   std::string_view created) const {
  if (!name.digest.empty())
    return fail(errc::invalid, "import image", name.to_string(),
                "a new image's name has no digest");
  image_settings settings;
  settings.target = host_platform();
  settings.created = created;
  for (const auto& change : changes)
    TANK_TRY(apply_change(settings.config, change));
  unique_fd file{::open(tar.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
  if (!file) return fail_errno(errno, "open", tar);
  struct stat st {};
  if (::fstat(file.get(), &st) != 0) return fail_errno(errno, "stat", tar);
  if (S_ISDIR(st.st_mode))
    return fail(errc::invalid, "import", tar, "it is a directory, not a tar");
  file_source bytes{std::move(file), tar};
  auto session = TANK_TRY(ingest::begin({root_}, options_));
  auto added = session.add_layer(bytes, nullptr, nullptr);
  if (!added) return wrap(std::move(added).error(), "import", tar);
  settings.diff_ids = {added->diff_id};
  const auto config = to_json(settings, "tank image import");
  image_manifest manifest;
  manifest.config.media_type = media::config;
  manifest.config.content = TANK_TRY(session.add_document(config));
  manifest.config.size = config.size();
  manifest.layers = {added->blob};
  image_record record;
  record.name = name.to_string();
  record.manifest = TANK_TRY(session.add_document(to_json(manifest)));
  record.config_blob = manifest.config.content;
  record.architecture = settings.target.architecture;
  record.created = created;
  record.size = added->blob.size;
  record.config = settings.config;
  record.layers = {{added->diff_id, added->blob.content}};
  return session.commit(std::move(record));
}

result<image> store::resolve(std::string_view name) const {
  if (name.starts_with(rootfs_prefix)) return resolve_directory(name);
  const store_layout layout{root_};
  const auto record = TANK_TRY(find_named(layout, name));
  auto found = image_of(layout, record);
  const auto here = [](const std::filesystem::path& path) {
    return ::faccessat(AT_FDCWD, path.c_str(), F_OK, 0) == 0;
  };
  for (const auto& id : record.directories()) {
    if (!here(layout.layer(id)) || !here(layout.record(id)))
      return fail(errc::corrupt, "use image", record.name,
                  "its layer " + layout.layer(id).string() + " is gone or damaged",
                  "import, load or pull it again");
  }
  // Best effort: it only tells which images were not wanted for long.
  ::utimensat(AT_FDCWD, layout.ref(record.name).c_str(), nullptr, 0);
  return found;
}

result<std::vector<image_summary>> store::list() const {
  std::vector<image_summary> out;
  for (auto& r : TANK_TRY(read_records({root_})))
    out.push_back({std::move(r.name), r.manifest.to_string(), std::move(r.architecture),
                   std::move(r.created), r.size});
  return out;
}

result<image_details> store::inspect(std::string_view name) const {
  const store_layout layout{root_};
  auto r = TANK_TRY(find_named(layout, name));
  image_details out;
  out.summary = {r.name, r.manifest.to_string(), r.architecture, r.created, r.size};
  out.index_digest = r.index.empty() ? "" : r.index.to_string();
  out.config_digest = r.config_blob.to_string();
  out.config = std::move(r.config);
  out.directories = image_of(layout, r).layers;
  for (const auto& l : r.layers) {
    image_details::layer row{l.diff_id.to_string(),      l.blob.to_string(), 0, 0, 0,
                             layout.layer(l.directory())};
    struct stat st {};
    if (::stat(layout.blob(l.blob).c_str(), &st) == 0)
      row.blob_size = static_cast<std::uint64_t>(st.st_size);
    if (const auto facts = read_facts(layout, l.diff_id)) {
      row.entries = facts->entries;
      row.bytes = facts->bytes;
    }
    out.layers.push_back(std::move(row));
  }
  return out;
}

unsigned store_options::parallel() const {
  if (parallel_layers != 0) return parallel_layers;
  return std::clamp(std::thread::hardware_concurrency(), 2u, 4u);
}

result<std::string> boot_of(const store_options& options) {
  if (!options.boot_id.empty()) return options.boot_id;
  auto id = TANK_TRY(read_file("/proc/sys/kernel/random/boot_id", 100));
  while (!id.empty() && id.back() == '\n')
    id.pop_back();
  return id;
}

} // namespace tank::oci

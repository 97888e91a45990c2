#include "oci/store.hpp"

#include "base/file.hpp"
#include "base/remove_tree.hpp"
#include "oci/changes.hpp"
#include "oci/ingest.hpp"
#include "oci/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tank::oci {

namespace {

constexpr std::string_view rootfs_prefix = "rootfs:";

result<unique_fd> open_directory(const std::filesystem::path& path) {
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) return fail_errno(errno, "open", path);
  return fd;
}

result<std::vector<std::string>> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> out;
  std::error_code ec;
  for (std::filesystem::directory_iterator at{directory, ec}, end; !ec && at != end;
       at.increment(ec))
    out.push_back(at->path().filename().string());
  if (ec) return fail_errno(ec.value(), "read", directory);
  return out;
}

/// What a crash left. Only who holds the lock alone knows that nobody works there.
result<void> sweep(const store_layout& layout) {
  const auto lock = TANK_TRY(lock_store(layout, LOCK_EX, false));
  if (!lock) return {};
  const auto tmp = TANK_TRY(open_directory(layout.tmp()));
  // What does not go now is met again at the next open; it must not keep the images from use.
  for (const auto& name : TANK_TRY(names_in(layout.tmp())))
    (void)remove_tree(tmp.get(), name);
  const auto refs = TANK_TRY(open_directory(layout.refs()));
  for (const auto& name : TANK_TRY(names_in(layout.refs())))
    if (name.starts_with('.')) (void)remove_tree(refs.get(), name);
  return {};
}

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

/// Removes what no record needs any more. The caller holds the lock alone.
result<void> collect(const store_layout& layout, const std::vector<std::filesystem::path>& in_use) {
  std::set<std::filesystem::path> needed{in_use.begin(), in_use.end()};
  for (const auto& record : TANK_TRY(read_records(layout))) {
    needed.insert({layout.blob(record.manifest), layout.blob(record.config_blob)});
    if (!record.index.empty()) needed.insert(layout.blob(record.index));
    for (const auto& l : record.layers)
      needed.insert({layout.blob(l.blob), layout.layer(l.diff_id)});
  }
  for (const auto* algorithm : {"sha256", "sha512"}) {
    const auto directory = layout.blobs() / algorithm;
    for (const auto& name : TANK_TRY(names_in(directory)))
      if (!needed.contains(directory / name) && ::unlink((directory / name).c_str()) != 0)
        return fail_errno(errno, "remove", directory / name);
  }
  const auto tmp = TANK_TRY(open_directory(layout.tmp()));
  for (const auto& name : TANK_TRY(names_in(layout.layers()))) {
    const auto path = layout.layers() / name;
    if (needed.contains(path)) continue;
    // Gone at once under its name, so that a crash leaves no half layer to be taken for a whole.
    if (::rename(path.c_str(), (layout.tmp() / name).c_str()) != 0)
      return fail_errno(errno, "remove", path);
    TANK_TRY(remove_tree(tmp.get(), name));
  }
  return {};
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
                           layout.layers(), layout.refs(), layout.tmp()})
    TANK_TRY(make_directories(path));
  // Layers hold set-uid files and what images keep private: nobody else may look in, also when
  // somebody made the directory beforehand (SECURITY 18).
  if (::chmod(root.c_str(), 0700) != 0) return fail_errno(errno, "chmod", root);
  TANK_TRY(sweep(layout));
  return store{std::move(root), std::move(options)};
}

result<image> store::import_rootfs(const std::filesystem::path& tar, const reference& name,
                                   const std::vector<std::string>& changes,
                                   std::string_view created) {
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
  const auto wanted = TANK_TRY(parse_reference(name));
  const auto record = TANK_TRY(find_record(layout, wanted));
  auto found = image_of(layout, record);
  for (const auto& path : found.layers)
    if (::faccessat(AT_FDCWD, path.c_str(), F_OK, 0) != 0)
      return fail(errc::corrupt, "use image", record.name,
                  "its layer " + path.string() + " is gone", "import or load it again");
  return found;
}

result<std::vector<image_summary>> store::list() const {
  std::vector<image_summary> out;
  for (auto& r : TANK_TRY(read_records({root_})))
    out.push_back({std::move(r.name), r.manifest.to_string(), std::move(r.architecture),
                   std::move(r.created), r.size});
  return out;
}

result<void> store::remove(const reference& name,
                           const std::vector<std::filesystem::path>& in_use) {
  const store_layout layout{root_};
  const auto lock = TANK_TRY(lock_store(layout, LOCK_EX, true));
  const auto record = find_record(layout, name);
  // Also one that cannot be read goes by its name: nothing else would ever get rid of it.
  if (!record && (record.error().code == errc::not_found || !name.digest.empty()))
    return tl::make_unexpected(record.error());
  const auto known = record ? record->name : name.to_string();
  if (::unlink(layout.ref(known).c_str()) != 0) return fail_errno(errno, "remove", known);
  return collect(layout, in_use);
}

} // namespace tank::oci

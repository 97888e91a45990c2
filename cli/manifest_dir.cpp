#include "cli/manifest_dir.hpp"

#include "base/file.hpp"
#include "config/encode.hpp"
#include "config/pod.hpp"
#include "pod/manifest_set.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace tank::cli {
namespace {

namespace fs = std::filesystem;

bool is_manifest(const std::string& name) {
  return !name.starts_with(".") &&
         (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

std::string key_of(const config::object_meta& meta) {
  return meta.ns + "/" + meta.name;
}

/// One object of a manifest, as far as files go.
struct object {
  std::string key;
  std::string hash; ///< of its content
  std::string text; ///< normalised
  fs::path file;    ///< of its own
};

fs::path own_file(const std::string& prefix, const config::object_meta& m) {
  return prefix + (m.ns == "default" ? m.name : m.ns + "." + m.name) + ".yaml";
}

template <class Object>
object document(const std::string& kind, const Object& of) {
  auto text = config::to_json(of) + "\n";
  return {kind + "/" + key_of(of.metadata), text, text, own_file(kind + ".", of.metadata)};
}

std::vector<object> objects_of(const config::manifest& parsed) {
  std::vector<object> out;
  for (const auto& o : parsed.config_maps)
    out.push_back(document("configmap", o));
  for (const auto& o : parsed.secrets)
    out.push_back(document("secret", o));
  for (const auto& o : parsed.claims)
    out.push_back(document("pvc", o));
  for (const auto& doc : parsed.pods) {
    if (doc.pod.metadata.name.empty()) continue;
    out.push_back({key_of(doc.pod.metadata), doc.valid() ? config::content_hash(doc.pod) : "",
                   config::to_json(doc.pod) + "\n", own_file("", doc.pod.metadata)});
  }
  return out;
}

const held_file* holder(const std::vector<held_file>& files, const std::string& key) {
  for (const auto& file : files)
    if (std::find(file.keys.begin(), file.keys.end(), key) != file.keys.end()) return &file;
  return nullptr;
}

std::string others(const held_file& file, const std::set<std::string>& but) {
  std::string text;
  for (const auto& key : file.keys)
    if (!but.contains(key)) text += (text.empty() ? "" : ", ") + spoken(key);
  return text;
}

result<apply_outcome> plan_one(const fs::path& dir, const std::vector<held_file>& files,
                               const object& wanted) {
  const auto& key = wanted.key;
  apply_outcome outcome{key, applied::created, dir / wanted.file};
  const auto* held = holder(files, key);
  if (held == nullptr) {
    for (const auto& file : files)
      if (file.path == outcome.file && !file.keys.empty())
        return fail(errc::conflict, "apply", spoken(key),
                    file.path.string() + " holds " + others(file, {}), "rename that file");
    return outcome;
  }
  outcome.file = held->path;
  const auto at = std::find(held->keys.begin(), held->keys.end(), key) - held->keys.begin();
  if (held->hashes[static_cast<std::size_t>(at)] == wanted.hash) {
    outcome.what = applied::unchanged;
    return outcome;
  }
  if (held->keys.size() > 1)
    return fail(errc::conflict, "apply", spoken(key),
                held->path.string() + " holds it together with " + others(*held, {key}),
                "edit that file");
  outcome.what = applied::updated;
  return outcome;
}

/// By way of the name that tells the daemon of a removal: a file that is only missing may come back,
/// so that it waits for it.
result<void> remove_durably(const fs::path& path) {
  const auto marked = path.parent_path() / removal_mark(path.filename().string());
  const bool told = ::rename(path.c_str(), marked.c_str()) == 0;
  // The mark of a very long name is too long. Such a file goes without.
  if (!told && errno != ENOENT && errno != ENAMETOOLONG)
    return fail_errno(errno, "delete", path.string());
  if (::unlink(told ? marked.c_str() : path.c_str()) != 0 && errno != ENOENT) {
    const int sys = errno;
    if (told) (void)::rename(marked.c_str(), path.c_str()); // what cannot go stays what it was
    return fail_errno(sys, "delete", path.string());
  }
  const unique_fd dir{::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!dir || ::fsync(dir.get()) != 0)
    return fail_errno(errno, "sync", path.parent_path().string());
  return {};
}

} // namespace

std::vector<std::string> keys_of(const config::manifest& parsed) {
  std::vector<std::string> out;
  for (auto& o : objects_of(parsed))
    out.push_back(std::move(o.key));
  return out;
}

std::string spoken(const std::string& key) {
  const auto slash = key.find('/');
  const bool pod = key.find('/', slash + 1) == std::string::npos;
  const auto kind = pod ? std::string{"pod"} : key.substr(0, slash);
  const auto name = pod ? key : key.substr(slash + 1);
  return kind + "/" + (name.starts_with("default/") ? name.substr(8) : name);
}

result<std::vector<fs::path>> manifest_files(const fs::path& dir) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (fs::directory_iterator it{dir, ec}, end; !ec && it != end; it.increment(ec))
    if (is_manifest(it->path().filename().string())) out.push_back(it->path());
  if (ec && ec != std::errc::no_such_file_or_directory)
    return fail_errno(ec.value(), "read", dir.string());
  std::sort(out.begin(), out.end());
  return out;
}

result<std::vector<held_file>> list_manifests(const fs::path& dir) {
  std::vector<held_file> files;
  for (auto& path : TANK_TRY(manifest_files(dir)))
    files.push_back({std::move(path), {}, {}});
  for (auto& file : files) {
    const auto text = read_file(file.path, config::manifest_limits{}.max_bytes);
    if (!text) continue;
    for (auto& o : objects_of(config::parse_manifest(*text))) {
      file.keys.push_back(std::move(o.key));
      file.hashes.push_back(std::move(o.hash));
    }
  }
  return files;
}

result<std::vector<apply_outcome>> apply_manifest(const fs::path& dir, std::string_view text,
                                                  const config::manifest& parsed) {
  const auto files = TANK_TRY(list_manifests(dir));
  const auto objects = objects_of(parsed);
  std::vector<apply_outcome> outcomes;
  for (const auto& o : objects)
    outcomes.push_back(TANK_TRY(plan_one(dir, files, o)));
  TANK_TRY(make_directories(dir, 0755));
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].what == applied::unchanged) continue;
    TANK_TRY(
        write_file_atomic(outcomes[i].file, objects.size() == 1 ? text : objects[i].text, 0600));
  }
  return outcomes;
}

/// Whether the key can go; and `file`, with which it does.
static delete_outcome judge(const fs::path& dir, const std::vector<held_file>& files,
                            const std::string& key, const std::set<std::string>& doomed,
                            const kept_by& kept, fs::path& file) {
  delete_outcome out{key, {}, {}};
  const auto* held = holder(files, key);
  std::optional<held_file> broken;
  if (held == nullptr && kept) broken = kept(key);
  if (broken) {
    // Only what cannot be read: a file that can, and has it no more, is not what keeps the pod.
    const auto there = std::find_if(files.begin(), files.end(), [&](const auto& known) {
      return known.path == broken->path && known.keys.empty();
    });
    if (there != files.end()) held = &*broken;
  }
  if (held == nullptr) {
    out.why = fail(errc::not_found, "delete", spoken(key),
                   "no manifest in " + dir.string() + " has it", "see: tank get files")
                  .value();
  } else if (const auto rest = others(*held, doomed); !rest.empty()) {
    out.why = fail(errc::conflict, "delete", spoken(key),
                   held->path.string() + " also holds " + rest, "edit that file")
                  .value();
  } else {
    file = held->path;
    if (broken) out.broken = held->path;
  }
  return out;
}

result<std::vector<delete_outcome>>
delete_manifests(const fs::path& dir, const std::vector<std::string>& keys, const kept_by& kept) {
  const auto files = TANK_TRY(list_manifests(dir));
  const std::set<std::string> doomed{keys.begin(), keys.end()};
  std::map<fs::path, std::vector<std::size_t>> going; // with the outcomes of what they hold
  std::vector<delete_outcome> out;
  for (const auto& key : doomed) {
    fs::path file;
    out.push_back(judge(dir, files, key, doomed, kept, file));
    if (!file.empty()) going[file].push_back(out.size() - 1);
  }
  for (const auto& [path, outcomes] : going)
    if (const auto removed = remove_durably(path); !removed)
      for (const auto at : outcomes)
        out[at].why = removed.error();
  return out;
}

} // namespace tank::cli

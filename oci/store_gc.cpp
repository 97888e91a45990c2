#include "oci/store_gc.hpp"

#include "base/file.hpp"
#include "base/remove_tree.hpp"
#include "oci/ingest.hpp"
#include "oci/stream.hpp"
#include "oci/survey.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <tuple>
#include <unistd.h>

namespace tank::oci {

namespace {

namespace fs = std::filesystem;

result<unique_fd> open_dir(const fs::path& path) {
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) return fail_errno(errno, "open", path);
  return fd;
}

result<std::vector<std::string>> names_in(const fs::path& directory) {
  std::vector<std::string> out;
  std::error_code ec;
  for (fs::directory_iterator at{directory, ec}, end; !ec && at != end; at.increment(ec))
    out.push_back(at->path().filename().string());
  if (ec) return fail_errno(ec.value(), "read", directory);
  return out;
}

std::set<fs::path> used_now(const store_options& options) {
  if (!options.in_use) return {};
  const auto paths = options.in_use();
  return {paths.begin(), paths.end()};
}

/// What may stay: reached from a name, or under a pod.
struct reachable {
  std::set<fs::path> blobs;
  std::set<fs::path> layers;
};

reachable reach(const store_layout& layout, const std::vector<image_record>& records,
                const std::set<fs::path>& in_use) {
  reachable out{{}, in_use};
  for (const auto& r : records) {
    out.blobs.insert({layout.blob(r.manifest), layout.blob(r.config_blob)});
    if (!r.index.empty()) out.blobs.insert(layout.blob(r.index));
    for (const auto& l : r.layers) {
      out.blobs.insert(layout.blob(l.blob));
      out.layers.insert({layout.layer(l.diff_id), layout.layer(l.directory())});
    }
    if (!r.dressing.empty()) out.layers.insert(layout.layer(r.dressing));
  }
  return out;
}

/// Removes what is not reachable. The caller holds the lock alone.
class collector {
 public:
  collector(const store_layout& layout, const std::set<fs::path>& in_use)
      : layout_(layout)
      , in_use_(in_use) {}

  result<void> run(prune_report& report) {
    const auto keep = reach(layout_, TANK_TRY(read_records(layout_)), in_use_);
    for (const auto* algorithm : {"sha256", "sha512"})
      TANK_TRY(blobs(layout_.blobs() / algorithm, keep.blobs, report));
    for (const auto& name : TANK_TRY(names_in(layout_.records())))
      if (const auto layer = layout_.layers() / fs::path{name}.stem(); !keep.layers.contains(layer))
        TANK_TRY(record(layout_.records() / name, report));
    const auto tmp = TANK_TRY(open_dir(layout_.tmp()));
    for (const auto& name : TANK_TRY(names_in(layout_.layers())))
      if (!keep.layers.contains(layout_.layers() / name)) TANK_TRY(layer(tmp.get(), name, report));
    return {};
  }

 private:
  static result<void> blobs(const fs::path& directory, const std::set<fs::path>& keep,
                            prune_report& report) {
    for (const auto& name : TANK_TRY(names_in(directory))) {
      const auto path = directory / name;
      if (keep.contains(path)) continue;
      struct stat st {};
      if (::lstat(path.c_str(), &st) == 0) report.bytes += static_cast<std::uint64_t>(st.st_size);
      if (::unlink(path.c_str()) != 0) return fail_errno(errno, "remove", path);
      ++report.blobs;
    }
    return {};
  }

  /// Before its directory: a crash between leaves a layer that counts as none.
  result<void> record(const fs::path& path, prune_report& report) {
    const auto stem = path.stem().string();
    const auto dash = stem.find('-');
    if (dash != std::string::npos)
      if (const auto id = parse_digest(stem.substr(0, dash) + ":" + stem.substr(dash + 1)))
        if (const auto facts = read_facts(layout_, *id)) report.bytes += facts->bytes;
    if (::unlink(path.c_str()) != 0) return fail_errno(errno, "remove", path);
    return {};
  }

  result<void> layer(int tmp, const std::string& name, prune_report& report) {
    const auto path = layout_.layers() / name;
    // Gone at once under its name, so that a crash leaves no half layer to be taken for a whole.
    if (::rename(path.c_str(), (layout_.tmp() / name).c_str()) != 0)
      return fail_errno(errno, "remove", path);
    ++report.layers;
    return remove_tree(tmp, name);
  }

  const store_layout& layout_;
  const std::set<fs::path>& in_use_;
};

std::vector<eviction_candidate> candidates(const store_layout& layout,
                                           const std::vector<image_record>& records) {
  std::vector<eviction_candidate> out;
  for (const auto& r : records) {
    eviction_candidate c{r.name, 0, image_of(layout, r).layers, r.pulled};
    struct stat st {};
    if (::stat(layout.ref(r.name).c_str(), &st) == 0)
      c.last_asked_ns = std::int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec;
    out.push_back(std::move(c));
  }
  return out;
}

/// The names that may go, in order.
result<std::vector<std::string>> unused_names(const store_layout& layout,
                                              const store_options& options, eviction_rules stay) {
  const auto records = TANK_TRY(read_records(layout));
  if (options.named_by_manifests) {
    const auto texts = options.named_by_manifests();
    if (!texts) return wrap(texts.error(), "find unused images in", layout.root);
    stay.named = meant_by(*texts, records);
  }
  return eviction_order(candidates(layout, records), stay);
}

result<void> drop_name(const store_layout& layout, const std::string& name, prune_report& report) {
  if (::unlink(layout.ref(name).c_str()) != 0 && errno != ENOENT)
    return fail_errno(errno, "remove", name);
  report.images.push_back(name);
  return {};
}

unsigned percent_used(const fs::path& root) {
  struct statvfs v {};
  if (::statvfs(root.c_str(), &v) != 0 || v.f_blocks == 0) return 0;
  // As df: of what an ordinary process could have.
  const auto used = v.f_blocks - v.f_bfree;
  return static_cast<unsigned>((used * 100 + used + v.f_bavail - 1) / (used + v.f_bavail));
}

/// Layers of another boot that no name vouches for: their content may never have been flushed.
result<void> drop_unflushed(const store_layout& layout, const store_options& options) {
  const auto boot = TANK_TRY(boot_of(options));
  if (const auto last = read_file(layout.root / "boot", 100); last && *last == boot) return {};
  prune_report report;
  TANK_TRY(collector(layout, used_now(options)).run(report));
  return write_file_atomic(layout.root / "boot", boot, 0600);
}

} // namespace

result<void> sweep(const store_layout& layout, const store_options& options) {
  const auto lock = TANK_TRY(lock_store(layout, LOCK_EX, false));
  if (!lock) return {};
  const auto tmp = TANK_TRY(open_dir(layout.tmp()));
  // What does not go now is met again at the next open; it must not keep the images from use.
  for (const auto& name : TANK_TRY(names_in(layout.tmp())))
    (void)remove_tree(tmp.get(), name);
  const auto refs = TANK_TRY(open_dir(layout.refs()));
  for (const auto& name : TANK_TRY(names_in(layout.refs())))
    if (name.starts_with('.')) (void)remove_tree(refs.get(), name);
  (void)drop_unflushed(layout, options); // a record that cannot be read stops it, and nothing else
  return {};
}

std::vector<std::string> eviction_order(std::vector<eviction_candidate> images,
                                        const eviction_rules& stay) {
  std::erase_if(images, [&](const eviction_candidate& c) {
    return c.last_asked_ns >= stay.asked_since_ns || stay.named.contains(c.name) ||
           (stay.only_copies && !c.replaceable) ||
           std::any_of(c.layers.begin(), c.layers.end(),
                       [&](const fs::path& l) { return stay.in_use.contains(l); });
  });
  std::sort(images.begin(), images.end(), [](const auto& a, const auto& b) {
    return std::tie(a.last_asked_ns, a.name) < std::tie(b.last_asked_ns, b.name);
  });
  std::vector<std::string> out;
  for (auto& c : images)
    out.push_back(std::move(c.name));
  return out;
}

std::set<std::string> meant_by(const std::vector<std::string>& texts,
                               const std::vector<image_record>& records) {
  std::set<std::string> out;
  for (const auto& text : texts) {
    if (const auto name = canonical_name(text)) out.insert(*name);
    const auto wanted = parse_reference(text);
    if (!wanted || wanted->digest.empty()) continue;
    const auto content = parse_digest(wanted->digest);
    for (const auto& r : records)
      if (content && (r.manifest == *content || r.index == *content)) out.insert(r.name);
  }
  return out;
}

result<prune_report> store::remove(std::string_view name) const {
  const store_layout layout{root_};
  const auto record = find_named(layout, name);
  prune_report report;
  if (record) {
    TANK_TRY(drop_name(layout, record->name, report));
  } else {
    // Also one that cannot be read goes by its name: nothing else would ever get rid of it.
    const auto key = TANK_TRY(canonical_name(name));
    if (record.error().code == errc::not_found || key.find('@') != std::string::npos)
      return tl::make_unexpected(record.error());
    TANK_TRY(drop_name(layout, key, report));
  }
  const auto lock = TANK_TRY(lock_store(layout, LOCK_EX, false));
  report.deferred = !lock;
  if (lock) TANK_TRY(collector(layout, used_now(options_)).run(report));
  return report;
}

result<prune_report> store::prune(bool unused) const {
  const store_layout layout{root_};
  const auto lock = TANK_TRY(lock_store(layout, LOCK_EX, true));
  const auto in_use = used_now(options_);
  prune_report report;
  if (unused)
    for (const auto& name : TANK_TRY(unused_names(layout, options_, {.in_use = in_use})))
      TANK_TRY(drop_name(layout, name, report));
  TANK_TRY(collector(layout, in_use).run(report));
  return report;
}

result<prune_report> store::relieve(const watermarks& marks,
                                    const std::function<unsigned()>& used_percent,
                                    std::int64_t spare_asked_since_ns) const {
  const store_layout layout{root_};
  const auto used = [&] { return used_percent ? used_percent() : percent_used(root_); };
  prune_report report;
  if (used() <= marks.high) return report;
  const auto lock = TANK_TRY(lock_store(layout, LOCK_EX, false));
  report.deferred = !lock;
  if (!lock) return report;
  const auto in_use = used_now(options_);
  TANK_TRY(collector(layout, in_use).run(report));
  // That may have been enough. Then a manifest that cannot be read stands in nobody's way.
  if (used() <= marks.low) return report;
  const auto order = TANK_TRY(unused_names(
      layout, options_,
      {.in_use = in_use, .asked_since_ns = spare_asked_since_ns, .only_copies = true}));
  for (const auto& name : order) {
    if (used() <= marks.low) break;
    TANK_TRY(drop_name(layout, name, report));
    TANK_TRY(collector(layout, in_use).run(report));
  }
  return report;
}

namespace {

result<digest> digest_of_file(const fs::path& path, digest_algorithm algorithm) {
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd) return fail_errno(errno, "open", path);
  file_source bytes{std::move(fd), path};
  return measuring_source{bytes, algorithm, UINT64_MAX}.finish();
}

std::string blob_damage(const fs::path& path, const digest& content, bool contents) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) return errno_text(errno);
  if (!contents) return {};
  const auto found = digest_of_file(path, content.algorithm);
  if (!found) return found.error().message();
  return *found == content ? "" : "its content is " + found->to_string();
}

/// Whether that blob is what the layer was made of: as was seen when it was made, else by
/// unpacking.
std::string origin_damage(const store_layout& layout, const layer_record& l,
                          const expansion_limits& limits) {
  const auto facts = read_facts(layout, l.diff_id);
  const auto made = [&](const auto& form) { return form.content == l.blob; };
  if (!facts || std::any_of(facts->blobs.begin(), facts->blobs.end(), made)) return {};
  const auto path = layout.blob(l.blob);
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd) return {}; // told of the blob
  file_source raw{std::move(fd), path};
  decompressing_source plain{raw, limits};
  const auto found = measuring_source{plain, l.diff_id.algorithm, UINT64_MAX}.finish();
  if (!found) return found.error().message();
  return *found == l.diff_id ? "" : "it unpacks to " + found->to_string();
}

std::string layer_damage(const store_layout& layout, const digest& diff_id) {
  const auto facts = read_facts(layout, diff_id);
  if (!facts) return facts.error().message();
  const auto fd = open_dir(layout.layer(diff_id));
  if (!fd) return fd.error().message();
  const auto now = survey_tree(fd->get());
  if (!now) return now.error().message();
  if (now->fingerprint == facts->tree) return {};
  return now->entries == facts->entries ? "something in it was changed"
                                        : "it had " + std::to_string(facts->entries) +
                                              " entries, now " + std::to_string(now->entries);
}

} // namespace

result<std::vector<damage>> store::verify(bool contents) const {
  const store_layout layout{root_};
  const auto lock = TANK_TRY(lock_store(layout, LOCK_EX, true));
  std::vector<damage> out;
  std::map<std::string, std::string> seen; ///< object -> what is wrong with it
  const auto look = [&](const std::string& image, std::string object, const auto& check,
                        const fs::path& certificate) {
    const auto [it, fresh] = seen.try_emplace(std::move(object));
    if (fresh) it->second = check();
    if (it->second.empty()) return;
    out.push_back({image, it->first, it->second});
    ::unlink(certificate.c_str()); // so that it counts as missing, and is brought again
  };
  for (const auto& r : TANK_TRY(read_records(layout))) {
    const auto blob = [&](const digest& content) {
      const auto path = layout.blob(content);
      look(
          r.name, "blob " + content.to_string(),
          [&] { return blob_damage(path, content, contents); }, path);
    };
    const auto layer = [&](const digest& id) {
      look(
          r.name, "layer " + id.to_string(), [&] { return layer_damage(layout, id); },
          layout.record(id));
    };
    blob(r.manifest);
    if (!r.index.empty()) blob(r.index);
    blob(r.config_blob);
    for (const auto& l : r.layers) {
      blob(l.blob);
      layer(l.diff_id);
      look(
          r.name, "blob " + l.blob.to_string() + " as layer " + l.diff_id.to_string(),
          [&] { return origin_damage(layout, l, options_.limits.expansion); }, layout.ref(r.name));
      if (!l.laid.empty()) layer(l.laid);
    }
    if (!r.dressing.empty()) layer(r.dressing);
  }
  return out;
}

} // namespace tank::oci

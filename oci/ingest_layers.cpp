/// The layers of an ingest: streamed, verified, unpacked and published.
#include "base/file.hpp"
#include "base/remove_tree.hpp"
#include "oci/ingest_session.hpp"
#include "oci/prefetch.hpp"
#include "oci/survey.hpp"
#include "oci/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tank::oci {

namespace {

failure mismatch(const char* what, const std::string& expected, const std::string& found) {
  return fail(errc::corrupt, "verify", expected, std::string{what} + " is " + found);
}

failure cancelled() {
  return fail(errc::cancelled, "add", "layer", "nobody wants it any more");
}

/// Ends a stream that nobody wants any more.
class stoppable_source final : public byte_source {
 public:
  stoppable_source(byte_source& inner, const cancellation& stop) : inner_(inner), stop_(stop) {}
  result<std::span<const std::byte>> next() override {
    if (stop_.cancelled()) return cancelled();
    return inner_.next();
  }

 private:
  byte_source& inner_;
  const cancellation& stop_;
};

bool has_size(const std::filesystem::path& path, std::uint64_t size) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) &&
         static_cast<std::uint64_t>(st.st_size) == size;
}

std::string_view type_of(compression kind) {
  return kind == compression::gzip   ? media::layer_gzip
         : kind == compression::zstd ? media::layer_zstd
                                     : media::layer;
}

} // namespace

/// The layer when its directory is as it was made. Looks at it once per session.
std::optional<layer_facts> ingest::whole_layer(const digest& diff_id) const {
  {
    const std::lock_guard lock{s_->mutex};
    if (const auto it = s_->whole.find(diff_id); it != s_->whole.end()) return it->second;
  }
  auto facts = read_facts(s_->layout, diff_id);
  if (!facts) return {};
  {
    const std::lock_guard lock{s_->mutex};
    if (facts->boot != s_->boot && !s_->referenced.contains(diff_id)) return {};
  }
  const auto fd = open_directory(s_->layout.layer(diff_id));
  if (!fd) return {};
  const auto now = survey_tree(fd->get());
  if (!now || now->fingerprint != facts->tree) return {};
  const std::lock_guard lock{s_->mutex};
  s_->whole.emplace(diff_id, *facts);
  return *std::move(facts);
}

std::optional<ingest::layer> ingest::find(const descriptor* blob, const digest& diff_id) const {
  const auto facts = whole_layer(diff_id);
  if (!facts) return {};
  // Unnamed blobs are those of docker archives: plain tars.
  const auto& content = blob != nullptr ? blob->content : diff_id;
  for (const auto& form : facts->blobs) {
    if (form.content != content || !has_size(s_->layout.blob(content), form.size)) continue;
    layer out;
    out.diff_id = diff_id;
    if (blob != nullptr)
      out.blob = *blob;
    else
      out.blob = {std::string{media::layer}, content, form.size, {}, {}};
    return out;
  }
  return {};
}

bool ingest::knows(const digest& blob, const digest& diff_id) const {
  descriptor named;
  named.content = blob;
  return find(&named, diff_id).has_value();
}

result<unpack_report> ingest::unpack(byte_source& tar, const std::filesystem::path& where,
                                     unpack_options how) const {
  const auto fd = TANK_TRY(open_directory(where));
  // The root of a container's file system, unless the archive says otherwise.
  if (::fchmod(fd.get(), 0755) != 0) return fail_errno(errno, "chmod", where);
  how.limits = s_->options.limits;
  how.rootless = s_->options.rootless.value_or(::geteuid() != 0);
  return unpack_tar(tar, fd.get(), how);
}

/// One pass: bytes -> blob file and its digest -> decompressed | -> diff_id -> unpacked, the two
/// halves on two threads.
result<ingest::layer> ingest::read(byte_source& bytes, const descriptor* blob,
                                   const digest* diff_id, unpack_budget& spent) {
  const auto& limits = s_->options.limits;
  const auto blob_path = s_->fresh('b');
  const unique_fd file{
      ::open(blob_path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return fail_errno(errno, "create", blob_path);
  measuring_source raw{bytes, blob != nullptr ? blob->content.algorithm : digest_algorithm::sha256,
                       blob != nullptr ? blob->size : limits.max_stream(), file.get()};
  decompressing_source plain{raw, limits.expansion, &spent.expansion};
  layer out;
  std::filesystem::path tree;
  {
    prefetching_source ahead{plain};
    measuring_source tar{ahead, diff_id != nullptr ? diff_id->algorithm : digest_algorithm::sha256,
                         limits.max_stream()};
    if (diff_id == nullptr || !whole_layer(*diff_id)) {
      tree = TANK_TRY(make_directory());
      out.report = TANK_TRY(unpack(tar, tree, {.borrows = true, .budget = &spent}));
    }
    out.diff_id = TANK_TRY(tar.finish());
  }
  out.blob.content = TANK_TRY(raw.finish());
  out.blob.size = raw.size();
  if (blob != nullptr && blob->size != raw.size())
    return mismatch("its size", std::to_string(blob->size) + " bytes", std::to_string(raw.size()));
  if (blob != nullptr && blob->content != out.blob.content)
    return mismatch("the content", blob->content.to_string(), out.blob.content.to_string());
  if (diff_id != nullptr && *diff_id != out.diff_id)
    return mismatch("the unpacked content", diff_id->to_string(), out.diff_id.to_string());
  out.blob.media_type = type_of(plain.kind());
  unique_fd held;
  if (diff_id == nullptr) held = TANK_TRY(lock_layer(s_->layout, out.diff_id));
  TANK_TRY(publish_blob(out.blob.content, blob_path));
  TANK_TRY(publish(out, tree));
  return out;
}

/// With the layer's lock held.
result<void> ingest::publish(const layer& l, const std::filesystem::path& tree) {
  const auto& layout = s_->layout;
  layer_facts facts;
  if (auto here = whole_layer(l.diff_id)) facts = *std::move(here);
  if (facts.tree.empty()) {
    const auto fd = TANK_TRY(open_directory(tree));
    const auto survey = TANK_TRY(survey_tree(fd.get()));
    // What unpacked to it before still does.
    if (auto before = read_facts(layout, l.diff_id)) facts.blobs = std::move(before->blobs);
    facts.diff_id = l.diff_id;
    facts.entries = survey.entries;
    facts.bytes = survey.bytes;
    facts.implied = l.report.implied;
    facts.marked = l.report.marked;
    facts.borrowed = l.report.borrowed;
    facts.tree = survey.fingerprint;
    facts.boot = s_->boot;
    const auto to = layout.layer(l.diff_id);
    if (::faccessat(AT_FDCWD, to.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
      // Damaged, or of a crash. Under a pod it stays: taking it away would do more damage.
      const auto used =
          s_->options.in_use ? s_->options.in_use() : std::vector<std::filesystem::path>{};
      if (std::find(used.begin(), used.end(), to) != used.end())
        return fail(errc::conflict, "repair", to, "a running pod uses it", "stop the pod first");
      ::unlink(layout.record(l.diff_id).c_str());
      if (::rename(to.c_str(), s_->fresh('o').c_str()) != 0)
        return fail_errno(errno, "replace", to);
    }
    if (::rename(tree.c_str(), to.c_str()) != 0) return fail_errno(errno, "commit", to);
    const std::lock_guard lock{s_->mutex};
    s_->published_layers.insert(l.diff_id);
  }
  const layer_facts::blob_facts form{l.blob.content, l.blob.size};
  if (!form.content.empty() &&
      std::find(facts.blobs.begin(), facts.blobs.end(), form) == facts.blobs.end())
    facts.blobs.push_back(form);
  const auto record = TANK_TRY(write_temporary(to_json(facts)));
  if (::rename(record.c_str(), layout.record(l.diff_id).c_str()) != 0)
    return fail_errno(errno, "commit", layout.record(l.diff_id));
  const std::lock_guard lock{s_->mutex};
  s_->whole.insert_or_assign(l.diff_id, std::move(facts));
  return {};
}

/// The layer when it is here already; it then counts into the image's limits like a new one.
result<std::optional<ingest::layer>> ingest::use(const wanted& w, unpack_budget& spent) const {
  if (!w.diff_id) return std::optional<layer>{};
  auto here = find(w.blob ? &*w.blob : nullptr, *w.diff_id);
  if (!here) return here;
  const auto facts = whole_layer(*w.diff_id);
  TANK_TRY(spent.add(facts ? facts->entries : 0, facts ? facts->bytes : 0, s_->options.limits,
                     "use layer", w.diff_id->to_string()));
  return here;
}

result<ingest::layer> ingest::take(const wanted& w, unpack_budget& spent, cancellation& stop,
                                   outcome& how) {
  unique_fd held;
  if (w.diff_id) {
    held = TANK_TRY(lock_layer(s_->layout, *w.diff_id));
    how = outcome::present;
    if (auto here = TANK_TRY(use(w, spent))) return *std::move(here); // another one has made it
  }
  how = outcome::made;
  if (stop.cancelled()) return cancelled();
  const auto bytes = TANK_TRY(w.open(stop));
  stoppable_source source{*bytes, stop};
  return read(source, w.blob ? &*w.blob : nullptr, w.diff_id ? &*w.diff_id : nullptr, spent);
}

result<ingest::layer> ingest::add_layer(byte_source& bytes, const descriptor* blob,
                                        const digest* diff_id) {
  unique_fd held;
  if (diff_id != nullptr) held = TANK_TRY(lock_layer(s_->layout, *diff_id));
  auto done = read(bytes, blob, diff_id, s_->spent);
  if (!done) s_->note(done.error());
  return done;
}

} // namespace tank::oci

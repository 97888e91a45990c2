#include "oci/ingest.hpp"

#include "base/file.hpp"
#include "base/remove_tree.hpp"
#include "base/rollback.hpp"
#include "oci/tree.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace tank::oci {

namespace {

result<unique_fd> open_directory(const std::filesystem::path& path) {
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) return fail_errno(errno, "open", path);
  return fd;
}

bool is_there(const std::filesystem::path& path) {
  return ::faccessat(AT_FDCWD, path.c_str(), F_OK, 0) == 0;
}

result<void> sync_directory(const std::filesystem::path& path) {
  const auto fd = TANK_TRY(open_directory(path));
  if (::fsync(fd.get()) != 0) return fail_errno(errno, "fsync", path);
  return {};
}

result<std::string> random_name() {
  unsigned char raw[12];
  if (::getrandom(raw, sizeof raw, 0) != sizeof raw)
    return fail_errno(errno, "get", "random bytes");
  std::string out;
  for (const auto byte : raw) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", byte);
    out += hex;
  }
  return out;
}

/// An image may hide everything below one layer by an opaque mark on the root. Overlay does not
/// look there, so the layers below are left out instead.
std::size_t first_visible_layer(const store_layout& layout, const image_record& record) {
  for (auto i = record.layers.size(); i-- > 1;) {
    const auto path = layout.layer(record.layers[i].diff_id);
    char value = 0;
    for (const char* key : {"trusted.overlay.opaque", "user.overlay.opaque"})
      if (::lgetxattr(path.c_str(), key, &value, 1) == 1 && value == 'y') return i;
  }
  return 0;
}

failure mismatch(const char* what, const std::string& expected, const std::string& found) {
  return fail(errc::corrupt, "verify", expected, std::string{what} + " is " + found);
}

} // namespace

result<unique_fd> lock_store(const store_layout& layout, int operation, bool wait) {
  unique_fd fd{::open(layout.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd) return fail_errno(errno, "open", layout.lock());
  for (;;) {
    if (::flock(fd.get(), operation | (wait ? 0 : LOCK_NB)) == 0) return fd;
    if (errno == EWOULDBLOCK) return unique_fd{};
    if (errno != EINTR) return fail_errno(errno, "lock", layout.lock());
  }
}

image image_of(const store_layout& layout, const image_record& record) {
  image out{record.name, record.manifest.to_string(), record.config, {}};
  out.layers.reserve(record.layers.size());
  for (auto i = record.first_visible; i < record.layers.size(); ++i)
    out.layers.push_back(layout.layer(record.layers[i].diff_id));
  return out;
}

ingest::ingest(store_layout layout, store_options options, unique_fd lock, std::string session)
    : layout_(std::move(layout))
    , options_(std::move(options))
    , lock_(std::move(lock))
    , session_(std::move(session)) {}

ingest::ingest(ingest&& other) noexcept
    : layout_(std::move(other.layout_))
    , options_(std::move(other.options_))
    , lock_(std::move(other.lock_))
    , session_(std::exchange(other.session_, {}))
    , mutex_(std::move(other.mutex_))
    , serial_(other.serial_)
    , new_blobs_(std::move(other.new_blobs_))
    , new_layers_(std::move(other.new_layers_))
    , pairs_(std::move(other.pairs_)) {}

ingest::~ingest() {
  if (session_.empty()) return;
  // Best effort: what stays is swept when somebody opens the store alone.
  if (const auto tmp = open_directory(layout_.tmp())) (void)remove_tree(tmp->get(), session_);
}

result<ingest> ingest::begin(const store_layout& layout, const store_options& options) {
  auto lock = TANK_TRY(lock_store(layout, LOCK_SH, true));
  auto name = TANK_TRY(random_name());
  const auto path = layout.tmp() / name;
  if (::mkdir(path.c_str(), 0700) != 0) return fail_errno(errno, "create directory", path);
  ingest session{layout, options, std::move(lock), std::move(name)};
  session.learn();
  return session;
}

void ingest::learn() {
  // Only to spare work: a record that cannot be read must not keep other images out.
  const auto records = read_records(layout_);
  if (!records) return;
  const std::lock_guard lock{*mutex_};
  for (const auto& record : *records)
    for (const auto& l : record.layers)
      pairs_.emplace(l.blob, l.diff_id);
}

bool ingest::rootless() const {
  return options_.rootless.value_or(::geteuid() != 0);
}

std::filesystem::path ingest::next_path(char kind) {
  const std::lock_guard lock{*mutex_};
  return directory() / (kind + std::to_string(serial_++));
}

result<std::filesystem::path> ingest::make_directory() {
  auto path = next_path('d');
  if (::mkdir(path.c_str(), 0700) != 0) return fail_errno(errno, "create directory", path);
  return path;
}

bool ingest::has_layer(const digest& diff_id) const {
  const std::lock_guard lock{*mutex_};
  return new_layers_.contains(diff_id) || is_there(layout_.layer(diff_id));
}

bool ingest::knows(const digest& blob, const digest& diff_id) const {
  const std::lock_guard lock{*mutex_};
  return pairs_.contains({blob, diff_id}) &&
         (new_blobs_.contains(blob) || is_there(layout_.blob(blob))) &&
         (new_layers_.contains(diff_id) || is_there(layout_.layer(diff_id)));
}

result<unpack_report> ingest::unpack(byte_source& tar, const std::filesystem::path& where) const {
  const auto fd = TANK_TRY(open_directory(where));
  // The root of a container's file system, unless the archive says otherwise.
  if (::fchmod(fd.get(), 0755) != 0) return fail_errno(errno, "chmod", where);
  return unpack_tar(tar, fd.get(), {options_.limits, rootless(), true});
}

result<ingest::layer> ingest::add_layer(byte_source& bytes, const descriptor* blob,
                                        const digest* diff_id) {
  const auto blob_path = next_path('b');
  const unique_fd file{
      ::open(blob_path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return fail_errno(errno, "create", blob_path);
  const auto limit = blob != nullptr ? blob->size : options_.limits.max_stream();
  measuring_source raw{bytes, blob != nullptr ? blob->content.algorithm : digest_algorithm::sha256,
                       limit, file.get()};
  decompressing_source plain{raw};
  measuring_source tar{plain, diff_id != nullptr ? diff_id->algorithm : digest_algorithm::sha256,
                       options_.limits.max_stream()};
  layer out;
  std::filesystem::path tree;
  const bool here = diff_id != nullptr && has_layer(*diff_id);
  if (!here) {
    tree = TANK_TRY(make_directory());
    out.report = TANK_TRY(unpack(tar, tree));
  }
  out.diff_id = TANK_TRY(tar.finish());
  out.blob.content = TANK_TRY(raw.finish());
  out.blob.size = raw.size();
  if (blob != nullptr && blob->size != raw.size())
    return mismatch("its size", std::to_string(blob->size) + " bytes", std::to_string(raw.size()));
  if (blob != nullptr && blob->content != out.blob.content)
    return mismatch("the content", blob->content.to_string(), out.blob.content.to_string());
  if (diff_id != nullptr && *diff_id != out.diff_id)
    return mismatch("the unpacked content", diff_id->to_string(), out.diff_id.to_string());
  const auto kind = plain.kind();
  out.blob.media_type = kind == compression::gzip   ? media::layer_gzip
                        : kind == compression::zstd ? media::layer_zstd
                                                    : media::layer;
  const std::lock_guard lock{*mutex_};
  new_blobs_.emplace(out.blob.content, blob_path);
  if (!here) new_layers_.emplace(out.diff_id, tree);
  pairs_.emplace(out.blob.content, out.diff_id);
  return out;
}

result<digest> ingest::add_document(std::string_view content, const digest& expected) {
  const auto found = digest_of(content, expected.algorithm);
  if (!expected.empty() && found != expected)
    return mismatch("the content", expected.to_string(), found.to_string());
  const auto path = next_path('b');
  const unique_fd file{
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return fail_errno(errno, "create", path);
  TANK_TRY(write_bytes(file.get(), std::as_bytes(std::span{content}), path));
  const std::lock_guard lock{*mutex_};
  new_blobs_.emplace(found, path);
  return found;
}

result<void> ingest::publish() {
  if (options_.durable) {
    // One flush of everything instead of one per file; the renames come after the content.
    const auto fd = TANK_TRY(open_directory(directory()));
    if (::syncfs(fd.get()) != 0) return fail_errno(errno, "sync", directory());
  }
  for (const auto& [content, path] : new_blobs_) {
    const auto to = layout_.blob(content);
    if (::rename(path.c_str(), to.c_str()) != 0) return fail_errno(errno, "commit", to);
  }
  for (const auto& [diff_id, path] : new_layers_) {
    const auto to = layout_.layer(diff_id);
    // Another session may have been first; a layer is never replaced, it may be in use.
    if (::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0 &&
        errno != EEXIST)
      return fail_errno(errno, "commit", to);
  }
  new_blobs_.clear();
  new_layers_.clear();
  if (!options_.durable) return {};
  TANK_TRY(sync_directory(layout_.blobs() / "sha256"));
  TANK_TRY(sync_directory(layout_.blobs() / "sha512"));
  return sync_directory(layout_.layers());
}

result<image> ingest::commit(image_record record) {
  TANK_TRY(publish());
  record.first_visible = first_visible_layer(layout_, record);
  const auto text = to_json(record);
  if (options_.durable) {
    TANK_TRY(write_file_atomic(layout_.ref(record.name), text, 0600));
    return image_of(layout_, record);
  }
  const auto path = next_path('r');
  const unique_fd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (!file) return fail_errno(errno, "create", path);
  TANK_TRY(write_bytes(file.get(), std::as_bytes(std::span{text}), path));
  if (::rename(path.c_str(), layout_.ref(record.name).c_str()) != 0)
    return fail_errno(errno, "commit", record.name);
  return image_of(layout_, record);
}

} // namespace tank::oci

#include "oci/ingest.hpp"

#include "base/file.hpp"
#include "base/remove_tree.hpp"
#include "base/text.hpp"
#include "oci/ingest_session.hpp"
#include "oci/tree.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace tank::oci {

namespace {

result<std::string> random_name() {
  char raw[12];
  if (::getrandom(raw, sizeof raw, 0) != sizeof raw)
    return fail_errno(errno, "get", "random bytes");
  return to_hex({raw, sizeof raw});
}

} // namespace

result<unique_fd> open_directory(const std::filesystem::path& path) {
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) return fail_errno(errno, "open", path);
  return fd;
}

result<unique_fd> lock_store(const store_layout& layout, int operation, bool wait) {
  unique_fd fd{::open(layout.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd) return fail_errno(errno, "open", layout.lock());
  for (;;) {
    if (::flock(fd.get(), operation | (wait ? 0 : LOCK_NB)) == 0) return fd;
    if (errno == EWOULDBLOCK) return unique_fd{};
    if (errno != EINTR) return fail_errno(errno, "lock", layout.lock());
  }
}

result<unique_fd> lock_layer(const store_layout& layout, const digest& diff_id) {
  const auto path = layout.layer_locks();
  unique_fd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd) return fail_errno(errno, "open", path);
  // One byte of one file stands for a layer: no lock files to be made, found stale and removed.
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(std::stoull(diff_id.hex.substr(0, 15), nullptr, 16));
  range.l_len = 1;
  for (;;) {
    if (::fcntl(fd.get(), F_OFD_SETLKW, &range) == 0) return fd;
    if (errno != EINTR) return fail_errno(errno, "lock", path);
  }
}

image image_of(const store_layout& layout, const image_record& record) {
  image out{record.name, record.manifest.to_string(), record.config, {}};
  for (const auto& id : record.directories())
    out.layers.push_back(layout.layer(id));
  if (out.layers.empty()) out.layers.push_back(layout.empty());
  return out;
}

ingest::ingest(std::unique_ptr<session> s) : s_(std::move(s)) {}
ingest::ingest(ingest&&) noexcept = default;

ingest::~ingest() {
  if (!s_) return;
  // Best effort: what stays is swept when somebody opens the store alone.
  if (const auto tmp = open_directory(s_->layout.tmp())) (void)remove_tree(tmp->get(), s_->name);
  if (s_->out_of_space && !s_->committed) give_back();
}

/// Finished layers of a failed session normally stay for the next attempt. Not when the disk is
/// full: they would keep it full.
void ingest::give_back() const {
  // Alone, or not at all: another session may build on them.
  if (::flock(s_->lock.get(), LOCK_EX | LOCK_NB) != 0) return;
  const auto records = read_records(s_->layout);
  const auto tmp = open_directory(s_->layout.tmp());
  if (!records || !tmp) return;
  auto layers = s_->published_layers;
  auto blobs = s_->published_blobs;
  for (const auto& r : *records) {
    blobs.erase(r.manifest);
    blobs.erase(r.config_blob);
    blobs.erase(r.index);
    for (const auto& l : r.layers) {
      layers.erase(l.diff_id);
      layers.erase(l.directory());
      blobs.erase(l.blob);
    }
    layers.erase(r.dressing);
  }
  for (const auto& b : blobs)
    ::unlink(s_->layout.blob(b).c_str());
  for (const auto& l : layers) {
    ::unlink(s_->layout.record(l).c_str());
    ::rename(s_->layout.layer(l).c_str(), (s_->layout.tmp() / l.file_name()).c_str());
    (void)remove_tree(tmp->get(), l.file_name());
  }
}

result<ingest> ingest::begin(const store_layout& layout, const store_options& options) {
  auto s = std::make_unique<session>();
  s->layout = layout;
  s->options = options;
  s->lock = TANK_TRY(lock_store(layout, LOCK_SH, true));
  s->boot = TANK_TRY(boot_of(options));
  auto name = TANK_TRY(random_name());
  const auto path = layout.tmp() / name;
  if (::mkdir(path.c_str(), 0700) != 0) return fail_errno(errno, "create directory", path);
  s->name = std::move(name);
  ingest out{std::move(s)};
  out.learn();
  return out;
}

/// What names vouch for.
void ingest::learn() {
  // Only to spare work: a record that cannot be read must not keep other images out.
  const auto records = read_records(s_->layout);
  if (!records) return;
  const std::lock_guard lock{s_->mutex};
  for (const auto& record : *records) {
    for (const auto& l : record.layers)
      s_->referenced.insert({l.diff_id, l.directory()});
    s_->referenced.insert(record.dressing);
  }
}

result<std::filesystem::path> ingest::make_directory() {
  auto path = s_->fresh('d');
  if (::mkdir(path.c_str(), 0700) != 0) return fail_errno(errno, "create directory", path);
  return path;
}

result<std::filesystem::path> ingest::write_temporary(std::string_view content) {
  auto path = s_->fresh('f');
  const unique_fd file{
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return fail_errno(errno, "create", path);
  if (auto written = write_bytes(file.get(), std::as_bytes(std::span{content}), path); !written) {
    s_->note(written.error());
    return tl::make_unexpected(std::move(written).error());
  }
  s_->unsynced = true;
  return path;
}

result<void> ingest::publish_blob(const digest& content, const std::filesystem::path& from) {
  const auto to = s_->layout.blob(content);
  if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(errno, "commit", to);
  const std::lock_guard lock{s_->mutex};
  s_->published_blobs.insert(content);
  return {};
}

result<digest> ingest::add_document(std::string_view content, const digest& expected) {
  auto found = digest_of(content, expected.algorithm);
  if (!expected.empty() && found != expected)
    return fail(errc::corrupt, "verify", expected.to_string(),
                "the content is " + found.to_string());
  const auto path = TANK_TRY(write_temporary(content));
  TANK_TRY(publish_blob(found, path));
  return found;
}

result<image> ingest::commit(image_record record) {
  for (const auto& l : record.layers)
    if (!knows(l.blob, l.diff_id))
      return fail(errc::corrupt, "commit", record.name,
                  "its layer " + l.diff_id.to_string() + " is not here, or was not made of " +
                      l.blob.to_string());
  TANK_TRY(write_stack(record));
  const auto text = to_json(record);
  const auto to = s_->layout.ref(record.name);
  if (s_->options.durable) {
    // One flush of everything instead of one per file: contents, renames and layer records are on
    // disk before the name that makes them count.
    if (s_->unsynced.exchange(false)) {
      const auto fd = TANK_TRY(open_directory(s_->directory()));
      if (::syncfs(fd.get()) != 0) return fail_errno(errno, "sync", s_->directory());
    }
    if (auto written = write_file_atomic(to, text, 0600); !written) {
      s_->note(written.error());
      return tl::make_unexpected(std::move(written).error());
    }
  } else {
    const auto path = TANK_TRY(write_temporary(text));
    if (::rename(path.c_str(), to.c_str()) != 0) return fail_errno(errno, "commit", record.name);
  }
  s_->committed = true;
  return image_of(s_->layout, record);
}

} // namespace tank::oci

#include "oci/stream.hpp"

#include "oci/archive.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace tank::oci {

namespace {
constexpr std::size_t piece = 256 * 1024;
constexpr std::size_t magic_size = 4;

bool starts_with(std::span<const std::byte> bytes, std::initializer_list<unsigned> magic) {
  return bytes.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), bytes.begin(),
                    [](unsigned a, std::byte b) { return a == std::to_integer<unsigned>(b); });
}
} // namespace

result<void> write_bytes(int fd, std::span<const std::byte> bytes, const std::string& name) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno(errno, "write", name);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

file_source::file_source(unique_fd fd, std::string name)
    : fd_(std::move(fd))
    , name_(std::move(name))
    , buffer_(piece) {}

result<std::span<const std::byte>> file_source::next() {
  for (;;) {
    const auto n = ::read(fd_.get(), buffer_.data(), buffer_.size());
    if (n >= 0) return std::span<const std::byte>{buffer_.data(), static_cast<std::size_t>(n)};
    if (errno != EINTR) return fail_errno(errno, "read", name_);
  }
}

measuring_source::measuring_source(byte_source& inner, digest_algorithm algorithm,
                                   std::uint64_t limit, int copy_to)
    : inner_(inner)
    , hasher_(algorithm)
    , limit_(limit)
    , copy_to_(copy_to) {}

result<std::span<const std::byte>> measuring_source::next() {
  const auto bytes = TANK_TRY(inner_.next());
  if (bytes.size() > limit_ - size_)
    return fail(errc::limit, "read", "stream", "larger than " + std::to_string(limit_) + " bytes");
  size_ += bytes.size();
  hasher_.update(bytes);
  if (copy_to_ >= 0) TANK_TRY(write_bytes(copy_to_, bytes, "blob"));
  return bytes;
}

result<digest> measuring_source::finish() {
  while (!TANK_TRY(next()).empty()) {
  }
  return hasher_.finish();
}

la_ssize_t archive_input::read(archive* a, void* self, const void** buffer) {
  auto& in = *static_cast<archive_input*>(self);
  if (!in.head.empty()) {
    const auto head = std::exchange(in.head, {});
    *buffer = head.data();
    return static_cast<la_ssize_t>(head.size());
  }
  auto bytes = in.source.next();
  if (!bytes) {
    in.failed = std::move(bytes).error();
    ::archive_set_error(a, EIO, "%s", "input failed");
    return ARCHIVE_FATAL;
  }
  if (bytes->size() > in.budget) {
    in.failed = fail(errc::limit, "read", "header", "it is too large").value();
    ::archive_set_error(a, E2BIG, "%s", "header too large");
    return ARCHIVE_FATAL;
  }
  in.budget -= bytes->size();
  *buffer = bytes->data();
  return static_cast<la_ssize_t>(bytes->size());
}

failure archive_input::why(archive* a, std::string step, std::string object) const {
  if (failed) return wrap(*failed, std::move(step), std::move(object));
  const char* text = ::archive_error_string(a);
  return fail(errc::corrupt, std::move(step), std::move(object),
              text != nullptr ? text : "damaged data");
}

struct decompressing_source::engine {
  engine(byte_source& source, std::span<const std::byte> head) : input{source, head} {}

  archive_input input;
  archive_ptr reader{::archive_read_new()};
};

decompressing_source::decompressing_source(byte_source& inner) : inner_(inner) {}
decompressing_source::~decompressing_source() = default;

result<void> decompressing_source::start() {
  started_ = true;
  while (head_.size() < magic_size) {
    const auto bytes = TANK_TRY(inner_.next());
    if (bytes.empty()) break;
    head_.insert(head_.end(), bytes.begin(), bytes.end());
  }
  if (starts_with(head_, {0x1f, 0x8b}))
    kind_ = compression::gzip;
  else if (starts_with(head_, {0x28, 0xb5, 0x2f, 0xfd}))
    kind_ = compression::zstd;
  else
    return {};
  engine_ = std::make_unique<engine>(inner_, head_);
  auto* a = engine_->reader.get();
  const int filter = kind_ == compression::gzip ? ARCHIVE_FILTER_GZIP : ARCHIVE_FILTER_ZSTD;
  // One filter, by name: libarchive's own detection would peel up to 25 nested ones, and run
  // programs for those that it was not built with.
  if (a == nullptr || ::archive_read_append_filter(a, filter) != ARCHIVE_OK ||
      ::archive_read_support_format_raw(a) != ARCHIVE_OK)
    return fail(errc::unsupported, "decompress", "stream", "libarchive lacks this compression");
  if (::archive_read_open(a, &engine_->input, nullptr, &archive_input::read, nullptr) != ARCHIVE_OK)
    return engine_->input.why(a, "decompress", "stream");
  archive_entry* entry = nullptr;
  // A stream that holds nothing ends here too: libarchive does not tell it from a cut one, and no
  // tar is that short.
  if (::archive_read_next_header(a, &entry) != ARCHIVE_OK) {
    if (engine_->input.failed) return engine_->input.why(a, "decompress", "stream");
    return fail(errc::corrupt, "decompress", "stream", "truncated, damaged or empty");
  }
  return {};
}

result<std::span<const std::byte>> decompressing_source::next() {
  if (!started_) {
    TANK_TRY(start());
    if (!engine_ && !head_.empty()) return std::span<const std::byte>{head_};
  }
  if (!engine_) return inner_.next();
  while (!ended_) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int rc = ::archive_read_data_block(engine_->reader.get(), &data, &size, &offset);
    if (rc == ARCHIVE_EOF)
      ended_ = true;
    else if (rc != ARCHIVE_OK)
      return engine_->input.why(engine_->reader.get(), "decompress", "stream");
    else if (size > 0)
      return std::span{static_cast<const std::byte*>(data), size};
  }
  return std::span<const std::byte>{};
}

} // namespace tank::oci

#include "oci/stream.hpp"

#include "oci/archive.hpp"
#include "oci/inflate.hpp"

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

/// RFC 8878, 3.1.2: 0x184D2A50 to 0x184D2A5F, little endian.
bool is_skippable_frame(std::span<const std::byte> bytes) {
  return bytes.size() >= magic_size && (std::to_integer<unsigned>(bytes[0]) & 0xf0) == 0x50 &&
         starts_with(bytes.subspan(1), {0x2a, 0x4d, 0x18});
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

range_source::range_source(int fd, std::uint64_t offset, std::uint64_t size, std::string name)
    : fd_(fd)
    , at_(offset)
    , left_(size)
    , name_(std::move(name))
    , buffer_(std::min<std::uint64_t>(piece, size)) {}

result<std::span<const std::byte>> range_source::next() {
  while (left_ > 0) {
    const auto n = ::pread(fd_, buffer_.data(), std::min<std::uint64_t>(buffer_.size(), left_),
                           static_cast<off_t>(at_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "read", name_);
    if (n == 0) return fail(errc::corrupt, "read", name_, "the file ends before it does");
    at_ += static_cast<std::uint64_t>(n);
    left_ -= static_cast<std::uint64_t>(n);
    return std::span<const std::byte>{buffer_.data(), static_cast<std::size_t>(n)};
  }
  return std::span<const std::byte>{};
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

result<void> expansion_budget::produced(std::size_t bytes, const expansion_limits& limits) {
  const auto out = out_.fetch_add(bytes) + bytes;
  if (out > limits.free_bytes && out / limits.max_ratio > in_)
    return fail(errc::limit, "decompress", "stream",
                "it grows more than " + std::to_string(limits.max_ratio) + "-fold, like a bomb");
  return {};
}

decompressing_source::decompressing_source(byte_source& inner, const expansion_limits& limits,
                                           expansion_budget* shared)
    : inner_(inner)
    , limits_(limits)
    , budget_(shared != nullptr ? *shared : own_) {}
decompressing_source::~decompressing_source() = default;

result<void> decompressing_source::start() {
  started_ = true;
  while (head_.size() < magic_size) {
    const auto bytes = TANK_TRY(inner_.next());
    if (bytes.empty()) break;
    head_.insert(head_.end(), bytes.begin(), bytes.end());
  }
  if (starts_with(head_, {0x1f, 0x8b})) {
    kind_ = compression::gzip;
    engine_ = make_gunzip();
  } else if (starts_with(head_, {0x28, 0xb5, 0x2f, 0xfd}) || is_skippable_frame(head_)) {
    kind_ = compression::zstd;
    engine_ = make_unzstd(limits_.max_window);
  } else {
    return {};
  }
  input_ = head_;
  budget_.read(head_.size());
  buffer_.resize(piece);
  return {};
}

result<std::span<const std::byte>> decompressing_source::expand() {
  while (!ended_) {
    if (input_.empty() && !input_ended_) {
      input_ = TANK_TRY(inner_.next());
      input_ended_ = input_.empty();
      budget_.read(input_.size());
    }
    const auto done = TANK_TRY(engine_->run(input_, buffer_));
    input_ = input_.subspan(done.consumed);
    if (done.produced > 0) {
      TANK_TRY(budget_.produced(done.produced, limits_));
      return std::span<const std::byte>{buffer_.data(), done.produced};
    }
    if (done.consumed > 0 || !input_ended_) continue;
    if (!engine_->complete()) return fail(errc::corrupt, "decompress", "stream", "it is cut short");
    ended_ = true;
  }
  return std::span<const std::byte>{};
}

result<std::span<const std::byte>> decompressing_source::next() {
  if (!started_) {
    TANK_TRY(start());
    if (!engine_ && !head_.empty()) return std::span<const std::byte>{head_};
  }
  return engine_ ? expand() : inner_.next();
}

} // namespace tank::oci

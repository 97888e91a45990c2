/// Bytes on their way into the store: pulled in pieces, hashed, copied and unpacked in one pass.
///
/// A registry download, a file and a test's string are all a `byte_source`; the decorators stack
/// (bytes -> copy to the blob file + its digest -> decompressed -> diff_id -> tar).
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "oci/digest.hpp"
#include "oci/limits.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tank::oci {

class decompressor;

/// Pulls. Used by one thread at a time.
class byte_source {
 public:
  virtual ~byte_source() = default;
  /// The next piece, valid until the next call; empty at the end, and then ever again.
  virtual result<std::span<const std::byte>> next() = 0;
};

/// What is left of a file, in pieces of 256 KiB. `name` is for messages.
class file_source final : public byte_source {
 public:
  file_source(unique_fd fd, std::string name);
  result<std::span<const std::byte>> next() override;

 private:
  unique_fd fd_;
  std::string name_;
  std::vector<std::byte> buffer_;
};

/// `size` bytes of a regular file from `offset` on; the descriptor's own position is not used, so
/// several may share one (borrowed). A file that is shorter is errc::corrupt.
class range_source final : public byte_source {
 public:
  range_source(int fd, std::uint64_t offset, std::uint64_t size, std::string name);
  result<std::span<const std::byte>> next() override;

 private:
  int fd_;
  std::uint64_t at_;
  std::uint64_t left_;
  std::string name_;
  std::vector<std::byte> buffer_;
};

/// Hashes what passes, refuses more than `limit` bytes, and writes a copy to `copy_to` when it is
/// not -1 (borrowed).
class measuring_source final : public byte_source {
 public:
  measuring_source(byte_source& inner, digest_algorithm algorithm, std::uint64_t limit,
                   int copy_to = -1);
  result<std::span<const std::byte>> next() override;

  /// Reads to the end, so that digest and size are of the whole. Call once.
  result<digest> finish();
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

 private:
  byte_source& inner_;
  hasher hasher_;
  std::uint64_t limit_;
  std::uint64_t size_ = 0;
  int copy_to_;
};

enum class compression : std::uint8_t { none, gzip, zstd };

/// What compressed streams become together: the bound of expansion_limits is of all of them.
/// Thread-safe.
class expansion_budget {
 public:
  /// Compressed bytes that were read.
  void read(std::size_t bytes) { in_ += bytes; }
  /// Bytes that became of them; errc::limit when that is like a bomb.
  result<void> produced(std::size_t bytes, const expansion_limits& limits);

 private:
  std::atomic<std::uint64_t> in_{0};
  std::atomic<std::uint64_t> out_{0};
};

/// Removes one layer of gzip or zstd, found by its magic number; anything else passes unchanged.
/// Concatenated members and frames are one stream. Reads `inner` to its end. errc::corrupt when it
/// is cut or damaged, errc::limit for what expands like a bomb, alone or, with `shared` (borrowed),
/// together with others.
class decompressing_source final : public byte_source {
 public:
  explicit decompressing_source(byte_source& inner, const expansion_limits& limits = {},
                                expansion_budget* shared = nullptr);
  ~decompressing_source() override;
  result<std::span<const std::byte>> next() override;
  /// Known after the first `next()`.
  [[nodiscard]] compression kind() const noexcept { return kind_; }

 private:
  result<void> start();
  result<std::span<const std::byte>> expand();
  byte_source& inner_;
  expansion_limits limits_;
  compression kind_ = compression::none;
  bool started_ = false;
  bool input_ended_ = false;
  bool ended_ = false;
  expansion_budget own_;
  expansion_budget& budget_;
  std::vector<std::byte> head_;
  std::span<const std::byte> input_; ///< not consumed yet
  std::vector<std::byte> buffer_;
  std::unique_ptr<decompressor> engine_;
};

/// Writes everything at the descriptor's position. `name` is for messages.
result<void> write_bytes(int fd, std::span<const std::byte> bytes, const std::string& name);

} // namespace tank::oci

/// The thin layer over libarchive: RAII, and our byte_source as its input. Private to this room.
#pragma once

#include "oci/stream.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <limits>
#include <memory>
#include <optional>
#include <string>

namespace tank::oci {

struct archive_closer {
  void operator()(archive* a) const noexcept { ::archive_read_free(a); }
};
using archive_ptr = std::unique_ptr<archive, archive_closer>;

/// What libarchive calls for bytes. Must stay where it is while the archive is open.
struct archive_input {
  byte_source& source;
  std::span<const std::byte> head{}; ///< given out first
  std::optional<error> failed{};     ///< of the source: truer than what libarchive makes of it
  /// Bytes it may still have. libarchive reads a whole header at once and keeps what it says in
  /// memory, without any limit.
  std::uint64_t budget = std::numeric_limits<std::uint64_t>::max();

  static la_ssize_t read(archive* a, void* self, const void** buffer);
  /// The error of the last libarchive call on `a`.
  [[nodiscard]] failure why(archive* a, std::string step, std::string object) const;
};

} // namespace tank::oci

/// Decompressors as steps over buffers; decompressing_source drives them. Private to this room.
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace tank::oci {

class decompressor {
 public:
  struct progress {
    std::size_t consumed = 0;
    std::size_t produced = 0;
  };

  virtual ~decompressor() = default;
  /// Takes from `in`, writes to `out`. Neither consumed nor produced: it wants more input.
  virtual result<progress> run(std::span<const std::byte> in, std::span<std::byte> out) = 0;
  /// Whether the input may end where it is.
  [[nodiscard]] virtual bool complete() const = 0;
};

/// All members of a gzip stream (RFC 1952), each with its checksum verified; zeros may follow, as
/// tape padding, anything else is errc::corrupt. The best one this build has.
std::unique_ptr<decompressor> make_gunzip();

/// The two there are, for tests: by ISA-L (null in a build without it), by zlib.
std::unique_ptr<decompressor> make_gunzip_isal();
std::unique_ptr<decompressor> make_gunzip_zlib();

/// All frames of a zstd stream (RFC 8878), skippable ones passed over. A frame that wants a window
/// of more than `max_window` bytes of memory is errc::limit.
std::unique_ptr<decompressor> make_unzstd(std::uint64_t max_window);

} // namespace tank::oci

/// Images brought in a directory or an archive: its files by name, whichever it is. Private to
/// load.
#pragma once

#include "base/error.hpp"
#include "oci/limits.hpp"
#include "oci/stream.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace tank::oci {

/// Names are relative; links are followed, but only inside. Several threads may use one.
class bundle {
 public:
  virtual ~bundle() = default;

  struct file {
    std::unique_ptr<byte_source> bytes;
    std::uint64_t size = 0;
  };
  /// A regular file; errc::not_found, errc::invalid for another kind.
  [[nodiscard]] virtual result<file> open(const std::string& name) const = 0;

  /// A whole document of at most `limit` bytes.
  [[nodiscard]] result<std::string> read(const std::string& name, std::uint64_t limit) const;
};

enum class bundle_input : std::uint8_t {
  file,   ///< a regular file or a directory; anything else is errc::invalid, and not waited for
  stream, ///< a pipe or a device too: somebody at hand has named it
};

/// Opens a directory, or a tar. Of a plain tar that can be read at any place, the members are read
/// where they lie; one that is compressed, or a pipe, is first unpacked into a directory which
/// `make_directory` gives.
result<std::unique_ptr<bundle>>
open_bundle(const std::filesystem::path& source, bundle_input input, const unpack_limits& limits,
            const std::function<result<std::filesystem::path>()>& make_directory);

} // namespace tank::oci

/// Reads single files of an image without mounting it: the layers as overlayfs would merge them.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tank::oci {

/// `layers` bottom first. Whiteouts, opaque directories and links (also from one layer into
/// another) are followed as the container would see them; every step is by descriptor and never
/// follows a link by itself, so no path leads outside (SECURITY.md class 13). Blocking.
class layer_view {
 public:
  static result<layer_view> open(const std::vector<std::filesystem::path>& layers);

  /// The content of a regular file of at most `limit` bytes. errc::not_found when the image has
  /// none of that name; other kinds of file are errc::invalid, and never block.
  [[nodiscard]] result<std::string> read(std::string_view path, std::size_t limit) const;

 private:
  /// One merged directory: what the layers hold of it, top first.
  using directory = std::vector<unique_fd>;
  struct found {
    unique_fd parent; ///< of a file or a link, in the layer that shows it
    bool is_link = false;
    directory children; ///< of a directory
  };

  static result<found> look_up(const directory& in, const std::string& name);

  directory root_;
};

} // namespace tank::oci

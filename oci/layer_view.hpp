/// Reads single files of an image without mounting it: the layers as overlayfs would merge them.
#pragma once

#include "base/error.hpp"
#include "oci/layer_look.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tank::oci {

/// `layers` bottom first. Whiteouts, opaque directories and links (also from one layer into
/// another) are followed as the container would see them; every step is by descriptor and never
/// follows a link by itself, so no path leads outside (SECURITY.md class 13). Few descriptors are
/// open at a time, however many layers there are and however deep it goes. Blocking.
class layer_view {
 public:
  explicit layer_view(std::vector<std::filesystem::path> layers);

  /// The content of a regular file of at most `limit` bytes. errc::not_found when the image has
  /// none of that name; other kinds of file are errc::invalid, and never block; errc::limit for a
  /// path that leads on and on.
  [[nodiscard]] result<std::string> read(std::string_view path, std::size_t limit) const;

 private:
  result<layer_look> find(const std::vector<std::string>& way, std::size_t& steps) const;

  std::vector<std::filesystem::path> layers_; ///< top first
};

} // namespace tank::oci

/// What one unpacked layer has at a path, by descriptor. Private to this room.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

namespace tank::oci {

/// How a directory of a layer is opened: itself, never what a link there leads to.
inline constexpr int layer_dir_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
/// Links that are followed on the way to one file: as many as the kernel follows.
inline constexpr int max_links = 40;

/// The mark of overlay that hides a name of the layers below.
bool is_whiteout(const struct stat& st);
/// The mark of overlay that hides all below of that name; `directory` is an open one.
bool is_opaque(int directory);

/// The components of a path, without empty ones and ".".
std::vector<std::string> parts_of(std::string_view path);

struct layer_look {
  enum class kind : std::uint8_t { none, directory, link, other };
  kind what = kind::none;
  bool ends = false;  ///< nothing of the layers below shows through at that path
  std::string target; ///< of a link
  unique_fd fd;       ///< of a directory; of a link or a file: the directory it lies in
};

/// Looks `parts` up below `root` (borrowed), through directories only: no link is followed, on the
/// way or at the end. Holds two descriptors at a time. Blocking.
result<layer_look> look_into(int root, const std::vector<std::string>& parts);

} // namespace tank::oci

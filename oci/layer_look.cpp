#include "oci/layer_look.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace tank::oci {

bool is_whiteout(const struct stat& st) {
  return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

bool is_opaque(int directory) {
  char value = 0;
  for (const char* key : {"trusted.overlay.opaque", "user.overlay.opaque"})
    if (::fgetxattr(directory, key, &value, 1) == 1 && value == 'y') return true;
  return false;
}

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin < path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    if (const auto part = path.substr(begin, end - begin); !part.empty() && part != ".")
      out.emplace_back(part);
    begin = end + 1;
  }
  return out;
}

result<layer_look> look_into(int root, const std::vector<std::string>& parts) {
  layer_look out;
  out.what = layer_look::kind::directory;
  out.fd.reset(::openat(root, ".", layer_dir_flags));
  if (!out.fd) return fail_errno(errno, "open", "layer");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    out.ends = out.ends || is_opaque(out.fd.get());
    const auto* name = parts[i].c_str();
    struct stat st {};
    if (::fstatat(out.fd.get(), name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) return fail_errno(errno, "look up", parts[i]);
      out.what = layer_look::kind::none;
      return out;
    }
    if (S_ISDIR(st.st_mode)) {
      unique_fd next{::openat(out.fd.get(), name, layer_dir_flags)};
      if (!next) return fail_errno(errno, "open", parts[i]);
      out.fd = std::move(next);
      continue;
    }
    out.ends = true;
    const bool last = i + 1 == parts.size();
    out.what = !last || is_whiteout(st) ? layer_look::kind::none : layer_look::kind::other;
    if (out.what == layer_look::kind::other && S_ISLNK(st.st_mode)) {
      std::array<char, PATH_MAX> target{};
      const auto n = ::readlinkat(out.fd.get(), name, target.data(), target.size());
      if (n < 0) return fail_errno(errno, "read link", parts[i]);
      out.what = layer_look::kind::link;
      out.target.assign(target.data(), static_cast<std::size_t>(n));
    }
    return out;
  }
  return out;
}

} // namespace tank::oci

#include "oci/attributes.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/xattr.h>

namespace tank::oci {

bool is_kept_attribute(std::string_view key) {
  return key == "security.capability" ||
         (key.starts_with("user.") && !key.starts_with("user.overlay."));
}

result<std::vector<std::pair<std::string, std::string>>> kept_attributes(int fd) {
  std::vector<std::pair<std::string, std::string>> out;
  std::vector<char> names(max_attribute);
  const auto size = ::flistxattr(fd, names.data(), names.size());
  if (size < 0 && errno == ENOTSUP) return out;
  if (size < 0) return fail_errno(errno, "read attributes of", "entry");
  for (const char* name = names.data(); name < names.data() + size;) {
    const std::string key{name};
    name += key.size() + 1;
    if (!is_kept_attribute(key)) continue;
    std::vector<char> value(max_attribute);
    const auto n = ::fgetxattr(fd, key.c_str(), value.data(), value.size());
    if (n < 0) return fail_errno(errno, "read attribute", key);
    out.emplace_back(key, std::string{value.data(), static_cast<std::size_t>(n)});
  }
  std::sort(out.begin(), out.end());
  return out;
}

} // namespace tank::oci

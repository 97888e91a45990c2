#include "oci/image_source.hpp"

#include <algorithm>
#include <array>
#include <sys/stat.h>
#include <utility>

namespace tank::oci {

namespace {

using form = image_source::form;
constexpr std::array<std::pair<std::string_view, form>, 3> prefixes{{
    {"oci:", form::oci},
    {"oci-archive:", form::oci_archive},
    {"docker-archive:", form::docker_archive},
}};

} // namespace

std::string image_source::to_string() const {
  std::string out;
  for (const auto& [prefix, f] : prefixes)
    if (f == kind) out = prefix;
  out += path.native();
  if (!ref.empty()) out += ":" + ref;
  return out;
}

bool is_image_source(std::string_view text) noexcept {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const auto& p) { return text.starts_with(p.first); });
}

result<image_source> parse_image_source(std::string_view text) {
  const auto bad = [&](std::string cause) {
    return fail(errc::invalid, "use image", std::string{text.substr(0, 300)}, std::move(cause));
  };
  for (const auto& [prefix, kind] : prefixes) {
    if (!text.starts_with(prefix)) continue;
    if (text.size() > 4096) return bad("the name is too long");
    for (const unsigned char c : text)
      if (c < 0x20 || c == 0x7f) return bad("it contains control characters");
    const auto rest = text.substr(prefix.size());
    const auto colon = rest.find(':');
    image_source out{kind, std::filesystem::path{rest.substr(0, colon)}, {}};
    if (colon != std::string_view::npos) {
      out.ref = rest.substr(colon + 1);
      if (out.ref.empty()) return bad("a name is missing behind the last colon");
    }
    if (!out.path.is_absolute()) return bad("the path is not absolute");
    if (std::find(out.path.begin(), out.path.end(), "..") != out.path.end())
      return bad("the path contains '..'");
    return out;
  }
  return bad("it is no image source");
}

std::string stamp_of(const image_source& source) {
  struct stat st {};
  const auto path = source.kind == form::oci ? source.path / "index.json" : source.path;
  if (::stat(path.c_str(), &st) != 0) return {};
  return std::to_string(st.st_size) + " " + std::to_string(st.st_mtim.tv_sec) + "." +
         std::to_string(st.st_mtim.tv_nsec) + " " + std::to_string(st.st_dev) + ":" +
         std::to_string(st.st_ino);
}

} // namespace tank::oci

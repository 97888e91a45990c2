#include "cli/image_text.hpp"

#include "cli/tables.hpp"

#include <array>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace tank::cli {

std::string size_text(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit)
    value /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text.data();
}

std::string image_table(const std::vector<oci::image_summary>& images) {
  std::vector<std::vector<std::string>> rows{{"NAME", "DIGEST", "ARCH", "SIZE", "CREATED"}};
  for (const auto& image : images) {
    const auto colon = image.manifest_digest.find(':');
    const auto hex = colon == std::string::npos ? image.manifest_digest
                                                : image.manifest_digest.substr(colon + 1);
    rows.push_back({printable(image.name), hex.substr(0, 12), printable(image.architecture),
                    size_text(image.size), printable(image.created)});
  }
  return aligned(rows, 0);
}

std::string image_document(const std::vector<oci::image_summary>& images) {
  using json = nlohmann::ordered_json;
  json items = json::array();
  for (const auto& image : images)
    items.push_back({{"name", image.name},
                     {"digest", image.manifest_digest},
                     {"architecture", image.architecture},
                     {"created", image.created},
                     {"size", image.size}});
  const json document{
      {"apiVersion", "tank/v1"}, {"kind", "ImageList"}, {"items", std::move(items)}};
  return document.dump(2, ' ', false, json::error_handler_t::replace);
}

} // namespace tank::cli

#include "pod/layers_in_use.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <string_view>

namespace tank {

namespace fs = std::filesystem;

namespace {

constexpr const char* list_name = "lower";
constexpr std::size_t max_list = 4u << 20;

std::vector<fs::path> children(const fs::path& dir) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (fs::directory_iterator it{dir, ec}, end; !ec && it != end; it.increment(ec))
    out.push_back(it->path());
  return out;
}

} // namespace

std::vector<fs::path> pod_state_roots(const directories& dirs) {
  std::vector<fs::path> out{dirs.pod_states()};
  for (auto& path : children(dirs.state_dir)) {
    const auto name = path.filename().string();
    if (name == "pods" || name.starts_with("up-")) out.push_back(std::move(path));
  }
  return out;
}

result<void> write_layers_in_use(const fs::path& directory, const std::vector<fs::path>& layers) {
  std::string text;
  for (const auto& layer : layers)
    text.append(layer.native()).push_back('\n');
  TANK_TRY(make_directories(directory));
  const auto path = directory / list_name;
  std::error_code ignored; // of an earlier run; then it cannot be made new, and that is told
  fs::remove(path, ignored);
  return write_new_file(path, text, 0600);
}

std::vector<fs::path> read_layers_in_use(const directories& dirs) {
  std::vector<fs::path> out;
  for (const auto& root : pod_state_roots(dirs))
    for (const auto& pod : children(root))
      for (const auto& container : children(pod)) {
        const auto text = read_file(container / list_name, max_list);
        if (!text) continue;
        for (std::size_t begin = 0; begin < text->size();) {
          const auto end = std::min(text->find('\n', begin), text->size());
          out.emplace_back(text->substr(begin, end - begin));
          begin = end + 1;
        }
      }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

oci::store_options store_options_of(const directories& dirs) {
  oci::store_options out;
  out.in_use = [dirs] { return read_layers_in_use(dirs); };
  return out;
}

} // namespace tank

#include "pod/layers_in_use.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <iterator>
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

/// The directories of all containers of all instances. Those of earlier versions lie elsewhere:
/// <state_dir>/<pods|up-*>/<uid>/<container>.
std::vector<fs::path> container_directories(const directories& dirs) {
  std::vector<fs::path> out;
  const auto append = [&out](std::vector<fs::path> more) {
    out.insert(out.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
  };
  for (const auto& instance : children(dirs.all_pod_states()))
    for (const auto& pod : children(instance)) {
      out.push_back(pod);
      append(children(pod / "containers"));
    }
  for (const auto& old : children(dirs.state_dir))
    if (old.filename().native().starts_with("up-"))
      for (const auto& pod : children(old))
        append(children(pod));
  return out;
}

} // namespace

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
  for (const auto& container : container_directories(dirs)) {
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

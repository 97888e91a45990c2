#include "oci/layer_view.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tank::oci {

namespace {

constexpr std::size_t max_components = 4096;
/// Names looked up for one file: a second or so. Honest images need hundreds.
constexpr std::size_t max_lookups = 200'000;

void prepend(std::deque<std::string>& todo, std::string_view path) {
  const auto parts = parts_of(path);
  todo.insert(todo.begin(), parts.begin(), parts.end());
}

result<std::string> read_regular(int parent, const std::string& name, std::size_t limit,
                                 const std::string& path) {
  const unique_fd fd{
      ::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  if (!fd) return fail_errno(errno, "read from image", path);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "read from image", path);
  if (!S_ISREG(st.st_mode))
    return fail(errc::invalid, "read from image", path, "not a regular file");
  return read_all(fd.get(), limit, path);
}

} // namespace

layer_view::layer_view(std::vector<std::filesystem::path> layers) : layers_(std::move(layers)) {
  std::reverse(layers_.begin(), layers_.end());
}

/// What the layers show at `way`, a path through directories.
result<layer_look> layer_view::find(const std::vector<std::string>& way, std::size_t& steps) const {
  for (const auto& layer : layers_) {
    if ((steps += way.size() + 1) > max_lookups)
      return fail(errc::limit, "look up", way.back(), "the way to it is too long");
    const unique_fd root{::open(layer.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!root) return fail_errno(errno, "open layer", layer);
    auto here = TANK_TRY(look_into(root.get(), way));
    if (here.what != layer_look::kind::none || here.ends) return here;
  }
  return layer_look{};
}

result<std::string> layer_view::read(std::string_view path, std::size_t limit) const {
  const std::string object{path};
  std::deque<std::string> todo;
  prepend(todo, path);
  std::vector<std::string> way; // below the root, through directories
  std::size_t steps = 0;
  for (int links = 0; !todo.empty();) {
    if (todo.size() + way.size() > max_components)
      return fail_errno(ENAMETOOLONG, "read from image", object);
    const auto name = std::move(todo.front());
    todo.pop_front();
    if (name == "..") {
      if (!way.empty()) way.pop_back();
      continue;
    }
    way.push_back(name);
    const auto here = find(way, steps);
    if (!here) return wrap(here.error(), "read from image", object);
    switch (here->what) {
    case layer_look::kind::directory:
      continue;
    case layer_look::kind::none:
      return fail_errno(ENOENT, "read from image", object);
    case layer_look::kind::other:
      if (!todo.empty()) return fail_errno(ENOTDIR, "read from image", object);
      return read_regular(here->fd.get(), name, limit, object);
    case layer_look::kind::link:
      break;
    }
    if (++links > max_links) return fail_errno(ELOOP, "read from image", object);
    way.pop_back();
    if (here->target.starts_with('/')) way.clear();
    prepend(todo, here->target);
  }
  return fail_errno(EISDIR, "read from image", object);
}

} // namespace tank::oci

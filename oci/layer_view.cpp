#include "oci/layer_view.hpp"

#include "base/file.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace tank::oci {

namespace {

constexpr int max_links_followed = 40; ///< as the kernel
constexpr std::size_t max_components = 4096;

bool hides_lower(int directory) {
  char value = 0;
  for (const char* key : {"trusted.overlay.opaque", "user.overlay.opaque"})
    if (::fgetxattr(directory, key, &value, 1) == 1 && value == 'y') return true;
  return false;
}

/// Puts the components of `path` before those in `todo`.
void prepend(std::deque<std::string>& todo, std::string_view path) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    if (const auto part = path.substr(begin, end - begin); !part.empty() && part != ".")
      parts.emplace_back(part);
    begin = end + 1;
  }
  todo.insert(todo.begin(), std::make_move_iterator(parts.begin()),
              std::make_move_iterator(parts.end()));
}

result<std::string> read_link(int parent, const std::string& name) {
  std::array<char, PATH_MAX> target{};
  const auto n = ::readlinkat(parent, name.c_str(), target.data(), target.size());
  if (n < 0) return fail_errno(errno, "read link", name);
  return std::string{target.data(), static_cast<std::size_t>(n)};
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

result<layer_view> layer_view::open(const std::vector<std::filesystem::path>& layers) {
  layer_view view;
  for (auto it = layers.rbegin(); it != layers.rend(); ++it) {
    unique_fd fd{::open(it->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!fd) return fail_errno(errno, "open layer", *it);
    view.root_.push_back(std::move(fd));
  }
  return view;
}

result<layer_view::found> layer_view::look_up(const directory& in, const std::string& name) {
  found out;
  for (const auto& layer : in) {
    struct stat st {};
    if (::fstatat(layer.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return fail_errno(errno, "look up", name);
    }
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0)) break; // hidden from here down
    if (!S_ISDIR(st.st_mode)) {
      if (!out.children.empty()) break; // an upper directory covers it
      out.parent.reset(::openat(layer.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!out.parent) return fail_errno(errno, "look up", name);
      out.is_link = S_ISLNK(st.st_mode);
      return out;
    }
    unique_fd child{
        ::openat(layer.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!child) return fail_errno(errno, "look up", name);
    const bool opaque = hides_lower(child.get());
    out.children.push_back(std::move(child));
    if (opaque) break;
  }
  if (out.children.empty()) return fail_errno(ENOENT, "look up", name);
  return out;
}

result<std::string> layer_view::read(std::string_view path, std::size_t limit) const {
  const std::string object{path};
  std::deque<std::string> todo;
  prepend(todo, path);
  std::vector<directory> way; // below the root
  for (int links = 0; !todo.empty();) {
    if (todo.size() > max_components) return fail_errno(ENAMETOOLONG, "read from image", object);
    const auto name = std::move(todo.front());
    todo.pop_front();
    if (name == "..") {
      if (!way.empty()) way.pop_back();
      continue;
    }
    auto next = look_up(way.empty() ? root_ : way.back(), name);
    if (!next) return wrap(std::move(next).error(), "read from image", object);
    if (!next->parent) {
      way.push_back(std::move(next->children));
      continue;
    }
    if (!next->is_link) {
      if (!todo.empty()) return fail_errno(ENOTDIR, "read from image", object);
      return read_regular(next->parent.get(), name, limit, object);
    }
    if (++links > max_links_followed) return fail_errno(ELOOP, "read from image", object);
    const auto target = TANK_TRY(read_link(next->parent.get(), name));
    if (target.starts_with('/')) way.clear();
    prepend(todo, target);
  }
  return fail_errno(EISDIR, "read from image", object);
}

} // namespace tank::oci

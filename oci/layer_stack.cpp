#include "oci/layer_stack.hpp"

#include "base/text.hpp"
#include "oci/attributes.hpp"
#include "oci/tree.hpp"
#include "oci/unpack.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <deque>
#include <dirent.h>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>

namespace tank::oci {

namespace {

using kind = layer_look::kind;
/// Names looked up for one image: some seconds. Honest images need thousands.
constexpr std::uint64_t max_steps = 10'000'000;

std::string join(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent + "/" + name;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string{} : path.substr(0, slash);
}

std::string last_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

result<directory_look> look_of(int fd, const std::string& path) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return fail_errno(errno, "stat", path);
  directory_look out;
  out.path = path;
  out.permissions = st.st_mode & 07777;
  out.uid = st.st_uid;
  out.gid = st.st_gid;
  out.mtime = st.st_mtim;
  out.attributes = TANK_TRY(kept_attributes(fd));
  return out;
}

directory_look made_directory(const std::string& path) {
  directory_look out;
  out.path = path;
  out.permissions = 0755;
  return out;
}

bool same(const directory_look& a, const directory_look& b) {
  // The root's time is nobody's: few layers name it, and a container's own layer covers it.
  const bool time =
      a.path.empty() || (a.mtime.tv_sec == b.mtime.tv_sec && a.mtime.tv_nsec == b.mtime.tv_nsec);
  return time && a.permissions == b.permissions && a.uid == b.uid && a.gid == b.gid &&
         a.attributes == b.attributes;
}

} // namespace

std::string to_text(const std::vector<directory_look>& looks) {
  std::string out;
  for (const auto& d : looks) {
    char head[128];
    std::snprintf(head, sizeof head, "%o %u %u %lld.%09ld", d.permissions, d.uid, d.gid,
                  static_cast<long long>(d.mtime.tv_sec), d.mtime.tv_nsec);
    out += head;
    out += d.hidden ? " hidden " : " ";
    out += to_hex(d.path);
    for (const auto& [key, value] : d.attributes)
      out += " " + to_hex(key) + "=" + to_hex(value);
    out += "\n";
  }
  return out;
}

std::string moved(const path_moves& moves, const std::string& path) {
  for (auto parent = parent_of(path); !parent.empty(); parent = parent_of(parent))
    if (const auto it = moves.find(parent); it != moves.end())
      return it->second.empty() ? path.substr(parent.size() + 1)
                                : it->second + path.substr(parent.size());
  return path;
}

void layer_stack::push(unique_fd root, const std::vector<std::string>& implied,
                       const std::vector<std::string>& marked, std::string name) {
  layers_.push_back({std::move(root),
                     {implied.begin(), implied.end()},
                     {marked.begin(), marked.end()},
                     std::move(name)});
}

result<void> layer_stack::spend(std::size_t steps) {
  spent_ += steps;
  if (spent_ <= max_steps) return {};
  return fail(errc::limit, "put", "layers on one another",
              "they leave too many directories unnamed");
}

result<layer_look> layer_stack::look(int root, const std::string& path) {
  const auto parts = parts_of(path);
  TANK_TRY(spend(parts.size() + 1));
  return look_into(root, parts);
}

/// What all layers together show at `path`, a path through directories.
result<layer_look> layer_stack::find(const std::string& path, std::size_t* by) {
  for (auto i = layers_.size(); i-- > 0;) {
    auto here = TANK_TRY(look(layers_[i].root.get(), path));
    if (by != nullptr) *by = i;
    if (here.what != kind::none || here.ends) return here;
  }
  return layer_look{};
}

/// Where `name` in the directory `parent` leads, links followed inside of the root. What is not
/// there stays as it is named.
result<std::string> layer_stack::resolve(const std::string& parent, const std::string& name) {
  std::string at = parent;
  std::deque<std::string> todo{name};
  for (int links = 0; !todo.empty();) {
    const auto part = std::move(todo.front());
    todo.pop_front();
    if (part == "..") {
      at = parent_of(at);
      continue;
    }
    const auto here = TANK_TRY(find(join(at, part)));
    if (here.what != kind::link) {
      at = join(at, part);
      continue;
    }
    if (++links > max_links) return fail_errno(ELOOP, "follow link", name);
    if (here.target.starts_with('/')) at.clear();
    const auto more = parts_of(here.target);
    todo.insert(todo.begin(), more.begin(), more.end());
    if (todo.size() > PATH_MAX) return fail_errno(ENAMETOOLONG, "follow link", name);
  }
  return at;
}

/// The directory that `path` leads to, links followed inside of the root.
result<std::string> layer_stack::resolve_all(const std::string& path) {
  std::string at;
  for (const auto& part : parts_of(path))
    at = part == ".." ? parent_of(at) : TANK_TRY(resolve(at, part));
  return at;
}

result<layer_stack::lower_file> layer_stack::file_at(const std::string& path) {
  const auto parent = TANK_TRY(resolve_all(parent_of(path)));
  lower_file out;
  out.path = join(parent, last_of(path));
  const auto here = TANK_TRY(find(out.path, &out.layer));
  if (here.what != kind::link && here.what != kind::other)
    return fail_errno(here.what == kind::directory ? EISDIR : ENOENT, "link to", for_message(path));
  // Of what may be no file nothing is read: opening a device or a pipe may do something.
  out.fd.reset(::openat(here.fd.get(), last_of(out.path).c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!out.fd) return fail_errno(errno, "link to", for_message(path));
  return out;
}

result<path_moves> layer_stack::moves_for(int root, const std::vector<std::string>& implied) {
  const std::set<std::string> own{implied.begin(), implied.end()};
  // Where each directory of the layer lies on this stack; nullopt: it is new, and so is all below.
  std::map<std::string, std::optional<std::string>> places{{"", std::string{}}};
  path_moves out;
  for (const auto& path : own) {
    std::vector<std::string> way; // from the topmost that is not known yet
    for (auto at = path; !places.contains(at); at = parent_of(at))
      way.push_back(at);
    for (; !way.empty(); way.pop_back()) {
      const auto& at = way.back();
      const auto parent = places.at(parent_of(at));
      std::optional<std::string> place;
      const auto above = TANK_TRY(look(root, parent_of(at)));
      if (parent && above.what == kind::directory && !is_opaque(above.fd.get())) {
        if (own.contains(at))
          place = TANK_TRY(resolve(*parent, last_of(at)));
        else if (TANK_TRY(find(join(*parent, last_of(at)))).what == kind::directory)
          place = join(*parent, last_of(at));
      }
      if (place && own.contains(at) && *place != moved(out, at)) out.emplace(at, *place);
      places.emplace(at, std::move(place));
    }
  }
  return out;
}

result<layer_stack::shown> layer_stack::see(const std::string& path) {
  shown out;
  bool merges = true; // overlay shows what is below; what is there still tells how it looks
  for (auto it = layers_.rbegin(); it != layers_.rend(); ++it) {
    auto here = TANK_TRY(look(it->root.get(), path));
    if (here.what == kind::directory) {
      if (!out.named) out.right = TANK_TRY(look_of(here.fd.get(), path));
      if (!out.top) out.top = out.right;
      out.named = out.named || !it->implied.contains(path);
      const bool opaque = is_opaque(here.fd.get());
      if (merges) out.marked = out.marked || it->marked.contains(path);
      if (merges) out.fds.push_back(std::move(here.fd));
      merges = merges && !opaque;
      if (out.named && !merges) break;
    }
    if (here.ends || (here.what != kind::none && here.what != kind::directory)) break;
  }
  return out;
}

/// Nothing is in it but whiteouts, and directories that are hollow too.
result<bool> layer_stack::hollow(const shown& what, const std::string& path,
                                 const std::set<std::string>& known) {
  if (path.empty() || what.named || what.fds.empty()) return false;
  for (const auto& fd : what.fds) {
    unique_fd again{::openat(fd.get(), ".", layer_dir_flags)};
    const dir_stream dir{again ? ::fdopendir(again.get()) : nullptr};
    if (!dir) return fail_errno(errno, "read", path);
    (void)again.release(); // the stream has it now
    for (errno = 0; const dirent* e = ::readdir(dir.get()); errno = 0) {
      const std::string name{e->d_name};
      if (name == "." || name == "..") continue;
      TANK_TRY(spend(1));
      struct stat st {};
      if (::fstatat(::dirfd(dir.get()), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(errno, "look up", name);
      if (!is_whiteout(st) && !known.contains(join(path, name))) return false;
    }
    if (errno != 0) return fail_errno(errno, "read", path);
  }
  return true;
}

result<std::string> layer_stack::identity(const std::string& path) {
  const auto found = TANK_TRY(file_at(path));
  return "\n" + layers_[found.layer].name + "/" + found.path;
}

/// Which of the directories `paths` are not there, and could be.
result<std::set<std::string>> layer_stack::missing(const std::vector<std::string>& paths) {
  std::set<std::string> out;
  for (const auto& path : paths) {
    const auto at = TANK_TRY(resolve_all(path));
    std::vector<std::string> absent;
    auto above = at;
    auto here = TANK_TRY(find(above));
    for (; here.what == kind::none && !above.empty(); here = TANK_TRY(find(above))) {
      absent.push_back(above);
      above = parent_of(above);
    }
    if (here.what == kind::directory) out.insert(absent.begin(), absent.end());
  }
  return out;
}

result<std::vector<directory_look>>
layer_stack::dressing(const std::vector<std::string>& directories) {
  const auto fresh = TANK_TRY(missing(directories));
  std::set<std::string> wanted{""};
  for (const auto& path : fresh)
    for (auto at = path; wanted.insert(at).second; at = parent_of(at)) {
    }
  for (const auto& l : layers_)
    for (const auto* list : {&l.implied, &l.marked})
      for (const auto& path : *list)
        for (auto at = path; wanted.insert(at).second; at = parent_of(at)) {
        }
  std::vector<directory_look> out;
  std::set<std::string> hidden;
  bool differs = false;
  for (auto it = wanted.rbegin(); it != wanted.rend(); ++it) { // children first
    if (fresh.contains(*it)) {
      out.push_back(made_directory(*it));
      differs = true;
      continue;
    }
    auto there = TANK_TRY(see(*it));
    if (!there.top) continue; // an upper layer hides it
    if (TANK_TRY(hollow(there, *it, hidden))) {
      hidden.insert(*it);
      there.right->hidden = true;
    }
    // Where overlay has nothing to merge, it lists what is there, whiteouts too.
    const bool listed = there.marked && there.fds.size() == 1 && !it->empty();
    differs = differs || there.right->hidden || listed || !same(*there.top, *there.right);
    out.push_back(*std::move(there.right));
  }
  if (!differs) out.clear();
  std::erase_if(
      out, [&](const auto& d) { return hidden.contains(parent_of(d.path)) && !d.path.empty(); });
  std::reverse(out.begin(), out.end());
  return out;
}

} // namespace tank::oci

/// The layers of an image laid on one another, where they lean on those below (layer_stack.hpp).
#include "base/file.hpp"
#include "oci/ingest_session.hpp"
#include "oci/layer_stack.hpp"
#include "oci/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace tank::oci {

namespace {

/// An image may hide everything below one layer by an opaque mark on the root. Overlay does not
/// look there, so the layers below are left out instead.
std::size_t first_visible_layer(const store_layout& layout, const image_record& record) {
  for (auto i = record.layers.size(); i-- > 1;) {
    const auto path = layout.layer(record.layers[i].directory());
    char value = 0;
    for (const char* key : {"trusted.overlay.opaque", "user.overlay.opaque"})
      if (::lgetxattr(path.c_str(), key, &value, 1) == 1 && value == 'y') return i;
  }
  return 0;
}

result<void> apply(int fd, const directory_look& look, bool rootless) {
  const auto wrong = [&](const char* step) { return fail_errno(errno, step, look.path); };
  if (!rootless && ::fchown(fd, look.uid, look.gid) != 0) return wrong("chown");
  if (::fchmod(fd, look.permissions) != 0) return wrong("chmod");
  for (const auto& [key, value] : look.attributes)
    if (::fsetxattr(fd, key.c_str(), value.data(), value.size(), 0) != 0)
      return wrong("set attribute of");
  const timespec times[2] = {look.mtime, look.mtime};
  if (::futimens(fd, times) != 0) return wrong("set time of");
  return {};
}

/// Parents come before their children, and get their looks after them.
result<void> make_directories_in(int root, const std::vector<directory_look>& looks,
                                 bool rootless) {
  for (const auto& look : looks) {
    if (look.path.empty()) continue;
    // The kernel lets everybody make this one device: it is the whiteout itself.
    const int made = look.hidden ? ::mknodat(root, look.path.c_str(), S_IFCHR, makedev(0, 0))
                                 : ::mkdirat(root, look.path.c_str(), 0700);
    if (made != 0) return fail_errno(errno, "make directory", look.path);
  }
  for (auto it = looks.rbegin(); it != looks.rend(); ++it) {
    if (it->hidden) continue;
    const auto fd = TANK_TRY(open_in_root(root, it->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TANK_TRY(apply(fd.get(), *it, rootless));
  }
  return {};
}

/// The directories that an image declares as VOLUME: they are there in every container, whether or
/// not a layer has them. Other texts than absolute paths without ".." are passed over, as are names
/// that no directory can have.
std::vector<std::string> volumes_of(const image_config& config) {
  constexpr std::size_t most = 100;
  const auto impossible = [](const std::string& part) {
    return part == ".." || part.size() > NAME_MAX;
  };
  std::vector<std::string> out;
  for (const auto& text : config.volumes) {
    if (!text.starts_with('/') || text.size() > PATH_MAX / 2 || out.size() == most) continue;
    const auto parts = parts_of(text);
    if (parts.empty() || std::any_of(parts.begin(), parts.end(), impossible)) continue;
    std::string path;
    for (const auto& part : parts)
      path.append(path.empty() ? "" : "/").append(part);
    out.push_back(std::move(path));
  }
  return out;
}

} // namespace

bool ingest::holds(const image_record& record) const {
  const auto all = record.directories();
  return std::all_of(all.begin(), all.end(),
                     [&](const digest& id) { return whole_layer(id).has_value(); });
}

/// Fills in where the layers' directories are. All layers are here.
result<void> ingest::write_stack(image_record& record) {
  layer_stack stack;
  unpack_budget spent;
  bool leans = false;
  for (std::size_t i = 0; i < record.layers.size(); ++i) {
    auto& l = record.layers[i];
    l.laid = {};
    auto facts = TANK_TRY(read_facts(s_->layout, l.diff_id));
    auto root = TANK_TRY(open_directory(s_->layout.layer(l.diff_id)));
    // The root is unnamed in most layers: alone it is looked at, but nothing is below it to move.
    const bool unnamed = std::any_of(facts.implied.begin(), facts.implied.end(),
                                     [](const auto& path) { return !path.empty(); });
    path_moves moves;
    if (i > 0 && unnamed) moves = TANK_TRY(stack.moves_for(root.get(), facts.implied));
    if (!moves.empty() || !facts.borrowed.empty()) {
      facts = TANK_TRY(rewrite_layer(l, moves, facts.borrowed, stack, spent));
      root = TANK_TRY(open_directory(s_->layout.layer(l.laid)));
    }
    leans = leans || (i > 0 && !facts.implied.empty()) || !facts.marked.empty();
    stack.push(std::move(root), facts.implied, facts.marked, l.directory().hex);
  }
  record.first_visible = first_visible_layer(s_->layout, record);
  record.dressing = {};
  const auto volumes = volumes_of(record.config);
  if (!leans && volumes.empty()) return {};
  const auto looks = TANK_TRY(stack.dressing(volumes));
  return looks.empty() ? result<void>{} : add_marks(record, looks);
}

/// Unpacks a layer once more, from its blob, with `moves`, and with the files of the layers below
/// that its hard links mean.
result<layer_facts> ingest::rewrite_layer(layer_record& l, const path_moves& moves,
                                          const std::vector<borrowed_link>& borrowed,
                                          layer_stack& below, unpack_budget& spent) {
  std::string text = "laid " + l.diff_id.to_string();
  for (const auto& [from, to] : moves)
    text.append(1, '\0').append(from).append(1, '\0').append(to);
  // Which files these are is a part of what the layer becomes.
  std::set<std::string> made;
  for (const auto& link : borrowed) {
    if (!made.contains(link.target)) text += TANK_TRY(below.identity(link.target));
    made.insert(link.path);
    text.append(1, '\0').append(link.path).append(1, '\0').append(link.target);
  }
  l.laid = digest_of(text);
  const auto held = TANK_TRY(lock_layer(s_->layout, l.laid));
  if (auto here = whole_layer(l.laid)) return *std::move(here);
  const auto path = s_->layout.blob(l.blob);
  unique_fd file{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
  if (!file) return fail_errno(errno, "open", path);
  const auto& limits = s_->options.limits;
  file_source bytes{std::move(file), path};
  measuring_source raw{bytes, l.blob.algorithm, limits.max_stream()};
  decompressing_source plain{raw, limits.expansion, &spent.expansion};
  const auto tree = TANK_TRY(make_directory());
  layer made_of;
  unpack_options how{.moves = &moves, .budget = &spent};
  how.lender = [&](const std::string& target) -> result<unique_fd> {
    auto found = TANK_TRY(below.file_at(target));
    return std::move(found.fd);
  };
  made_of.report = TANK_TRY(unpack(plain, tree, std::move(how)));
  if (const auto found = TANK_TRY(raw.finish()); found != l.blob)
    return fail(errc::corrupt, "verify", l.blob.to_string(), "the content is " + found.to_string());
  made_of.diff_id = l.laid;
  TANK_TRY(publish(made_of, tree));
  return read_facts(s_->layout, l.laid);
}

result<void> ingest::add_marks(image_record& record, const std::vector<directory_look>& looks) {
  record.dressing = digest_of("dressing\n" + to_text(looks));
  const auto held = TANK_TRY(lock_layer(s_->layout, record.dressing));
  if (whole_layer(record.dressing)) return {};
  const auto tree = TANK_TRY(make_directory());
  const auto root = TANK_TRY(open_directory(tree));
  TANK_TRY(make_directories_in(root.get(), looks, s_->options.rootless.value_or(::geteuid() != 0)));
  layer made;
  made.diff_id = record.dressing;
  return publish(made, tree);
}

} // namespace tank::oci

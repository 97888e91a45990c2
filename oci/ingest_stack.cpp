/// The layers of an image laid on one another, where they lean on those below (layer_stack.hpp).
#include "base/file.hpp"
#include "oci/ingest_session.hpp"
#include "oci/layer_stack.hpp"
#include "oci/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
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

} // namespace

bool ingest::holds(const image_record& record) const {
  const auto all = record.directories();
  return std::all_of(all.begin(), all.end(),
                     [&](const digest& id) { return whole_layer(id).has_value(); });
}

/// Fills in where the layers' directories are. All layers are here.
result<void> ingest::lay(image_record& record) {
  layer_stack stack;
  bool leans = false;
  for (std::size_t i = 0; i < record.layers.size(); ++i) {
    auto& l = record.layers[i];
    l.laid = {};
    auto facts = TANK_TRY(read_facts(s_->layout, l.diff_id));
    auto root = TANK_TRY(open_directory(s_->layout.layer(l.diff_id)));
    // The root is unnamed in most layers: alone it is looked at, but nothing is below it to move.
    const bool unnamed = std::any_of(facts.implied.begin(), facts.implied.end(),
                                     [](const auto& path) { return !path.empty(); });
    if (i > 0 && unnamed)
      if (const auto moves = TANK_TRY(stack.moves_for(root.get(), facts.implied)); !moves.empty()) {
        facts = TANK_TRY(lay_again(l, moves));
        root = TANK_TRY(open_directory(s_->layout.layer(l.laid)));
      }
    leans = leans || (i > 0 && !facts.implied.empty()) || !facts.marked.empty();
    stack.push(std::move(root), facts.implied, facts.marked);
  }
  record.first_visible = first_visible_layer(s_->layout, record);
  record.dressing = {};
  if (!leans) return {};
  const auto looks = TANK_TRY(stack.dressing());
  return looks.empty() ? result<void>{} : dress(record, looks);
}

/// Unpacks a layer once more, from its blob, with `moves`.
result<layer_facts> ingest::lay_again(layer_record& l, const path_moves& moves) {
  std::string text = "laid " + l.diff_id.to_string();
  for (const auto& [from, to] : moves)
    text.append(1, '\0').append(from).append(1, '\0').append(to);
  l.laid = digest_of(text);
  const auto held = TANK_TRY(lock_layer(s_->layout, l.laid));
  if (auto here = whole_layer(l.laid)) return *std::move(here);
  const auto path = s_->layout.blob(l.blob);
  unique_fd file{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
  if (!file) return fail_errno(errno, "open", path);
  const auto& limits = s_->options.limits;
  file_source bytes{std::move(file), path};
  measuring_source raw{bytes, l.blob.algorithm, limits.max_stream()};
  decompressing_source plain{raw, limits.expansion};
  const auto tree = TANK_TRY(make_directory());
  unpack_budget spent;
  layer made;
  made.report = TANK_TRY(unpack(plain, tree, spent, &moves));
  if (const auto found = TANK_TRY(raw.finish()); found != l.blob)
    return fail(errc::corrupt, "verify", l.blob.to_string(), "the content is " + found.to_string());
  made.diff_id = l.laid;
  TANK_TRY(publish(made, tree));
  return read_facts(s_->layout, l.laid);
}

result<void> ingest::dress(image_record& record, const std::vector<directory_look>& looks) {
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

#include "kernel/shim/builder.hpp"
#include "kernel/shim/paths.hpp"

#include <cerrno>
#include <cstring>
#include <initializer_list>

namespace tank::kernel::shim {
namespace {

/// The upper layer dies with the container, so its fsyncs may be skipped ("volatile"); without it
/// the last unmount would sync the whole filesystem that the upper directory is on. The rest
/// pins what distributions configure differently.
constexpr const char* fixed_flags[] = {"volatile"};
constexpr const char* fixed_options[][2] = {
    {"index", "off"}, {"metacopy", "off"}, {"redirect_dir", "off"}};

/// Device nodes in an image's layers stay inert.
constexpr std::uint64_t root_attributes = MOUNT_ATTR_NODEV;

int open_directory(const char* path) noexcept {
  return ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

} // namespace

int open_layers(const wire::overlay_view& s, layers& l, step_failure* out) noexcept {
  constexpr const char* verb = "open the image layer";
  if (s.lower.count > max_layers) return out->set(E2BIG, verb, s.lower.items[max_layers]);
  for (; l.count < s.lower.count; ++l.count) {
    l.lower[l.count] = open_directory(s.lower.items[l.count]);
    if (l.lower[l.count] < 0) return out->set(errno, verb, s.lower.items[l.count]);
  }
  l.upper.reset(open_directory(s.upper.c_str()));
  if (!l.upper) return out->set(errno, "open the upper directory", s.upper.c_str());
  l.work.reset(open_directory(s.work.c_str()));
  if (!l.work) return out->set(errno, "open the work directory", s.work.c_str());
  return 0;
}

int new_overlay(const layers& l) noexcept {
  const unique_fd fs{::fsopen("overlay", FSOPEN_CLOEXEC)};
  if (!fs) return -1;
  const auto set_fd = [&](const char* key, int fd) {
    return ::fsconfig(fs.get(), FSCONFIG_SET_FD, key, nullptr, fd) == 0;
  };
  for (std::uint32_t i = 0; i < l.count; ++i) {
    if (!set_fd("lowerdir+", l.lower[i])) return -1;
  }
  if (!set_fd("upperdir", l.upper.get()) || !set_fd("workdir", l.work.get())) return -1;
  for (const char* flag : fixed_flags) {
    if (::fsconfig(fs.get(), FSCONFIG_SET_FLAG, flag, nullptr, 0) != 0) return -1;
  }
  for (const auto& option : fixed_options) {
    if (::fsconfig(fs.get(), FSCONFIG_SET_STRING, option[0], option[1], 0) != 0) return -1;
  }
  ::fsconfig(fs.get(), FSCONFIG_SET_STRING, "source", "overlay", 0);
  if (::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return -1;
  return ::fsmount(fs.get(), FSMOUNT_CLOEXEC, root_attributes);
}

namespace {

/// Over "/", which needs no directory of its own anywhere. Paths of the host still resolve below
/// it: a lookup starts at the root it was given, not at what is mounted on that.
int attach_root(builder& b, int mount, const char* object) noexcept {
  if (::move_mount(mount, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return b.out->set(errno, "attach the root filesystem", object);
  }
  return 0;
}

int bind_root(builder& b, const wire::overlay_view& s) noexcept {
  const char* dir = s.lower.count == 1 ? s.lower.items[0] : "";
  if (s.lower.count != 1) return b.out->set(EINVAL, "make the root filesystem from", dir);
  const unique_fd source{::open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!source) return b.out->set(errno, "open the root directory", dir);
  b.root.reset(clone_mount(source.get(), "", true));
  if (!b.root || change_mount(b.root.get(), 0, MS_PRIVATE, true) != 0 ||
      change_mount(b.root.get(), root_attributes, 0, false) != 0) {
    return b.out->set(errno, "bind the root directory", dir);
  }
  return attach_root(b, b.root.get(), dir);
}

} // namespace

int mount_overlay_by_string(const int* lower, std::uint32_t count, int upper, int work) noexcept {
  char data[4096] = {};
  bool fits = true;
  const auto add = [&](const char* text) { fits = fits && append(data, sizeof data, text); };
  const auto add_fd = [&](const char* key, int fd) {
    char number[21];
    *put_decimal(number, static_cast<unsigned>(fd)) = '\0';
    add(key);
    add("/proc/self/fd/");
    add(number);
  };
  for (std::uint32_t i = 0; i < count; ++i)
    add_fd(i == 0 ? "lowerdir=" : ":", lower[i]);
  add_fd(",upperdir=", upper);
  add_fd(",workdir=", work);
  for (const char* flag : fixed_flags) {
    add(",");
    add(flag);
  }
  for (const auto& option : fixed_options) {
    for (const char* part : {",", option[0], "=", option[1]})
      add(part);
  }
  if (!fits) {
    errno = E2BIG;
    return -1;
  }
  if (::mount("overlay", "/", "overlay", MS_NODEV, data) != 0) return -1;
  // ".." of the root is the root again, but this lookup does cross into what is mounted on it.
  return ::open("/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int make_root(builder& b, const wire::overlay_view& s) noexcept {
  if (b.root) return b.out->set(EBUSY, "make a second root filesystem from", s.upper.c_str());
  if (b.opened != nullptr) {
    b.root.reset(b.take_source());
    return attach_root(b, b.root.get(), s.upper.c_str());
  }
  if (s.upper.empty()) return bind_root(b, s);
  layers l;
  if (open_layers(s, l, b.out) != 0) return -1;
  const int mount = new_overlay(l);
  if (mount >= 0) {
    b.root.reset(mount);
    return attach_root(b, mount, s.upper.c_str());
  }
  if (errno == EINVAL || errno == EBADF || errno == EOPNOTSUPP) {
    b.root.reset(mount_overlay_by_string(l.lower, l.count, l.upper.get(), l.work.get()));
    if (b.root) return 0;
  }
  return b.out->set(errno, "mount overlay on", s.upper.c_str());
}

int pivot(builder& b, const wire::pivot_view& s) noexcept {
  if (s.read_only_root && b.late_directory != nullptr) {
    const unique_fd made{
        open_target(b.root.get(), b.late_directory, {.kind = make_kind::directory})};
    if (!made) return b.out->set(errno, "make the directory", b.late_directory);
  }
  // With both arguments the new root, the old one ends up stacked on it: no directory of the image
  // is needed to hold it for the moment until it is let go.
  if (::fchdir(b.root.get()) != 0 || pivot_root(".", ".") != 0) {
    return b.out->set(errno, "pivot to the root filesystem", "/");
  }
  if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) {
    return b.out->set(errno, "let go of the host's root", "/");
  }
  b.pivoted = true;
  if (s.read_only_root && change_mount(b.root.get(), MOUNT_ATTR_RDONLY, 0, false) != 0) {
    return b.out->set(errno, "make read-only the root filesystem", "/");
  }
  return 0;
}

} // namespace tank::kernel::shim

#include "kernel/shim/sources.hpp"

#include "kernel/shim/builder.hpp"
#include "kernel/shim/paths.hpp"

#include <cerrno>
#include <utility>

#include <sched.h>
#include <sys/stat.h>

namespace tank::kernel::shim {
namespace {

constexpr const char* verb = "map the ids of";
constexpr int highest_given = 3; ///< to a child: its standard ones and the checkpoint

int map_ids(int mount, int users, bool recursive) noexcept {
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_IDMAP;
  attr.userns_fd = static_cast<std::uint64_t>(users);
  return ::mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
                         sizeof attr);
}

int open_bind(const wire::bind_view& s, int users, step_failure* out) noexcept {
  const char* path = s.source.c_str();
  const unique_fd source{open_source(path)};
  struct stat st {};
  if (!source || ::fstat(source.get(), &st) != 0)
    return out->set(errno, "open the source of a mount", path);
  const bool all = s.recursive && S_ISDIR(st.st_mode);
  unique_fd mount{clone_mount(source.get(), "", all)};
  const std::uint64_t attributes =
      mount_attributes(s.flags) | (s.read_only ? std::uint64_t{MOUNT_ATTR_RDONLY} : 0);
  if (!mount || change_mount(mount.get(), attributes, MS_PRIVATE, all) != 0)
    return out->set(errno, "copy the mount of", path);
  if (s.mapped && map_ids(mount.get(), users, all) != 0)
    return out->set(errno, verb, path, launch_failure::map_ids);
  return mount.release();
}

/// The directory itself is the root filesystem.
int open_root(const wire::overlay_view& s, int users, step_failure* out) noexcept {
  const char* dir = s.lower.count == 1 ? s.lower.items[0] : "";
  if (s.lower.count != 1) return out->set(EINVAL, "make the root filesystem from", dir);
  unique_fd mount{clone_mount(AT_FDCWD, dir, true)};
  if (!mount || change_mount(mount.get(), 0, MS_PRIVATE, true) != 0 ||
      change_mount(mount.get(), MOUNT_ATTR_NODEV, 0, false) != 0)
    return out->set(errno, "bind the root directory", dir);
  if (s.mapped && map_ids(mount.get(), users, true) != 0)
    return out->set(errno, verb, dir, launch_failure::map_ids);
  return mount.release();
}

// --- the overlay -------------------------------------------------------------------------------

/// Puts a mapped mount in the place of each layer's directory, in `l` and in the mount namespace:
/// before 6.15 overlayfs takes no mount that is nowhere.
int map_layers(const wire::overlay_view& s, int users, layers& l, step_failure* out) noexcept {
  for (std::uint32_t i = 0; i < l.count; ++i) {
    const char* path = s.lower.items[i];
    const unique_fd directory{l.lower[i]};
    l.lower[i] = clone_mount(directory.get(), "", false);
    if (l.lower[i] < 0) return out->set(errno, "copy the mount of", path);
    if (map_ids(l.lower[i], users, false) != 0)
      return out->set(errno, verb, path, launch_failure::map_ids);
    if (attach_mount(l.lower[i], directory.get()) != 0)
      return out->set(errno, "attach the image layer", path);
  }
  return 0;
}

int mount_layers(const wire::overlay_view& s, int users, bool by_string,
                 step_failure* out) noexcept {
  layers l;
  if (open_layers(s, l, out) != 0) return -1;
  if (s.mapped && map_layers(s, users, l, out) != 0) return -1;
  unique_fd mount;
  if (!by_string) {
    mount.reset(new_overlay(l));
    by_string = !mount && (errno == EINVAL || errno == EBADF || errno == EOPNOTSUPP);
  }
  if (by_string) {
    const unique_fd root{mount_overlay_by_string(l.lower, l.count, l.upper.get(), l.work.get())};
    if (root) mount.reset(clone_mount(root.get(), "", false));
  }
  if (!mount) return out->set(errno, "mount overlay on", s.upper.c_str());
  return mount.release();
}

struct overlay_job {
  const wire::overlay_view& overlay;
  int users;
  bool by_string;
  step_failure* out;
  int mount = -1;
};

int do_overlay_job(void* all) noexcept {
  auto& job = *static_cast<overlay_job*>(all);
  if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0)
    job.out->set(errno, "separate the mounts of", "/");
  else
    job.mount = mount_layers(job.overlay, job.users, job.by_string, job.out);
  return 0;
}

} // namespace

int make_mapped_overlay(const wire::overlay_view& s, int users, bool by_string,
                        step_failure* out) noexcept {
  overlay_job job{s, users, by_string, out};
  if (!run_beside(CLONE_NEWNS, do_overlay_job, &job))
    return out->set(errno, "make a mount namespace for", s.upper.c_str());
  return job.mount;
}

int open_volume(const wire::volume_view& s, int users, step_failure* out) noexcept {
  constexpr const char* step = "copy the mount of the volume on";
  unique_fd source{open_source(s.source.c_str())};
  if (!source) return out->set(errno, "open the volume on", s.target.c_str());
  if (!s.sub_path.empty()) {
    unique_fd found{open_in_volume(source.get(), s.sub_path.c_str(), s.make)};
    if (!found) return out->set(errno, "find the subPath of the volume on", s.target.c_str());
    source = std::move(found);
  }
  struct stat st {};
  if (::fstat(source.get(), &st) != 0) return out->set(errno, step, s.target.c_str());
  const bool all = S_ISDIR(st.st_mode);
  unique_fd mount{clone_mount(source.get(), "", all)};
  const std::uint64_t attributes =
      mount_attributes(s.flags) | (s.read_only ? std::uint64_t{MOUNT_ATTR_RDONLY} : 0);
  const std::uint64_t propagation = s.follow ? MS_SLAVE : MS_PRIVATE;
  if (!mount || change_mount(mount.get(), attributes, propagation, all) != 0)
    return out->set(errno, step, s.target.c_str());
  if (s.mapped && users >= 0 && map_ids(mount.get(), users, all) != 0)
    return out->set(errno, verb, s.target.c_str(), launch_failure::map_ids);
  return mount.release();
}

static int open_overlay(const wire::overlay_view& s, int users, step_failure* out) noexcept {
  return s.upper.empty() ? open_root(s, users, out) : make_mapped_overlay(s, users, false, out);
}

bool sources::next(unsigned from, unsigned* out) const noexcept {
  bool found = false;
  for (unsigned i = 0; i < count_; ++i) {
    const auto fd = static_cast<unsigned>(fds_[i]);
    if (fd < from || (found && fd > *out)) continue;
    *out = fd;
    found = true;
  }
  return found;
}

int sources::open(const wire::plan_view& plan, int users, step_failure* out) noexcept {
  wire::step_view s;
  std::int32_t index = 0;
  for (auto cursor = plan.steps.walk(); cursor.next(&s); ++index) {
    const bool overlay = s.kind == wire::step_kind::overlay;
    const bool volume = s.kind == wire::step_kind::volume;
    if (!overlay && !volume && s.kind != wire::step_kind::bind) continue;
    int fd = -1;
    if (count_ == most)
      out->set(E2BIG, "open all sources of mounts of", plan.container.c_str());
    else
      fd = overlay  ? open_overlay(s.overlay, users, out)
           : volume ? open_volume(s.volume, users, out)
                    : open_bind(s.bind, users, out);
    if (fd < 0) {
      out->place(index);
      return -1;
    }
    fds_[count_++] = fd;
    if (fd > highest_given) continue;
    const int higher = ::fcntl(fd, F_DUPFD_CLOEXEC, highest_given + 1);
    if (higher < 0) return out->set(errno, "keep the source of a mount of", plan.container.c_str());
    ::close(fd);
    fds_[count_ - 1] = higher;
  }
  return 0;
}

} // namespace tank::kernel::shim

#include "pod/prepare_launch.hpp"

#include "pod/layers_in_use.hpp"
#include "pod/log_retention.hpp"
#include "kernel/end_shims.hpp"
#include "base/file.hpp"
#include "config/manifest.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tank {

static std::string_view kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
  case S_IFDIR:
    return "a directory";
  case S_IFREG:
    return "a file";
  case S_IFSOCK:
    return "a socket";
  case S_IFCHR:
    return "a character device";
  case S_IFBLK:
    return "a block device";
  default:
    return "something else";
  }
}

/// S_IF* of a hostPath type; 0: anything goes.
static result<mode_t> wanted_kind(const host_path& wanted) {
  const auto& t = wanted.type;
  if (t.empty()) return 0;
  if (t == "Directory" || t == "DirectoryOrCreate") return S_IFDIR;
  if (t == "File" || t == "FileOrCreate") return S_IFREG;
  if (t == "Socket") return S_IFSOCK;
  if (t == "CharDevice") return S_IFCHR;
  if (t == "BlockDevice") return S_IFBLK;
  return fail(errc::invalid, "mount volume", wanted.volume, "unknown hostPath type '" + t + "'");
}

static result<void> create_host_path(const host_path& wanted) {
  if (wanted.type == "DirectoryOrCreate") return make_directories(wanted.path, 0755);
  // Not followed and not truncated: whatever appears there in between is judged by the check.
  const unique_fd fd{
      ::open(wanted.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
  if (!fd && errno != EEXIST) return fail_errno(errno, "create file", wanted.path);
  if (fd && ::fchmod(fd.get(), 0644) != 0) return fail_errno(errno, "chmod", wanted.path);
  return {};
}

result<void> check_host_path(const host_path& wanted) {
  const auto kind = TANK_TRY(wanted_kind(wanted));
  const auto path = "hostPath of volume '" + wanted.volume + "'";
  struct stat st {};
  bool there = ::stat(wanted.path.c_str(), &st) == 0;
  if (!there && errno == ENOENT && wanted.type.ends_with("OrCreate")) {
    TANK_TRY(create_host_path(wanted));
    there = ::stat(wanted.path.c_str(), &st) == 0;
  }
  if (!there)
    return fail_errno(errno, "use " + path, wanted.path,
                      errno == ENOENT ? "create it, or set type: DirectoryOrCreate" : "");
  if (kind != 0 && (st.st_mode & S_IFMT) != kind)
    return fail(errc::invalid, "use " + path, wanted.path,
                "it is " + std::string{kind_of(st.st_mode)} + ", not of type " + wanted.type);
  return {};
}

static result<void> make_empty_dir(const empty_dir& dir) {
  TANK_TRY(make_directories(dir.path.parent_path()));
  if (::mkdir(dir.path.c_str(), 0700) != 0) {
    if (errno == EEXIST) return {}; // of an earlier run of this pod: contents and owner are its own
    return fail_errno(errno, "create directory", dir.path);
  }
  if ((dir.uid != 0 || dir.gid != 0) && ::chown(dir.path.c_str(), dir.uid, dir.gid) != 0)
    return fail_errno(errno, "chown", dir.path);
  if (::chmod(dir.path.c_str(), dir.mode) != 0) return fail_errno(errno, "chmod", dir.path);
  return {};
}

static result<void> write_etc(const launch_inputs& in) {
  TANK_TRY(make_directories(in.etc_dir));
  const auto write = [&](const char* name, const std::string& text) -> result<void> {
    const auto path = in.etc_dir / name;
    TANK_TRY(write_new_file(path, text));
    const auto owner = in.sandbox.users.first;
    if (owner != 0 && ::chown(path.c_str(), owner, owner) != 0)
      return fail_errno(errno, "chown", path);
    return {};
  };
  TANK_TRY(write("hosts", in.etc.hosts));
  TANK_TRY(write("hostname", in.etc.hostname));
  return write("resolv.conf", in.etc.resolv_conf);
}

static result<void> make_directories_of(const prepare_request& r, const launch_inputs& in,
                                        kernel::port& port) {
  TANK_TRY(clean_launch(*r.pod, r.dirs, r.uid, port));
  TANK_TRY(make_directories(in.sandbox.run_dir));
  if (!in.upper_dir.empty()) {
    // First of all: from now on nobody removes them, and if they are gone already, the launch says.
    TANK_TRY(write_layers_in_use(in.upper_dir, r.image->layers));
    TANK_TRY(port.make_upper(in.upper_dir, in.sandbox.users.first));
  }
  for (const auto& dir : in.empty_dirs)
    TANK_TRY(make_empty_dir(dir));
  return make_directories(in.plan.log.path.parent_path());
}

/// n of "<n>.log".
static std::optional<std::uint32_t> run_of_log(const std::filesystem::path& file) {
  const std::string stem = file.stem().string();
  std::uint32_t n = 0;
  const auto [end, ec] = std::from_chars(stem.data(), stem.data() + stem.size(), n);
  const bool whole = ec == std::errc{} && end == stem.data() + stem.size();
  return whole && file.extension() == ".log" ? std::optional{n} : std::nullopt;
}

std::filesystem::path unused_log(const std::filesystem::path& wanted) {
  auto n = run_of_log(wanted).value_or(0);
  std::error_code ec;
  for (std::filesystem::directory_iterator it{wanted.parent_path(), ec}, end; !ec && it != end;
       it.increment(ec))
    if (const auto there = run_of_log(it->path().filename()); there && *there < UINT32_MAX)
      n = std::max(n, *there + 1);
  return wanted.parent_path() / (std::to_string(n) + ".log");
}

static result<void> add_filter(const prepare_request& r, launch_inputs& in, kernel::port& port) {
  if (in.seccomp.kind == seccomp_kind::unconfined) return {};
  auto& process = in.plan.process;
  process.seccomp = TANK_TRY(port.seccomp({.directory = r.dirs.seccomp_dir,
                                           .localhost = in.seccomp.profile,
                                           .capabilities = process.capabilities.bounding}));
  return {};
}

static result<kernel::user_range> take_users(const prepare_request& r) {
  if (r.pod->spec.host_users.value_or(true)) return kernel::user_range{};
  if (!r.ids)
    return fail(errc::unsupported, "run pod", r.pod->metadata.name,
                "there are no ids for 'hostUsers: false' here");
  return r.ids->acquire(r.uid);
}

result<launch_inputs> prepare_launch(const prepare_request& r, kernel::port& port) {
  if (r.pod->spec.containers.size() != 1)
    return fail(errc::unsupported, "run pod", r.pod->metadata.name,
                "more than one container is not supported yet");
  const auto& container = r.pod->spec.containers.front();
  const auto env = TANK_TRY(container_env(*r.pod, container, *r.host, r.uid));
  const auto params = TANK_TRY(oci::merge_run_params(container, env, r.image->config));
  const auto text = TANK_TRY(user_text(*r.pod, container, r.image->config));
  const auto user = TANK_TRY(oci::resolve_user(text, r.image->layers));
  std::vector<kernel::device_step> devices;
  if (is_privileged(container)) devices = TANK_TRY(kernel::probe_devices("/dev"));
  const auto users = TANK_TRY(take_users(r));
  auto inputs = TANK_TRY(plan_launch({.pod = *r.pod,
                                      .container = container,
                                      .image = *r.image,
                                      .params = params,
                                      .user = user,
                                      .host = *r.host,
                                      .dirs = r.dirs,
                                      .uid = r.uid,
                                      .restart = r.restart,
                                      .log = r.log,
                                      .devices = std::move(devices),
                                      .pids_limit = r.pids_limit,
                                      .users = users}));
  TANK_TRY(add_filter(r, inputs, port));
  inputs.plan.log.path = unused_log(inputs.plan.log.path);
  for (const auto& path : inputs.host_paths)
    TANK_TRY(check_host_path(path));
  TANK_TRY(make_directories_of(r, inputs, port));
  TANK_TRY(write_etc(inputs));
  remove_old_logs(inputs.plan.log.path);
  return inputs;
}

result<void> clean_launch(const config::pod& pod, const directories& dirs, const std::string& uid,
                          kernel::port& port) {
  // A shim is there when nobody could end it in order. Its directories go only after it: a name
  // that is free again would be a second shim's, and the pod would run twice.
  if (auto alive = end_shims({dirs.pod_run(uid)}, port); !alive.empty())
    return failure{std::move(alive.front())};
  result<void> state;
  if (dirs.cgroups.version != cgroup_version::none)
    state = port.remove_cgroup(dirs.cgroups, dirs.pod_cgroup(uid));
  const auto run = port.remove_tree(dirs.pod_run(uid));
  for (const auto& c : pod.spec.containers) {
    auto removed = port.remove_tree(dirs.pod_state(uid) / c.name);
    if (!removed && state) state = std::move(removed);
  }
  ::rmdir(dirs.pod_state(uid).c_str()); // stays when it holds emptyDirs
  if (!run) return run;
  return state;
}

} // namespace tank

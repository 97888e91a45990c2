#include "pod/container.hpp"

#include "base/file.hpp"
#include "config/manifest.hpp"
#include "pod/layers_in_use.hpp"
#include "pod/log_retention.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <system_error>

namespace tank {

// --- hostPaths -----------------------------------------------------------------------------------

result<std::filesystem::path> resolve_host_path(const host_path& wanted, kernel::pod_files& files,
                                                given_paths* given) {
  using kernel::host_path_type;
  static const std::map<std::string_view, host_path_type> types{
      {"", host_path_type::anything},
      {"Directory", host_path_type::directory},
      {"DirectoryOrCreate", host_path_type::directory},
      {"File", host_path_type::file},
      {"FileOrCreate", host_path_type::file},
      {"Socket", host_path_type::socket},
      {"CharDevice", host_path_type::character_device},
      {"BlockDevice", host_path_type::block_device}};
  const auto type = types.find(wanted.type);
  if (type == types.end())
    return fail(errc::invalid, "mount volume", wanted.volume,
                "unknown hostPath type '" + wanted.type + "'");
  const bool create = wanted.type.empty() || wanted.type.ends_with("OrCreate");
  kernel::untrusted_directory of_pods;
  if (given != nullptr) of_pods = [given](const struct stat& st) { return given->contains(st); };
  auto path = files.resolve_host_path(wanted.path, type->second, create, of_pods);
  if (!path) {
    auto why = std::move(path).error();
    why.step = "use hostPath of volume '" + wanted.volume + "'";
    if (why.code == errc::not_found && why.hint.empty())
      why.hint = "create it, or set type: DirectoryOrCreate";
    return failure{std::move(why)};
  }
  std::error_code failed;
  if (given != nullptr && wanted.writable && std::filesystem::is_directory(*path, failed))
    TANK_TRY(given->add(*path));
  return path;
}

using resolved_paths = std::map<std::filesystem::path, std::filesystem::path>;

static result<resolved_paths> resolve_host_paths(const pod_request& r, const container_inputs& in,
                                                 kernel::pod_files& files) {
  resolved_paths found;
  for (const auto& path : in.host_paths)
    found[path.path] = TANK_TRY(resolve_host_path(path, files, r.given.get()));
  return found;
}

/// Puts the paths without links in the place of those that the plan has: the shim follows none.
/// Ours are all there by now.
static void put_sources(container_inputs& in, const resolved_paths& found) {
  for (auto& s : in.plan.steps) {
    std::filesystem::path* source = nullptr;
    if (auto* bind = std::get_if<kernel::bind_step>(&s)) source = &bind->source;
    if (auto* volume = std::get_if<kernel::volume_step>(&s)) source = &volume->source;
    if (source == nullptr) continue;
    std::error_code missing; // which the shim will tell
    const auto host = found.find(*source);
    auto own = host == found.end() ? std::filesystem::canonical(*source, missing) : host->second;
    if (!own.empty()) *source = std::move(own);
  }
}

// --- logs ----------------------------------------------------------------------------------------

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

// --- made, and removed ---------------------------------------------------------------------------

static result<void> make_directories_of(const oci::image& image, const container_inputs& in,
                                        kernel::user_range users, kernel::port& port) {
  if (!in.upper_dir.empty()) {
    TANK_TRY(port.remove_tree(in.upper_dir)); // of an attempt that came before
    // First of all: from now on nobody removes the layers, and if they are gone already, the launch
    // says so.
    TANK_TRY(write_layers_in_use(in.upper_dir, image.layers));
    TANK_TRY(port.make_upper(in.upper_dir, users.first));
  }
  for (const auto& dir : in.empty_dirs)
    TANK_TRY(port.make_empty_dir(dir.path, dir.mode, dir.uid, dir.gid));
  return port.make_directory(in.plan.log.path.parent_path(), 0700);
}

static constexpr std::size_t max_env = std::size_t{16} << 20;

static result<void> keep_secret_env(const pod_request& r, const container_inputs& in,
                                    kernel::port& port) {
  std::string text;
  for (const auto& entry : in.plan.process.env)
    text.append(entry).push_back('\0');
  TANK_TRY(port.make_directory(r.dirs.secret_envs(r.uid), 0700));
  // The directory keeps everybody else out.
  return port.write_pod_file(r.dirs.secret_envs(r.uid), in.plan.container, text, 0, 0);
}

std::vector<std::string> read_secret_env(const directories& dirs, const std::string& uid,
                                         const std::string& container) {
  std::vector<std::string> out;
  const auto text = read_file(dirs.secret_envs(uid) / container, max_env);
  if (!text) return out;
  for (std::size_t begin = 0; begin < text->size();) {
    const auto end = std::min(text->find('\0', begin), text->size());
    out.push_back(text->substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

static result<void> make_volumes(const pod_request& r, const container_inputs& in,
                                 kernel::port& port) {
  TANK_TRY(use_volumes(r.dirs, r.uid, in.claims, port));
  if (in.projections.empty() && in.memory_dirs.empty() && !in.secret_env) return {};
  TANK_TRY(mount_pod_volumes(r.dirs, r.uid, port));
  for (const auto& dir : in.memory_dirs)
    TANK_TRY(port.mount_memory(dir.path, dir.what));
  if (in.secret_env) TANK_TRY(keep_secret_env(r, in, port));
  for (const auto& volume : in.projections)
    TANK_TRY(port.project(volume.directory, volume.what));
  return {};
}

static result<void> add_filter(const pod_request& r, container_inputs& in,
                               kernel::seccomp_filters& filters) {
  if (in.seccomp.kind == seccomp_kind::unconfined) return {};
  auto& process = in.plan.process;
  process.seccomp =
      TANK_TRY(filters.compile_filter({.directory = r.dirs.seccomp_dir,
                                       .localhost = in.seccomp.profile,
                                       .capabilities = process.capabilities.bounding}));
  return {};
}

result<container_inputs> prepare_container(const pod_request& r, const config::container& container,
                                           std::uint32_t attempt, const oci::image& image,
                                           kernel::port& port) {
  const documents none;
  const auto& data = r.data ? *r.data : none;
  const auto env = TANK_TRY(container_env(*r.pod, container, *r.host, r.uid, data));
  const auto params = TANK_TRY(oci::merge_run_params(container, env, image.config));
  const auto text = TANK_TRY(user_text(*r.pod, container, image.config));
  const auto user = TANK_TRY(oci::resolve_user(text, image.layers));
  std::vector<kernel::device_step> devices;
  if (is_privileged(container)) devices = TANK_TRY(port.probe_devices("/dev"));
  const auto users = TANK_TRY(users_of(r));
  auto inputs = TANK_TRY(plan_container({.pod = r,
                                         .container = container,
                                         .attempt = attempt,
                                         .image = image,
                                         .params = params,
                                         .user = user,
                                         .devices = std::move(devices),
                                         .users = users}));
  TANK_TRY(add_filter(r, inputs, port));
  inputs.plan.log.path = unused_log(inputs.plan.log.path);
  const auto paths = TANK_TRY(resolve_host_paths(r, inputs, port));
  if (attempt > 0) TANK_TRY(restore_etc(r, users, port));
  TANK_TRY(make_volumes(r, inputs, port));
  TANK_TRY(make_directories_of(image, inputs, users, port));
  put_sources(inputs, paths);
  if (attempt > 0 && inputs.cgroup)
    TANK_TRY(port.make_container_cgroup(r.dirs.cgroups, r.dirs.pod_cgroup(r.uid), *inputs.cgroup));
  remove_old_logs(inputs.plan.log.path);
  return inputs;
}

result<void> clean_container(const config::container& container, const directories& dirs,
                             const std::string& uid, kernel::pod_files& files) {
  return files.remove_tree(dirs.container_state(uid, container.name));
}

run::facts facts_of(const container_inputs& inputs) {
  return {inputs.stop_signal, inputs.plan.process.env, inputs.plan.process.cwd, inputs.secret_env};
}

} // namespace tank

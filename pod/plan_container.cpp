#include "pod/container.hpp"

#include "config/expand.hpp"
#include "kernel/container_defaults.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <functional>
#include <map>
#include <string>

#include <sys/mount.h>

namespace tank {

using namespace kernel;

// --- the root file system ------------------------------------------------------------------------

static overlay_step root_of(const container_request& r, const std::filesystem::path& upper_dir) {
  overlay_step root;
  root.lower.assign(r.image.layers.rbegin(), r.image.layers.rend());
  root.mapped = static_cast<bool>(r.users);
  if (!upper_dir.empty()) {
    root.upper = upper_dir / "upper";
    root.work = upper_dir / "work";
  }
  return root;
}

// --- volumes -------------------------------------------------------------------------------------

static std::size_t depth(std::string_view path) {
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

static result<void> check_mount(const config::volume_mount& m) {
  if (m.mount_propagation.value_or("None") == "Bidirectional")
    return fail(errc::unsupported, "mount volume", m.name,
                "mountPropagation Bidirectional is not supported");
  const auto path = std::filesystem::path{m.mount_path}.lexically_normal();
  if (!path.is_absolute() || path == "/")
    return fail(errc::invalid, "mount volume", m.name,
                "mountPath '" + m.mount_path + "' is not a path below '/'");
  return {};
}

/// The part of the volume that is mounted, relative to its root; empty: all of it.
static result<std::string> sub_path_of(const config::volume_mount& m, const container_request& r) {
  if (m.sub_path_expr.empty()) return m.sub_path;
  std::map<std::string, std::string, std::less<>> env;
  for (const auto& entry : r.params.env)
    env.insert_or_assign(entry.substr(0, entry.find('=')), entry.substr(entry.find('=') + 1));
  std::string unknown;
  const auto lookup = [&](std::string_view name) -> const std::string* {
    if (const auto it = env.find(name); it != env.end()) return &it->second;
    if (unknown.empty()) unknown = name;
    return nullptr;
  };
  const auto expanded = config::expand(m.sub_path_expr, lookup, PATH_MAX);
  const auto refuse = [&](const std::string& why) {
    return fail(errc::invalid, "expand subPathExpr of volume", m.name, why);
  };
  if (!unknown.empty()) return refuse("there is no variable '" + unknown + "'");
  if (!expanded) return refuse("it is longer than " + std::to_string(PATH_MAX) + " bytes");
  const auto& path = *expanded;
  bool climbs = path.starts_with('/');
  for (const auto& part : std::filesystem::path{path})
    climbs = climbs || part == "..";
  if (climbs) return refuse("it is not a relative path without '..'"); // the value may be a secret
  return path;
}

static std::uint32_t fs_group_of(const config::pod& pod) {
  const auto& context = pod.spec.security_context;
  return context && context->fs_group ? static_cast<std::uint32_t>(*context->fs_group) : 0;
}

/// As kubelet: not more than what the volume, the pod and the host have.
static std::uint64_t memory_size(const config::volume& volume, const container_request& r) {
  constexpr std::uint64_t page = 4096;
  auto size = plan_resources(*r.pod.pod, r.pod.host->memory).limits.memory.value_or(0);
  const auto take = [&size](std::uint64_t limit) {
    if (limit != 0 && (size == 0 || limit < size)) size = limit;
  };
  if (const auto& limit = volume.empty_dir->size_limit)
    take(static_cast<std::uint64_t>(limit->value()));
  take(r.pod.host->memory);
  return (size + page - 1) / page * page;
}

static std::filesystem::path memory_of(const config::volume& volume, const container_request& r,
                                       container_inputs& out) {
  memory_dir dir{.path = r.pod.dirs.memory_volume(r.pod.uid, volume.name)};
  dir.what.size = memory_size(volume, r);
  dir.what.mode = static_cast<mode_t>(volume.empty_dir->mode.value_or(0777));
  dir.what.uid = dir.what.gid = r.users.first;
  if (const auto group = fs_group_of(*r.pod.pod); group != 0) {
    dir.what.gid += group;
    dir.what.mode |= 02770;
  }
  out.memory_dirs.push_back(dir);
  return dir.path;
}

/// Where `volume` is on the host; notes what has to be made or checked.
static result<std::filesystem::path> source_of(const config::volume& volume,
                                               const config::volume_mount& mount,
                                               const container_request& r, container_inputs& out) {
  if (volume.host_path) {
    const auto& h = *volume.host_path;
    out.host_paths.push_back({volume.name, h.path, h.type.value_or(""), !mount.read_only});
    return std::filesystem::path{h.path};
  }
  if (volume.empty_dir) {
    const auto& e = *volume.empty_dir;
    if (e.medium == "Memory") return memory_of(volume, r, out);
    if (!e.medium.empty() || e.size_limit)
      return fail(errc::unsupported, "mount volume", volume.name,
                  "of emptyDir only medium 'Memory' and its size are supported");
    empty_dir dir{.path = r.pod.dirs.volume_state(r.pod.uid, volume.name)};
    dir.mode = static_cast<std::uint32_t>(e.mode.value_or(0777));
    dir.uid = dir.gid = r.users.first;
    if (const auto group = fs_group_of(*r.pod.pod); group != 0) {
      dir.gid += group;
      dir.mode |= 02770; // as kubelet: the group owns it, and what is made in it
    }
    out.empty_dirs.push_back(dir);
    return dir.path;
  }
  if (is_projected(volume)) {
    out.projections.push_back(TANK_TRY(plan_projection(r.pod, volume, r.users)));
    return out.projections.back().directory;
  }
  if (volume.persistent_volume_claim) {
    managed_volume claim{
        .name = {r.pod.pod->metadata.ns, volume.persistent_volume_claim->claim_name}};
    if (const auto group = fs_group_of(*r.pod.pod); group != 0) {
      claim.gid = group;
      claim.mode |= 02770;
    }
    out.claims.push_back(claim);
    return r.pod.dirs.managed_volume(claim.name.ns, claim.name.claim);
  }
  return fail(errc::unsupported, "mount volume", volume.name,
              "volumes of this kind are not supported");
}

/// Others' too, or such that only Tank may write it.
static bool is_read_only(const config::volume& volume) {
  return is_projected(volume) ||
         (volume.persistent_volume_claim && volume.persistent_volume_claim->read_only);
}

/// A volume in its place in the container.
struct placed_volume {
  std::string target;
  step how;
};

static step step_of(bind_step bind, std::string sub_path, bool follow, bool can_make) {
  if (sub_path.empty() && !follow) return bind;
  return volume_step{.source = std::move(bind.source),
                     .sub_path = std::move(sub_path),
                     .make = can_make,
                     .target = std::move(bind.target),
                     .read_only = bind.read_only,
                     .flags = bind.flags,
                     .mapped = bind.mapped,
                     .follow = follow};
}

static result<std::vector<placed_volume>> volumes_of(const container_request& r,
                                                     container_inputs& out) {
  std::vector<placed_volume> placed;
  std::map<std::string, std::filesystem::path> sources; // each is made once, however often mounted
  for (const auto& m : r.container.volume_mounts) {
    TANK_TRY(check_mount(m));
    const auto volume = std::find_if(r.pod.pod->spec.volumes.begin(), r.pod.pod->spec.volumes.end(),
                                     [&](const auto& v) { return v.name == m.name; });
    if (volume == r.pod.pod->spec.volumes.end())
      return fail(errc::invalid, "mount volume", m.name, "the pod has no such volume");
    auto target = std::filesystem::path{m.mount_path}.lexically_normal();
    if (!target.has_filename()) target = target.parent_path();
    bind_step bind;
    const auto known = sources.find(m.name);
    // A path of the host is looked at for each mount: only one of them may be for writing.
    bind.source = known != sources.end() && !volume->host_path
                      ? known->second
                      : TANK_TRY(source_of(*volume, m, r, out));
    sources.emplace(m.name, bind.source);
    bind.target = target.string();
    bind.read_only = m.read_only || is_read_only(*volume);
    bind.recursive = true;
    bind.mapped = r.users && (volume->host_path || volume->persistent_volume_claim);
    if (!is_privileged(r.container)) bind.flags = MS_NODEV; // see device_step
    const bool follow = m.mount_propagation.value_or("None") == "HostToContainer";
    placed.push_back({
      target.string(),
          step_of(std::move(bind), TANK_TRY(sub_path_of(m, r)), follow, !is_projected(*volume))
    });
  }
  std::stable_sort(placed.begin(), placed.end(),
                   [](const auto& a, const auto& b) { return depth(a.target) < depth(b.target); });
  return placed;
}

// --- the process ---------------------------------------------------------------------------------

static bool has_variable(const std::vector<std::string>& env, std::string_view name) {
  return std::any_of(env.begin(), env.end(), [&](const std::string& entry) {
    return entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=';
  });
}

static void add_groups(process_spec& p, const container_request& r) {
  const auto add = [&](std::uint32_t gid) {
    if (std::find(p.groups.begin(), p.groups.end(), gid) == p.groups.end()) p.groups.push_back(gid);
  };
  add(p.gid);
  const auto& context = r.pod.pod->spec.security_context;
  const bool strict = context && context->supplemental_groups_policy.value_or("Merge") == "Strict";
  if (!strict)
    for (const auto gid : r.user.groups)
      add(gid);
  if (!context) return;
  for (const auto gid : context->supplemental_groups)
    add(static_cast<std::uint32_t>(gid));
  if (context->fs_group) add(static_cast<std::uint32_t>(*context->fs_group));
}

/// What is not mapped is nobody, and nobody can become it.
static result<void> check_ids(const process_spec& p, const container_request& r) {
  const auto check = [&](const char* verb, std::uint32_t id) -> result<void> {
    if (id < r.users.count) return {};
    return fail(errc::invalid, verb, std::to_string(id),
                "a pod with 'hostUsers: false' has the ids 0 to " +
                    std::to_string(r.users.count - 1));
  };
  TANK_TRY(check("run as user", p.uid));
  for (const auto gid : p.groups)
    TANK_TRY(check("run as group", gid));
  return {};
}

static result<process_spec> process_of(const container_request& r, const std::string& hostname) {
  process_spec p;
  p.argv = r.params.argv;
  p.env = r.params.env;
  if (!has_variable(p.env, "HOSTNAME")) p.env.push_back("HOSTNAME=" + hostname);
  if (!has_variable(p.env, "HOME")) p.env.push_back("HOME=" + r.user.home);
  p.cwd = r.params.cwd;
  p.create_cwd = r.params.cwd_from_image;
  p.uid = r.user.uid;
  p.gid = r.user.gid;
  if (const auto& c = r.pod.pod->spec.security_context; c && c->run_as_group)
    p.gid = static_cast<std::uint32_t>(*c->run_as_group);
  if (const auto& c = r.container.security_context) {
    if (c->run_as_group) p.gid = static_cast<std::uint32_t>(*c->run_as_group);
    p.no_new_privs = c->allow_privilege_escalation == false;
  }
  add_groups(p, r);
  if (r.users) TANK_TRY(check_ids(p, r));
  // Those of a namespace of its own are complete, whatever Tank has itself.
  const auto available = r.users ? all_capabilities : r.pod.host->capabilities;
  p.capabilities = TANK_TRY(plan_capabilities(r.container, p.uid, available));
  p.rlimits = default_rlimits(*r.pod.host);
  return p;
}

// --- limits --------------------------------------------------------------------------------------

static void plan_limits(const container_request& r, container_inputs& out) {
  const auto resources = plan_resources(*r.pod.pod, r.pod.host->memory, r.pod.pids_limit);
  const container_resources* own = nullptr;
  for (const auto* list : {&resources.init_containers, &resources.containers})
    for (const auto& c : *list)
      if (c.name == r.container.name) own = &c;
  if (own == nullptr) return;
  out.plan.process.oom_score_adj = possible_oom_score(own->oom_score_adj, *r.pod.host);
  if (r.pod.dirs.cgroups.version == cgroup_version::none) return;
  out.cgroup = kernel::pod_cgroup::member{own->name, own->limits};
  for (const auto& h : r.pod.dirs.cgroups.hierarchies)
    out.plan.cgroups.push_back(h.directory / r.pod.dirs.pod_cgroup(r.pod.uid) / own->name);
}

// --- all of it -----------------------------------------------------------------------------------

/// What programs size their heaps and threads by.
static void add_cgroup_view(const container_request& r, default_mounts_options& options) {
  const auto& tree = r.pod.dirs.cgroups;
  options.cgroup_fs = tree.version == cgroup_version::v2;
  if (tree.version != cgroup_version::v1 || r.container.resources.limits.empty()) return;
  for (const auto& h : tree.hierarchies)
    options.cgroup_parts.push_back(
        {h.mount.filename().string(),
         h.directory / r.pod.dirs.pod_cgroup(r.pod.uid) / r.container.name});
}

static result<std::vector<step>> steps_of(const container_request& r, container_inputs& out) {
  auto volumes = TANK_TRY(volumes_of(r, out));
  default_mounts_options options;
  options.host_ipc = r.pod.pod->spec.host_ipc;
  options.privileged = is_privileged(r.container);
  add_cgroup_view(r, options);
  options.devices = r.devices;
  if (const auto& c = r.container.security_context) {
    options.read_only_root = c->read_only_root_filesystem.value_or(false);
    options.unmasked_proc = c->proc_mount.value_or("Default") == "Unmasked";
  }
  // A container that mounts something exactly there keeps its own.
  const auto own = [&](const char* name) -> std::filesystem::path {
    const auto target = std::string{"/etc/"} + name;
    const bool taken = std::any_of(volumes.begin(), volumes.end(),
                                   [&](const auto& v) { return v.target == target; });
    return taken ? std::filesystem::path{} : r.pod.dirs.pod_etc(r.pod.uid) / name;
  };
  options.hosts = own("hosts");
  options.hostname = own("hostname");
  options.resolv_conf = own("resolv.conf");

  std::vector<step> steps;
  for (auto& s : TANK_TRY(plan_sysctls(*r.pod.pod)))
    steps.emplace_back(std::move(s));
  steps.emplace_back(root_of(r, out.upper_dir));
  std::vector<step> mounts;
  for (auto& v : volumes)
    mounts.push_back(std::move(v.how));
  for (auto& s : standard_mounts(options, std::move(mounts)))
    steps.push_back(std::move(s));
  return steps;
}

result<container_inputs> plan_container(const container_request& r) {
  if (r.image.layers.empty())
    return fail(errc::invalid, "run image", r.image.name, "it has no layers");
  container_inputs out;
  if (!r.image.name.starts_with("rootfs:"))
    out.upper_dir = r.pod.dirs.container_state(r.pod.uid, r.container.name);
  out.stop_signal = TANK_TRY(signal_number(r.params.stop_signal));
  out.plan.container = r.container.name;
  out.plan.attempt = r.attempt;
  out.plan.new_pid_ns = !r.pod.pod->spec.host_pid;
  out.plan.steps = TANK_TRY(steps_of(r, out));
  out.plan.process = TANK_TRY(process_of(r, sandbox_hostname(*r.pod.pod, *r.pod.host)));
  plan_limits(r, out);
  out.seccomp = plan_seccomp(*r.pod.pod, r.container);
  out.secret_env = has_secret_env(r.container);
  const auto& meta = r.pod.pod->metadata;
  out.plan.log.path = r.pod.dirs.pod_log(meta.ns, meta.name, r.pod.uid) / r.container.name /
                      (std::to_string(r.pod.restart + r.attempt) + ".log");
  out.plan.log.max_bytes = r.pod.log.max_bytes;
  out.plan.log.max_files = r.pod.log.max_files;
  return out;
}

} // namespace tank

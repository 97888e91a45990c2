#include "pod/plan_launch.hpp"

#include "kernel/container_defaults.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/mount.h>

namespace tank {

using namespace kernel;

// --- the root file system ------------------------------------------------------------------------

static overlay_step root_of(const launch_request& r, const std::filesystem::path& upper_dir) {
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
  const auto refuse = [&](std::string cause) {
    return fail(errc::unsupported, "mount volume", m.name, std::move(cause));
  };
  if (!m.sub_path.empty() || !m.sub_path_expr.empty()) return refuse("subPath is not supported");
  if (m.mount_propagation.value_or("None") != "None")
    return refuse("mountPropagation is not supported");
  const auto path = std::filesystem::path{m.mount_path}.lexically_normal();
  if (!path.is_absolute() || path == "/")
    return fail(errc::invalid, "mount volume", m.name,
                "mountPath '" + m.mount_path + "' is not a path below '/'");
  return {};
}

static std::uint32_t fs_group_of(const config::pod& pod) {
  const auto& context = pod.spec.security_context;
  return context && context->fs_group ? static_cast<std::uint32_t>(*context->fs_group) : 0;
}

/// Where `volume` is on the host; notes what has to be made or checked.
static result<std::filesystem::path> source_of(const config::volume& volume,
                                               const launch_request& r, launch_inputs& out) {
  if (volume.host_path) {
    const auto& h = *volume.host_path;
    out.host_paths.push_back({volume.name, h.path, h.type.value_or("")});
    return std::filesystem::path{h.path};
  }
  if (volume.empty_dir) {
    const auto& e = *volume.empty_dir;
    if (!e.medium.empty())
      return fail(errc::unsupported, "mount volume", volume.name,
                  "emptyDir.medium '" + e.medium + "' is not supported");
    empty_dir dir{.path = r.dirs.pod_state(r.uid) / "volumes" / volume.name};
    dir.mode = static_cast<std::uint32_t>(e.mode.value_or(0777));
    dir.uid = dir.gid = r.users.first;
    if (const auto group = fs_group_of(r.pod); group != 0) {
      dir.gid += group;
      dir.mode |= 02770; // as kubelet: the group owns it, and what is made in it
    }
    out.empty_dirs.push_back(dir);
    return dir.path;
  }
  return fail(errc::unsupported, "mount volume", volume.name,
              "only emptyDir and hostPath volumes are supported");
}

static result<std::vector<bind_step>> volumes_of(const launch_request& r, launch_inputs& out) {
  std::vector<bind_step> binds;
  for (const auto& m : r.container.volume_mounts) {
    TANK_TRY(check_mount(m));
    const auto volume = std::find_if(r.pod.spec.volumes.begin(), r.pod.spec.volumes.end(),
                                     [&](const auto& v) { return v.name == m.name; });
    if (volume == r.pod.spec.volumes.end())
      return fail(errc::invalid, "mount volume", m.name, "the pod has no such volume");
    auto target = std::filesystem::path{m.mount_path}.lexically_normal();
    if (!target.has_filename()) target = target.parent_path();
    bind_step bind;
    bind.source = TANK_TRY(source_of(*volume, r, out));
    bind.target = target.string();
    bind.read_only = m.read_only;
    bind.recursive = true;
    bind.mapped = r.users && volume->host_path;
    if (!is_privileged(r.container)) bind.flags = MS_NODEV; // see device_step
    binds.push_back(std::move(bind));
  }
  std::stable_sort(binds.begin(), binds.end(),
                   [](const auto& a, const auto& b) { return depth(a.target) < depth(b.target); });
  return binds;
}

// --- the process ---------------------------------------------------------------------------------

static bool has_variable(const std::vector<std::string>& env, std::string_view name) {
  return std::any_of(env.begin(), env.end(), [&](const std::string& entry) {
    return entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=';
  });
}

static void add_groups(process_spec& p, const launch_request& r) {
  const auto add = [&](std::uint32_t gid) {
    if (std::find(p.groups.begin(), p.groups.end(), gid) == p.groups.end()) p.groups.push_back(gid);
  };
  add(p.gid);
  const auto& context = r.pod.spec.security_context;
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
static result<void> check_ids(const process_spec& p, const launch_request& r) {
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

static result<process_spec> process_of(const launch_request& r, const std::string& hostname) {
  process_spec p;
  p.argv = r.params.argv;
  p.env = r.params.env;
  if (!has_variable(p.env, "HOSTNAME")) p.env.push_back("HOSTNAME=" + hostname);
  if (!has_variable(p.env, "HOME")) p.env.push_back("HOME=" + r.user.home);
  p.cwd = r.params.cwd;
  p.create_cwd = r.params.cwd_from_image;
  p.uid = r.user.uid;
  p.gid = r.user.gid;
  if (const auto& c = r.pod.spec.security_context; c && c->run_as_group)
    p.gid = static_cast<std::uint32_t>(*c->run_as_group);
  if (const auto& c = r.container.security_context) {
    if (c->run_as_group) p.gid = static_cast<std::uint32_t>(*c->run_as_group);
    p.no_new_privs = c->allow_privilege_escalation == false;
  }
  add_groups(p, r);
  if (r.users) TANK_TRY(check_ids(p, r));
  // Those of a namespace of its own are complete, whatever Tank has itself.
  const auto available = r.users ? all_capabilities : r.host.capabilities;
  p.capabilities = TANK_TRY(plan_capabilities(r.container, p.uid, available));
  p.rlimits = default_rlimits(r.host);
  return p;
}

// --- names and resolvers -------------------------------------------------------------------------

static etc_files etc_of(const launch_request& r, const std::string& hostname) {
  const auto& spec = r.pod.spec;
  etc_files etc;
  etc.hostname = hostname + "\n";
  if (spec.host_network) {
    etc.hosts = host_network_hosts_text(r.host.hosts_file, spec.host_aliases);
  } else {
    std::string domain;
    if (!spec.subdomain.empty())
      domain = spec.subdomain + "." + r.pod.metadata.ns + ".svc.cluster.local";
    etc.hosts = hosts_text("127.0.0.1", hostname, domain, spec.host_aliases);
  }
  dns_settings base;
  if (spec.dns_policy != "None")
    base = {r.host.nameservers, r.host.searches, r.host.resolver_options};
  dns_settings own;
  if (spec.dns_config) {
    own.nameservers = spec.dns_config->nameservers;
    own.searches = spec.dns_config->searches;
    for (const auto& o : spec.dns_config->options)
      own.options.push_back(o.value ? o.name + ":" + *o.value : o.name);
  }
  etc.resolv_conf = resolv_conf_text(merge_dns(base, own));
  return etc;
}

// --- limits --------------------------------------------------------------------------------------

static result<void> plan_limits(const launch_request& r, launch_inputs& out) {
  const auto resources = plan_resources(r.pod, r.host.memory, r.pids_limit);
  const auto own = std::find_if(resources.containers.begin(), resources.containers.end(),
                                [&](const auto& c) { return c.name == r.container.name; });
  if (own == resources.containers.end()) return {};
  out.plan.process.oom_score_adj = possible_oom_score(own->oom_score_adj, r.host);
  out.cgroup = TANK_TRY(plan_cgroup(resources, r.dirs.cgroups, r.dirs.pod_cgroup(r.uid)));
  for (const auto& h : r.dirs.cgroups.hierarchies)
    out.plan.cgroups.push_back(h.directory / out.cgroup.name / own->name);
  return {};
}

// --- all of it -----------------------------------------------------------------------------------

/// What programs size their heaps and threads by.
static void add_cgroup_view(const launch_request& r, default_mounts_options& options) {
  const auto& tree = r.dirs.cgroups;
  options.cgroup_fs = tree.version == cgroup_version::v2;
  if (tree.version != cgroup_version::v1 || r.container.resources.limits.empty()) return;
  for (const auto& h : tree.hierarchies)
    options.cgroup_parts.push_back(
        {h.mount.filename().string(), h.directory / r.dirs.pod_cgroup(r.uid) / r.container.name});
}

static result<std::vector<step>> steps_of(const launch_request& r, launch_inputs& out) {
  auto volumes = TANK_TRY(volumes_of(r, out));
  default_mounts_options options;
  options.host_ipc = r.pod.spec.host_ipc;
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
                                   [&](const bind_step& b) { return b.target == target; });
    return taken ? std::filesystem::path{} : out.etc_dir / name;
  };
  options.hosts = own("hosts");
  options.hostname = own("hostname");
  options.resolv_conf = own("resolv.conf");

  std::vector<step> steps;
  for (auto& s : TANK_TRY(plan_sysctls(r.pod)))
    steps.emplace_back(std::move(s));
  steps.emplace_back(root_of(r, out.upper_dir));
  for (auto& s : standard_mounts(options, {volumes.begin(), volumes.end()}))
    steps.push_back(std::move(s));
  return steps;
}

result<launch_inputs> plan_launch(const launch_request& r) {
  if (r.image.layers.empty())
    return fail(errc::invalid, "run image", r.image.name, "it has no layers");
  const auto& spec = r.pod.spec;
  launch_inputs out;
  const auto run_dir = r.dirs.pod_run(r.uid);
  const auto hostname =
      spec.host_network ? r.host.hostname : pod_hostname(spec.hostname, r.pod.metadata.name);
  out.etc_dir = run_dir / "etc";
  if (!r.image.name.starts_with("rootfs:"))
    out.upper_dir = r.dirs.pod_state(r.uid) / r.container.name;
  out.stop_signal = TANK_TRY(signal_number(r.params.stop_signal));
  out.sandbox = {.uid = std::string{r.uid},
                 .run_dir = run_dir,
                 .host_network = spec.host_network,
                 .host_ipc = spec.host_ipc,
                 .hostname = spec.host_network ? std::string{} : hostname,
                 .users = r.users};
  out.etc = etc_of(r, hostname);
  out.plan.container = r.container.name;
  out.plan.new_pid_ns = !spec.host_pid;
  out.plan.steps = TANK_TRY(steps_of(r, out));
  out.plan.process = TANK_TRY(process_of(r, hostname));
  TANK_TRY(plan_limits(r, out));
  out.seccomp = plan_seccomp(r.pod, r.container);
  out.plan.log.path = r.dirs.pod_log(r.pod.metadata.ns, r.pod.metadata.name, r.uid) /
                      r.container.name / (std::to_string(r.restart) + ".log");
  out.plan.log.max_bytes = r.log.max_bytes;
  out.plan.log.max_files = r.log.max_files;
  return out;
}

error explain_failure(const kernel::failed_event& failed, const launch_inputs& inputs) {
  auto e = fail_errno(failed.sys, failed.step, failed.object).value();
  const auto& p = inputs.plan.process;
  if (failed.step == "map the ids of")
    e.hint = failed.sys == EINVAL
                 ? "its filesystem has no idmapped mounts on this kernel: use ext4, xfs, btrfs or "
                   "another that has, a newer kernel, or do without 'hostUsers: false'"
                 : "Tank must be root of the host's user namespace for 'hostUsers: false'";
  if (failed.step_index >= 0) return e; // a mount: step and object say it
  if (failed.step == "find the command")
    e.hint = "no such program in the image's PATH; check command";
  else if (failed.step == "run the interpreter of")
    e.hint = "the program is there, what should run it is not in the image";
  else if (failed.step.starts_with("exec") && failed.sys == ENOENT)
    e.hint = failed.object.find('/') == std::string::npos
                 ? "no such program in the image's PATH; check command"
                 : "no such program in the image; check command";
  else if (failed.step.starts_with("exec") && failed.sys == EACCES)
    e.hint =
        "not an executable file for uid " + std::to_string(p.uid) + "; check command and runAsUser";
  else if (failed.step.starts_with("exec") && failed.sys == EISDIR)
    e.hint = "not a program; check command";
  else if (failed.step.starts_with("exec") && failed.sys == ENOEXEC)
    e.hint = "not a program for this machine: another architecture, or a script without #!";
  else if (failed.object == p.cwd && !p.create_cwd && failed.sys == ENOENT)
    e.hint = "the image has no such directory; check workingDir";
  else if (failed.object == p.cwd && failed.sys == EACCES)
    e.hint = "uid " + std::to_string(p.uid) + " may not enter it; check workingDir and runAsUser";
  return e;
}

} // namespace tank

#include "pod/sandbox.hpp"

#include "kernel/end_shims.hpp"
#include "pod/container.hpp"
#include "pod/run_settings.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

namespace tank {

// --- the plan ------------------------------------------------------------------------------------

static etc_files etc_of(const pod_request& r, const std::string& hostname) {
  const auto& spec = r.pod->spec;
  etc_files etc;
  etc.hostname = hostname + "\n";
  if (spec.host_network) {
    etc.hosts = host_network_hosts_text(r.host->hosts_file, spec.host_aliases);
  } else {
    std::string domain;
    if (!spec.subdomain.empty())
      domain = spec.subdomain + "." + r.pod->metadata.ns + ".svc.cluster.local";
    etc.hosts = hosts_text("127.0.0.1", hostname, domain, spec.host_aliases);
  }
  dns_settings base;
  if (spec.dns_policy != "None")
    base = {r.host->nameservers, r.host->searches, r.host->resolver_options};
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

std::string sandbox_hostname(const config::pod& pod, const kernel::host_facts& host) {
  return pod.spec.host_network ? host.hostname : pod_hostname(pod.spec.hostname, pod.metadata.name);
}

result<sandbox_inputs> plan_sandbox(const pod_request& r, kernel::user_range users) {
  const auto& spec = r.pod->spec;
  sandbox_inputs out;
  const auto run_dir = r.dirs.pod_run(r.uid);
  const auto hostname = sandbox_hostname(*r.pod, *r.host);
  out.etc_dir = r.dirs.pod_etc(r.uid);
  out.spec = {.uid = r.uid,
              .run_dir = run_dir,
              .host_network = spec.host_network,
              .host_ipc = spec.host_ipc,
              .hostname = spec.host_network ? std::string{} : hostname,
              .users = users};
  out.etc = etc_of(r, hostname);
  out.cgroup = TANK_TRY(plan_cgroup(plan_resources(*r.pod, r.host->memory, r.pids_limit),
                                    r.dirs.cgroups, r.dirs.pod_cgroup(r.uid)));
  return out;
}

// --- made, and removed ---------------------------------------------------------------------------

result<kernel::user_range> users_of(const pod_request& r) {
  if (r.pod->spec.host_users.value_or(true)) return kernel::user_range{};
  if (!r.ids)
    return fail(errc::unsupported, "run pod", r.pod->metadata.name,
                "there are no ids for 'hostUsers: false' here");
  return r.ids->acquire(r.uid);
}

static result<void> write_etc(const sandbox_inputs& in, kernel::pod_files& files) {
  TANK_TRY(files.make_directory(in.etc_dir, 0700));
  const auto owner = in.spec.users.first;
  TANK_TRY(files.write_pod_file(in.etc_dir, "hosts", in.etc.hosts, owner, owner));
  TANK_TRY(files.write_pod_file(in.etc_dir, "hostname", in.etc.hostname, owner, owner));
  return files.write_pod_file(in.etc_dir, "resolv.conf", in.etc.resolv_conf, owner, owner);
}

result<void> restore_etc(const pod_request& r, kernel::user_range users, kernel::pod_files& files) {
  std::error_code failed;
  if (std::filesystem::exists(r.dirs.pod_etc(r.uid), failed)) return {};
  return write_etc(TANK_TRY(plan_sandbox(r, users)), files);
}

result<prepared_sandbox> prepare_sandbox(const pod_request& r, kernel::port& port) {
  prepared_sandbox out;
  const auto users = TANK_TRY(users_of(r));
  out.inputs = TANK_TRY(plan_sandbox(r, users));
  TANK_TRY(clean_sandbox(*r.pod, r.dirs, r.uid, port));
  TANK_TRY(port.make_directory(out.inputs.spec.run_dir, 0700));
  TANK_TRY(write_etc(out.inputs, port));
  if (out.inputs.cgroup.name.empty()) return out;
  const auto begin = std::chrono::steady_clock::now();
  TANK_TRY(port.make_cgroup(r.dirs.cgroups, out.inputs.cgroup));
  out.cgroups_took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - begin);
  return out;
}

result<void> clean_sandbox(const config::pod& pod, const directories& dirs, const std::string& uid,
                           kernel::port& port) {
  // A shim is there when nobody could end it in order. Its directories go only after it: a name
  // that is free again would be a second shim's, and the pod would run twice.
  if (auto alive = end_shims({dirs.pod_run(uid)}, port); !alive.empty())
    return failure{std::move(alive.front())};
  result<void> state;
  if (dirs.cgroups.version != cgroup_version::none)
    state = port.remove_cgroup(dirs.cgroups, dirs.pod_cgroup(uid));
  const auto run = port.remove_tree(dirs.pod_run(uid));
  for (run::index i = 0; i < container_count(pod); ++i) {
    auto removed = clean_container(container_of(pod, i), dirs, uid, port);
    if (!removed && state) state = std::move(removed);
  }
  if (auto gone = port.remove_tree(dirs.pod_etc(uid)); !gone && state) state = std::move(gone);
  std::error_code not_empty; // it stays when it holds emptyDirs
  std::filesystem::remove(dirs.container_states(uid), not_empty);
  std::filesystem::remove(dirs.pod_state(uid), not_empty);
  if (!run) return run;
  return state;
}

} // namespace tank

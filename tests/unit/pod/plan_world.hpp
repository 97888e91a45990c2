/// What a plan of a container is made from, for tests to change.
#pragma once

#include "pod/container.hpp"
#include "pod/sandbox.hpp"

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tank::testing {

/// A pod with one container, as the parser would hand it out, and what else a plan is made from.
struct plan_world {
  config::pod pod;
  oci::image image{.name = "docker.io/library/web:1",
                   .layers = {"/s/layers/base", "/s/layers/top"}};
  oci::run_params params{.argv = {"/bin/web", "-v"},
                         .env = {"PATH=/bin", "A=1"},
                         .cwd = "/srv",
                         .cwd_from_image = true,
                         .stop_signal = "SIGQUIT"};
  oci::user_ids user{.uid = 7, .gid = 8, .groups = {8, 20}, .home = "/home/web"};
  kernel::host_facts host{.hostname = "node1",
                          .nameservers = {"10.0.0.1"},
                          .searches = {"example.org"},
                          .hosts_file = "127.0.0.1 localhost node1\n"};
  directories dirs{.manifest_dir = "/m", .state_dir = "/s", .run_dir = "/r", .log_dir = "/l"};

  plan_world() {
    pod.metadata.name = "web";
    pod.metadata.ns = "default";
    pod.spec.dns_policy = "ClusterFirst";
    pod.spec.security_context.emplace();
    config::container c;
    c.name = "main";
    c.image = "web:1";
    pod.spec.containers.push_back(c);
  }
  config::container& container() { return pod.spec.containers[0]; }
  config::security_context& context() {
    auto& c = container().security_context;
    return c ? *c : c.emplace();
  }
  void mount(config::volume v, std::string path, bool read_only = false) {
    config::volume_mount m;
    m.name = v.name;
    m.mount_path = std::move(path);
    m.read_only = read_only;
    container().volume_mounts.push_back(m);
    pod.spec.volumes.push_back(std::move(v));
  }
  kernel::user_range users;
  std::uint32_t attempt = 0;

  [[nodiscard]] pod_request request() const {
    return {.pod = std::make_shared<const config::pod>(pod),
            .host = std::make_shared<const kernel::host_facts>(host),
            .dirs = dirs,
            .uid = "u-1",
            .restart = 2};
  }
  [[nodiscard]] result<container_inputs> plan(std::size_t which = 0) const {
    const auto of = request();
    return plan_container({.pod = of,
                           .container = of.pod->spec.containers.at(which),
                           .attempt = attempt,
                           .image = image,
                           .params = params,
                           .user = user,
                           .users = users});
  }
  [[nodiscard]] result<sandbox_inputs> sandbox() const { return plan_sandbox(request(), users); }
};

template <class Step>
std::vector<Step> all(const container_inputs& in) {
  std::vector<Step> out;
  for (const auto& s : in.plan.steps)
    if (const auto* step = std::get_if<Step>(&s)) out.push_back(*step);
  return out;
}

inline config::volume host_volume(std::string name, std::string path, std::string type = "") {
  config::volume v;
  v.name = std::move(name);
  auto& h = v.host_path.emplace();
  h.path = std::move(path);
  h.type = std::move(type);
  return v;
}

inline config::volume empty_volume(std::string name) {
  config::volume v;
  v.name = std::move(name);
  v.empty_dir.emplace();
  return v;
}

} // namespace tank::testing

#include "tests/bench/peers.hpp"

#include "tests/bench/measure.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

namespace tank::bench {

using nlohmann::json;

static json mount(const char* type, const char* to, std::vector<std::string> options) {
  return {{"type", type}, {"source", type}, {"destination", to}, {"options", std::move(options)}};
}

/// An OCI bundle for crun and runc: the same namespaces and mounts as ours, nothing more.
static std::filesystem::path make_bundle(const std::filesystem::path& rootfs,
                                         const std::filesystem::path& dir, const char* what) {
  json namespaces = json::array();
  for (const char* type : {"pid", "network", "ipc", "uts", "mount"})
    namespaces.push_back({{"type", type}});
  const json config = {
      {"ociVersion", "1.0.2"},
      {"process",
       {{"terminal", false},
        {"user", {{"uid", 0}, {"gid", 0}}},
        {"args", {"/bin/witness", what}},
        {"env", {"PATH=/bin"}},
        {"cwd", "/"}}},
      {"root", {{"path", rootfs.string()}, {"readonly", false}}},
      {"hostname", "bench"},
      {"mounts",
       {mount("proc", "/proc", {"nosuid", "noexec", "nodev"}),
        mount("tmpfs", "/dev", {"nosuid", "mode=755", "size=65536k"}),
        mount("devpts", "/dev/pts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666"}),
        mount("tmpfs", "/dev/shm", {"nosuid", "noexec", "nodev", "mode=1777"}),
        mount("mqueue", "/dev/mqueue", {"nosuid", "noexec", "nodev"}),
        mount("sysfs", "/sys", {"nosuid", "noexec", "nodev", "ro"})}},
      {"linux", {{"namespaces", namespaces}}}};
  std::filesystem::create_directories(dir);
  std::ofstream{dir / "config.json"} << config.dump();
  return dir;
}

static peer oci_peer(const std::string& program, const std::string& name,
                     const std::filesystem::path& rootfs, const std::filesystem::path& scratch,
                     std::vector<std::string> options) {
  const auto first = make_bundle(rootfs, scratch / (name + "-first"), "first").string();
  const auto hold = make_bundle(rootfs, scratch / (name + "-sleep"), "first-sleep").string();
  std::vector<std::string> base{program, "--root", (scratch / (name + "-state")).string()};
  base.insert(base.end(), options.begin(), options.end());
  const auto with = [base](std::vector<std::string> rest) {
    auto argv = base;
    argv.insert(argv.end(), rest.begin(), rest.end());
    return argv;
  };
  return {name, with({"run", "--bundle", first, "bench-first"}),
          [=](const std::string& id) {
            return with({"run", "--bundle", hold, id});
          },
          [=](const std::string& id) {
            return with({"delete", "--force", id});
          },
          name};
}

static peer floor_peer(const std::string& program, const std::filesystem::path& rootfs,
                       const std::filesystem::path& scratch) {
  const auto own = scratch / "floor";
  std::filesystem::create_directories(own);
  return {"floor", {program, rootfs, own, "/bin/witness", "first"}, {}, {}, {}};
}

static peer bwrap_peer(const std::string& program, const std::filesystem::path& rootfs) {
  // Without --die-with-parent its child outlives a bwrap that is killed.
  const std::vector<std::string> base{program,         "--die-with-parent",
                                      "--unshare-all", "--bind",
                                      rootfs,          "/",
                                      "--proc",        "/proc",
                                      "--dev",         "/dev",
                                      "/bin/witness"};
  auto first = base, hold = base;
  first.push_back("first");
  hold.push_back("first-sleep");
  return {"bwrap", first, [=](const std::string&) { return hold; }, {}, "bwrap"};
}

static peer podman_peer(const std::string& program, const std::filesystem::path& rootfs,
                        const std::filesystem::path& scratch) {
  const std::vector<std::string> with_roots{program, "--root", (scratch / "podman-root").string(),
                                            "--runroot", (scratch / "podman-run").string()};
  auto base = with_roots;
  base.insert(base.end(), {"run", "--network=none", "--ulimit", "nofile=1024:1024", "--ulimit",
                           "nproc=1024:1024", "--cgroups=disabled"});
  auto first = base;
  first.insert(first.end(), {"--rm", "--rootfs", rootfs, "/bin/witness", "first"});
  const auto hold = [=](const std::string& id) {
    auto argv = base;
    argv.insert(argv.end(), {"--name=" + id, "--rootfs", rootfs, "/bin/witness", "first-sleep"});
    return argv;
  };
  const auto remove = [=](const std::string& id) {
    auto argv = with_roots;
    argv.insert(argv.end(), {"rm", "-f", "-t", "0", id});
    return argv;
  };
  return {"podman", first, hold, remove, "conmon"};
}

peer_list installed_peers(const std::filesystem::path& rootfs, const std::filesystem::path& scratch,
                          const std::string& floor_program, const std::set<std::string>& wanted) {
  peer_list found;
  const auto is_wanted = [&](const std::string& name) {
    return wanted.empty() || wanted.contains(name);
  };
  if (is_wanted("floor")) found.peers.push_back(floor_peer(floor_program, rootfs, scratch));
  for (const std::string name : {"bwrap", "crun", "runc", "podman"}) {
    if (!is_wanted(name)) continue;
    const auto program = find_program(name);
    if (program.empty())
      found.missing.push_back(name);
    else if (name == "bwrap")
      found.peers.push_back(bwrap_peer(program, rootfs));
    else if (name == "crun")
      found.peers.push_back(
          oci_peer(program, name, rootfs, scratch, {"--cgroup-manager=disabled"}));
    else if (name == "runc")
      found.peers.push_back(oci_peer(program, name, rootfs, scratch, {}));
    else
      found.peers.push_back(podman_peer(program, rootfs, scratch));
  }
  return found;
}

} // namespace tank::bench

#include "pod/container.hpp"
#include "pod/sandbox.hpp"
#include "tests/unit/pod/plan_world.hpp"

#include <doctest/doctest.h>

#include <cerrno>

#include <sys/mount.h>

namespace plan_container_test {

using namespace tank;
using namespace tank::testing;
using world = plan_world;

namespace {

config::env_var field(std::string name, std::string path) {
  config::env_var v;
  v.name = std::move(name);
  v.value_from.emplace().field_ref = config::object_field_selector{"v1", std::move(path)};
  return v;
}

} // namespace

TEST_CASE("a plain pod: private root over shared layers, its own names, its own log") {
  world w;
  const auto in = w.plan().value();
  const auto shared = w.sandbox().value();
  CHECK(shared.spec ==
        kernel::sandbox_spec{.uid = "u-1", .run_dir = "/r/pods/u-1", .hostname = "web"});
  const auto root = all<kernel::overlay_step>(in);
  REQUIRE(root.size() == 1);
  CHECK(root[0].lower ==
        std::vector<std::filesystem::path>{"/s/layers/top", "/s/layers/base"}); // top first
  CHECK(root[0].upper == w.dirs.container_state("u-1", "main") / "upper");
  CHECK(root[0].work == w.dirs.container_state("u-1", "main") / "work");
  CHECK(in.upper_dir == w.dirs.container_state("u-1", "main"));
  CHECK(in.plan.container == "main");
  CHECK(in.plan.new_pid_ns);
  CHECK(in.plan.attempt == 0);
  CHECK(in.plan.log.path == "/l/pods/default_web_u-1/main/2.log");
  CHECK(shared.etc_dir == w.dirs.pod_etc("u-1"));
  CHECK(shared.etc.hostname == "web\n");
  CHECK(shared.etc.hosts.ends_with("127.0.0.1\tweb\n"));
  CHECK(shared.etc.resolv_conf == "search example.org\nnameserver 10.0.0.1\n");
  CHECK(in.stop_signal == 3);

  const auto& p = in.plan.process;
  CHECK(p.argv == std::vector<std::string>{"/bin/web", "-v"});
  CHECK(p.env == std::vector<std::string>{"PATH=/bin", "A=1", "HOSTNAME=web", "HOME=/home/web"});
  CHECK(p.cwd == "/srv");
  CHECK(p.create_cwd);
  CHECK(p.uid == 7);
  CHECK(p.gid == 8);
  CHECK(p.groups == std::vector<std::uint32_t>{8, 20});
  CHECK_FALSE(p.no_new_privs);
}

TEST_CASE("the steps: root first, etc files bound before the pivot, masks after it") {
  world w;
  const auto in = w.plan().value();
  REQUIRE(std::holds_alternative<kernel::overlay_step>(in.plan.steps.front()));
  bool pivoted = false;
  for (const auto& s : in.plan.steps) {
    if (std::holds_alternative<kernel::pivot_step>(s)) pivoted = true;
    const bool guard = std::holds_alternative<kernel::mask_step>(s) ||
                       std::holds_alternative<kernel::read_only_step>(s);
    if (guard) CHECK(pivoted);
    if (std::holds_alternative<kernel::bind_step>(s)) CHECK_FALSE(pivoted);
  }
  CHECK(pivoted);
  const auto binds = all<kernel::bind_step>(in);
  REQUIRE(binds.size() == 3);
  CHECK(binds[0].source == w.dirs.pod_etc("u-1") / "hosts");
  CHECK(binds[0].target == "/etc/hosts");
}

TEST_CASE("the host's network brings the host's name and files") {
  world w;
  w.pod.spec.host_network = true;
  const auto in = w.plan().value();
  const auto shared = w.sandbox().value();
  CHECK(shared.spec.host_network);
  CHECK(shared.spec.hostname.empty());
  CHECK(shared.etc.hostname == "node1\n");
  CHECK(shared.etc.hosts == "# Kubernetes-managed hosts file (host network).\n"
                            "127.0.0.1 localhost node1\n");
  CHECK(in.plan.process.env.at(2) == "HOSTNAME=node1");
}

TEST_CASE("volumes become binds, the shallow ones first; each is made or checked") {
  world w;
  w.mount(host_volume("deep", "/srv/deep", "Directory"), "/data/a/b", true);
  w.mount(empty_volume("scratch"), "/data/");
  const auto in = w.plan().value();
  const auto binds = all<kernel::bind_step>(in);
  REQUIRE(binds.size() == 5);
  CHECK(binds[3] == kernel::bind_step{.source = w.dirs.volume_state("u-1", "scratch"),
                                      .target = "/data",
                                      .recursive = true,
                                      .flags = MS_NODEV});
  CHECK(binds[4] == kernel::bind_step{.source = "/srv/deep",
                                      .target = "/data/a/b",
                                      .read_only = true,
                                      .recursive = true,
                                      .flags = MS_NODEV});
  CHECK(in.empty_dirs == std::vector<empty_dir>{{w.dirs.volume_state("u-1", "scratch"), 0777, 0}});
  CHECK(in.host_paths == std::vector<host_path>{{"deep", "/srv/deep", "Directory"}});
}

TEST_CASE("a container that mounts /etc/hosts itself keeps its own") {
  world w;
  w.mount(host_volume("hosts", "/srv/hosts", "File"), "/etc/hosts");
  const auto binds = all<kernel::bind_step>(w.plan().value());
  REQUIRE(binds.size() == 3);
  CHECK(std::count_if(binds.begin(), binds.end(),
                      [](const auto& b) { return b.target == "/etc/hosts"; }) == 1);
  CHECK(std::any_of(binds.begin(), binds.end(), [](const auto& b) {
    return b.target == "/etc/hosts" && b.source == "/srv/hosts";
  }));
}

TEST_CASE("mounts that cannot be made are refused by name") {
  world w;
  w.mount(host_volume("v", "/srv"), "/");
  CHECK(w.plan().error().message() ==
        "cannot mount volume 'v': mountPath '/' is not a path below '/'");
  world m;
  auto huge = empty_volume("v");
  huge.empty_dir->medium = "HugePages";
  m.mount(huge, "/x");
  CHECK(m.plan().error().code == errc::unsupported);
  world b;
  b.mount(host_volume("v", "/srv"), "/x");
  b.container().volume_mounts[0].mount_propagation = "Bidirectional";
  CHECK(b.plan().error().code == errc::unsupported);
}

TEST_CASE("groups: the primary one, the image's, the pod's, each once; fsGroup owns emptyDirs") {
  world w;
  w.pod.spec.security_context->supplemental_groups = {20, 30};
  w.pod.spec.security_context->fs_group = 40;
  w.pod.spec.security_context->run_as_group = 50;
  w.mount(empty_volume("scratch"), "/data");
  auto in = w.plan().value();
  CHECK(in.plan.process.gid == 50);
  CHECK(in.plan.process.groups == std::vector<std::uint32_t>{50, 8, 20, 30, 40});
  CHECK(in.empty_dirs ==
        std::vector<empty_dir>{{w.dirs.volume_state("u-1", "scratch"), 02777, 0, 40}});

  w.pod.spec.security_context->supplemental_groups_policy = "Strict";
  w.context().run_as_group = 60;
  in = w.plan().value();
  CHECK(in.plan.process.gid == 60);
  CHECK(in.plan.process.groups == std::vector<std::uint32_t>{60, 20, 30, 40});
}

TEST_CASE("the security context reaches the process and the root") {
  world w;
  w.context().allow_privilege_escalation = false;
  w.context().read_only_root_filesystem = true;
  const auto in = w.plan().value();
  CHECK(in.plan.process.no_new_privs);
  CHECK(all<kernel::pivot_step>(in).at(0).read_only_root);
}

TEST_CASE("limits: a cgroup of its own in each hierarchy, below this instance's") {
  world w;
  w.container().resources.limits["memory"] = *config::quantity::parse("64Mi");
  CHECK(w.sandbox().error().message().starts_with(
      "cannot limit 'main': Tank has no cgroups on this host"));
  w.dirs.cgroups = {cgroup_version::v1,
                    {{{"memory"}, "/c/memory", "/c/memory/tank"}, {{"pids"}, "/c/pids", "/c/p"}}};
  const auto in = w.plan().value();
  const auto shared = w.sandbox().value();
  const auto name = w.dirs.pod_cgroup("u-1");
  CHECK(shared.cgroup.name == name);
  REQUIRE(shared.cgroup.containers.size() == 1);
  CHECK(shared.cgroup.containers[0].name == "main");
  CHECK(shared.cgroup.containers[0].limits.memory == 64u << 20);
  CHECK(in.cgroup == shared.cgroup.containers[0]); // an attempt after the first makes it anew
  CHECK(in.plan.cgroups == std::vector<std::filesystem::path>{"/c/memory/tank" / name / "main",
                                                              "/c/p" / name / "main"});
  CHECK(in.plan.process.oom_score_adj.has_value());
  const auto shows_cgroups = [](const container_inputs& i) {
    for (const auto& m : all<kernel::filesystem_step>(i))
      if (m.target == "/sys/fs/cgroup") return (m.flags & MS_RDONLY) != 0 && m.type == "cgroup2";
    return false;
  };
  CHECK(!shows_cgroups(in));
  w.dirs.cgroups = {cgroup_version::v2, {{{"memory"}, "/c", "/c/tank"}}};
  CHECK(shows_cgroups(w.plan().value()));
}

TEST_CASE("a rootfs: image is used as it is") {
  world w;
  w.image.name = "rootfs:/srv/root";
  w.image.layers = {"/srv/root"};
  const auto in = w.plan().value();
  CHECK(in.upper_dir.empty());
  CHECK(all<kernel::overlay_step>(in).at(0) ==
        kernel::overlay_step{.lower = {"/srv/root"}, .upper = {}, .work = {}});
}

TEST_CASE("who runs: the container's word, then the pod's, then the image's") {
  world w;
  const oci::image_config image{.user = "web:staff"};
  const auto user = [&] { return user_text(w.pod, w.container(), image); };
  CHECK(user() == "web:staff");
  w.pod.spec.security_context->run_as_user = 1000;
  CHECK(user() == "1000");
  w.context().run_as_user = 2000;
  CHECK(user() == "2000");
}

TEST_CASE("runAsNonRoot refuses root, and names it cannot verify") {
  world w;
  w.pod.spec.security_context->run_as_non_root = true;
  const auto with = [&](std::string user) {
    return user_text(w.pod, w.container(), oci::image_config{.user = std::move(user)});
  };
  CHECK(with("1000") == "1000");
  CHECK(with("").error().code == errc::denied);
  CHECK(with("0").error().code == errc::denied);
  CHECK(with("00:5").error().code == errc::denied);
  CHECK(with("web").error().message() ==
        "cannot run container 'main': runAsNonRoot is set and the image's user 'web' is not a "
        "number (set securityContext.runAsUser: a name cannot be verified not to be root)");
  w.context().run_as_user = 0;
  CHECK(with("1000").error().code == errc::denied);
  w.context().run_as_non_root = false;
  CHECK(with("web") == "0");
}

TEST_CASE("fields of the pod become variables") {
  world w;
  w.pod.metadata.labels["app"] = "shop";
  w.container().env = {field("NAME", "metadata.name"),
                       field("NS", "metadata.namespace"),
                       field("UID", "metadata.uid"),
                       field("NODE", "spec.nodeName"),
                       field("APP", "metadata.labels['app']"),
                       field("NO", "metadata.labels['x']"),
                       field("IP", "status.podIP")};
  const auto env = container_env(w.pod, w.container(), w.host, "u-1").value();
  CHECK(env == std::vector<std::pair<std::string, std::string>>{{"NAME", "web"},
                                                                {"NS", "default"},
                                                                {"UID", "u-1"},
                                                                {"NODE", "node1"},
                                                                {"APP", "shop"},
                                                                {"NO", ""},
                                                                {"IP", "127.0.0.1"}});
  w.container().env = {field("X", "metadata.generation")};
  CHECK(container_env(w.pod, w.container(), w.host, "u-1").error().code == errc::invalid);
}

TEST_CASE("signals by name and number") {
  CHECK(signal_number("SIGTERM") == 15);
  CHECK(signal_number("TERM") == 15);
  CHECK(signal_number("9") == 9);
  CHECK(signal_number("SIGRTMIN") == 34);
  CHECK(signal_number("SIGRTMIN+3") == 37);
  CHECK(signal_number("SIGRTMAX-1") == 63);
  for (const char* bad : {"", "0", "65", "SIGNO", "RTMIN+31", "RTMIN+", "RTMIN-1", "999999999999"})
    CHECK_FALSE(signal_number(bad).has_value());
}

TEST_CASE("a failed launch says what to mend") {
  world w;
  w.params.cwd = "/nowhere";
  w.params.cwd_from_image = false;
  const auto in = w.plan().value();
  const auto failed = [&](kernel::launch_failure code, int sys, const char* step,
                          const char* object) {
    return explain_failure({{"main"}, code, sys, step, object}, in);
  };
  using enum kernel::launch_failure;
  CHECK(failed(execute, ENOENT, "execute", "foo").message() ==
        "cannot execute 'foo': No such file or directory (no such program in the image's PATH; "
        "check command)");
  CHECK(failed(execute, ENOENT, "execute", "/bin/foo").hint ==
        "no such program in the image; check command");
  CHECK(failed(execute, EACCES, "execute", "foo").hint ==
        "not an executable file for uid 7; check command and runAsUser");
  CHECK(failed(enter_cwd, ENOENT, "enter the working directory", "/nowhere").message() ==
        "cannot enter the working directory '/nowhere': No such file or directory (the image has "
        "no such directory; check workingDir)");
  CHECK(failed(find_command, ENOENT, "find the command", "foo").message() ==
        "cannot find the command 'foo': No such file or directory (no such program in the image's "
        "PATH; check command)");
  CHECK(
      failed(run_interpreter, ENOENT, "run the interpreter of", "/x (needs /bin/bash)").message() ==
      "cannot run the interpreter of '/x (needs /bin/bash)': No such file or "
      "directory (the program is there, what should run it is not in the "
      "image)");
  CHECK(failed(plan_step, EINVAL, "mount overlay on", "/x").hint.empty());
  // The code decides, not what is written for people.
  CHECK(failed(other, ENOENT, "execute", "foo").hint.empty());
}

TEST_CASE("two containers: each its own layer, log and cgroup; the sandbox is planned once") {
  world w;
  auto second = w.container();
  second.name = "side";
  second.resources.limits["memory"] = *config::quantity::parse("32Mi");
  w.pod.spec.containers.push_back(second);
  w.dirs.cgroups = {cgroup_version::v2, {{{"memory"}, "/c", "/c/tank"}}};
  const auto first = w.plan(0).value();
  const auto side = w.plan(1).value();
  CHECK(first.upper_dir == w.dirs.container_state("u-1", "main"));
  CHECK(side.upper_dir == w.dirs.container_state("u-1", "side"));
  CHECK(side.plan.container == "side");
  CHECK(side.plan.log.path == "/l/pods/default_web_u-1/side/2.log");
  REQUIRE(side.cgroup);
  CHECK(side.cgroup->name == "side");
  CHECK(side.cgroup->limits.memory == 32u << 20);
  CHECK_FALSE(first.cgroup->limits.memory);
  CHECK(first.plan.cgroups != side.plan.cgroups);
  const auto shared = w.sandbox().value();
  REQUIRE(shared.cgroup.containers.size() == 2);
  CHECK(shared.cgroup.containers[1] == *side.cgroup);
}

TEST_CASE("each attempt of a container has its number and a log of its own") {
  world w;
  w.attempt = 3;
  const auto in = w.plan().value();
  CHECK(in.plan.attempt == 3);
  CHECK(in.plan.log.path == "/l/pods/default_web_u-1/main/5.log"); // after 2 runs of the pod
  CHECK(in.upper_dir == w.dirs.container_state("u-1", "main"));
}

TEST_CASE("hostUsers: false: others' files are mapped, the pod's own belong to its root") {
  world w;
  w.users = {700'000, 65536};
  w.pod.spec.security_context->fs_group = 30;
  w.mount(host_volume("h", "/srv"), "/h");
  w.mount(empty_volume("e"), "/e");
  w.host.capabilities = capability_bit(0);
  w.context().privileged = true;
  const auto in = w.plan().value();
  CHECK(w.sandbox().value().spec.users == w.users);
  CHECK(all<kernel::overlay_step>(in)[0].mapped);
  for (const auto& bind : all<kernel::bind_step>(in))
    CHECK_MESSAGE(bind.mapped == (bind.target == "/h"), bind.target);
  REQUIRE(in.empty_dirs.size() == 1);
  CHECK(in.empty_dirs[0].uid == 700'000);
  CHECK(in.empty_dirs[0].gid == 700'030);
  CHECK(in.plan.process.uid == 7); // what is inside stays as it is
  CHECK(in.plan.process.capabilities.bounding == all_capabilities);
  const auto without = [&] {
    w.users = {};
    return w.plan().value();
  }();
  CHECK_FALSE(all<kernel::overlay_step>(without)[0].mapped);
  CHECK(without.empty_dirs[0].uid == 0);
  CHECK(without.empty_dirs[0].gid == 30);
  CHECK(without.plan.process.capabilities.bounding == capability_bit(0));
}

TEST_CASE("hostUsers: false: users and groups that are not mapped are refused") {
  world w;
  w.users = {700'000, 65536};
  w.context().run_as_user = 65535;
  w.user.uid = 65535;
  CHECK(w.plan().has_value());
  w.user.uid = 65536;
  CHECK(w.plan().error().message() ==
        "cannot run as user '65536': a pod with 'hostUsers: false' has the ids 0 to 65535");
  w.user.uid = 1;
  w.pod.spec.security_context->fs_group = 70'000;
  CHECK(w.plan().error().message().starts_with("cannot run as group '70000'"));
  w.users = {};
  CHECK(w.plan().has_value());
}

TEST_CASE("a filesystem that cannot be mapped is explained") {
  const auto e = explain_failure(
      {{}, kernel::launch_failure::map_ids, EINVAL, "map the ids of", "/srv", 3}, {});
  CHECK(e.message().find("do without 'hostUsers: false'") != std::string::npos);
}

} // namespace plan_container_test

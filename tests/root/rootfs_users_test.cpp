// A container in its pod's own user namespace: whose the files are, seen from both sides; and what
// is left when one of the steps fails.
#include "tests/root/rootfs_fixture.hpp"

#include <nlohmann/json.hpp>

#include <sys/mount.h>

namespace rootfs_users_test {

using namespace tank;
using namespace tank::kernel;
using nlohmann::json;

namespace {

constexpr user_range ids{0x7100'0000, 65536};

struct users_room : shim_room {
  std::unique_ptr<session> pod;
  int containers = 0;

  users_room() {
    std::filesystem::create_directories(layer() / "bin");
    std::filesystem::copy_file(witness_program(), layer() / "bin/witness");
    put(layer() / "owned", "x");
    REQUIRE(::chown((layer() / "owned").c_str(), 7, 8) == 0);
    put(layer() / "foreign", "x");
    REQUIRE(::chown((layer() / "foreign").c_str(), 100'000, 100'000) == 0);
    REQUIRE(::chmod((layer() / "foreign").c_str(), 0600) == 0);
    // As Tank's own directories are: closed to all but the host's root.
    REQUIRE(::chmod(dir.c_str(), 0700) == 0);
    pod = kernel::start(*kernel,
                        {.uid = "u1", .run_dir = dir / "run", .hostname = "pod", .users = ids});
  }
  ~users_room() { finish(*pod); }

  [[nodiscard]] std::filesystem::path layer() const { return dir / "layer"; }
  [[nodiscard]] std::filesystem::path home(int number) const {
    return dir / ("c" + std::to_string(number));
  }

  launch_plan plan(std::vector<std::string> argv, std::vector<step> volumes = {},
                   const default_mounts_options& options = {}) {
    const auto at = home(containers);
    launch_plan p{.container = "web" + std::to_string(++containers % 4)};
    REQUIRE(kernel->make_upper(at, ids.first));
    p.steps = {overlay_step{
        .lower = {layer()}, .upper = at / "upper", .work = at / "work", .mapped = true}};
    for (auto& s : standard_mounts(options, std::move(volumes)))
      p.steps.push_back(std::move(s));
    p.process.argv = std::move(argv);
    p.process.argv.insert(p.process.argv.begin(), "/bin/witness");
    p.process.env = {"PATH=/bin"};
    p.log.path = at / "log";
    return p;
  }

  outcome run(const launch_plan& p) { return run_to_end(*pod, p); }
  std::string hear(const launch_plan& p) {
    const auto o = run(p);
    CHECK(o.err == "");
    REQUIRE(o.code == 0);
    return o.out;
  }
};

std::pair<unsigned, unsigned> owner(const std::filesystem::path& path) {
  struct stat st {};
  REQUIRE_MESSAGE(::lstat(path.c_str(), &st) == 0, path);
  return {st.st_uid, st.st_gid};
}

std::string children(pid_t pid) {
  return slurp("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
}

} // namespace

TEST_CASE("inside it is root of its own namespaces, outside one of the pod's ids") {
  users_room room;
  auto p = room.plan({"report", "--", "read", "/proc/self/uid_map", "--", "read",
                      "/proc/self/gid_map", "--", "read", "/proc/self/setgroups"});
  p.process.oom_score_adj = 321;
  const auto said = room.hear(p);
  const auto end = said.find('\n');
  const auto r = json::parse(said.substr(0, end));
  CHECK(said.substr(end) == "\n         0 1895825408      65536\n"
                            "         0 1895825408      65536\nallow\n");
  CHECK(r["uid"] == json{0, 0, 0});
  CHECK(r["gid"] == json{0, 0, 0});
  CHECK(r["pid"] == 1);
  CHECK(r["ppid"] == 0);
  CHECK(r["hostname"] == "pod");
  CHECK(r["oom_score_adj"][0] == "321");
  std::vector<int> fds;
  for (const auto& fd : r["fds"])
    fds.push_back(fd["fd"].get<int>());
  CHECK(fds == std::vector<int>{0, 1, 2});
  for (const char* kind : {"user", "net", "ipc", "uts", "mnt", "pid", "cgroup"}) {
    const auto host = std::filesystem::read_symlink("/proc/self/ns/" + std::string{kind});
    CHECK_MESSAGE(r["ns"][kind] != host.string(), kind);
  }
}

TEST_CASE("layers and volumes show the host's owners mapped; files of nobody stay out of reach") {
  users_room room;
  const auto data = room.dir / "data";
  put(data / "of-root", "secret");
  REQUIRE(::chmod((data / "of-root").c_str(), 0600) == 0);
  put(data / "of-nobody", "x");
  REQUIRE(::chown((data / "of-nobody").c_str(), 200'000, 200'000) == 0);
  REQUIRE(::chmod((data / "of-nobody").c_str(), 0600) == 0);
  const auto p = room.plan(
      {"owner",      "/owned", "--",     "owner",        "/foreign", "--",         "owner",
       "/v/of-root", "--",     "owner",  "/v/of-nobody", "--",       "write",      "/v/made",
       "x",          "--",     "owner",  "/v/made",      "--",       "write",      "/made",
       "x",          "--",     "chown",  "/made",        "5",        "6",          "--",
       "owner",      "/made",  "--",     "chown",        "/owned",   "9",          "9",
       "--",         "owner",  "/owned", "--",           "write",    "/v/of-root", "changed"},
      {bind_step{.source = data, .target = "/v", .recursive = true, .mapped = true}});
  CHECK(room.hear(p) == "7 8\n65534 65534\n0 0\n65534 65534\n0 0\n5 6\n9 9\n");
  // What it makes in a volume is its root's there, and the host's root's on the host.
  CHECK(owner(data / "made") == std::pair{0u, 0u});
  CHECK(slurp(data / "of-root") == "changed");
  // In its own writable layer it is the pod's.
  CHECK(owner(room.home(0) / "upper/made") == std::pair{ids.first + 5, ids.first + 6});
  CHECK(owner(room.home(0) / "upper/owned") == std::pair{ids.first + 9, ids.first + 9});
  CHECK(owner(room.layer() / "owned") == std::pair{7u, 8u});
  for (const char* path : {"/foreign", "/v/of-nobody"}) {
    const auto o = room.run(
        room.plan({"read", path}, {bind_step{.source = data, .target = "/v", .mapped = true}}));
    CHECK(o.code == 1);
    CHECK(o.err == "witness: read " + std::string{path} + ": errno 13\n");
  }
  // The counterpart: without the mapping the host's root is nobody.
  const auto bare =
      room.run(room.plan({"read", "/v/of-root"}, {bind_step{.source = data, .target = "/v"}}));
  CHECK(bare.err == "witness: read /v/of-root: errno 13\n");
  for (int i = 0; i < room.containers; ++i)
    CHECK(room.kernel->remove_tree(room.home(i)));
}

TEST_CASE("devices work and are nobody's; what a root of the host could make is refused") {
  users_room room;
  auto p = room.plan({"write", "/dev/null", "x", "--", "read", "/dev/null", "--", "owner",
                      "/dev/null", "--", "mode", "/dev/full"});
  CHECK(room.hear(p) == "65534 65534\n20666\n");
  const auto refused = [&](std::vector<std::string> verb) {
    auto q = room.plan(std::move(verb));
    q.process.capabilities.bounding = q.process.capabilities.permitted =
        q.process.capabilities.effective = all_capabilities;
    return room.run(q).err;
  };
  CHECK(refused({"mknod", "/n"}) == "witness: mknod /n: errno 1\n");
  CHECK(refused({"chmod", "0600", "/dev/null"}) == "witness: chmod /dev/null: errno 30\n");
  CHECK(refused({"write", "/proc/sysrq-trigger", "h"}).starts_with("witness: write"));
  CHECK(refused({"write", "/proc/sys/kernel/core_pattern", "x"}).starts_with("witness: write"));
}

TEST_CASE("a read-only volume stays so; a workload's own output is its own") {
  users_room room;
  put(room.dir / "data/x", "1");
  auto all = room.plan(
      {"write", "/v/x", "2"},
      {bind_step{.source = room.dir / "data", .target = "/v", .read_only = true, .mapped = true}});
  CHECK(room.run(all).err == "witness: write /v/x: errno 30\n");
  CHECK(slurp(room.dir / "data/x") == "1");
  auto user = room.plan({"append", "/proc/self/fd/1", "heard\n"});
  user.process.uid = user.process.gid = 1000;
  user.process.capabilities.permitted = user.process.capabilities.effective = 0;
  CHECK(room.hear(user) == "heard\n");
}

TEST_CASE("whichever step fails: it is named, and no process, mount or descriptor is left") {
  users_room room;
  put(room.dir / "data/x", "1");
  const auto volumes = std::vector<step>{
      bind_step{.source = room.dir / "data", .target = "/v", .recursive = true, .mapped = true}};
  const auto count = room.plan({"exit", "0"}, volumes).steps.size();
  for (int i = 0; i < 4; ++i)
    room.hear(room.plan({"exit", "0"}, volumes));
  const auto mounts = slurp("/proc/self/mountinfo");
  const auto shim = room.pod->shim_pid();
  const auto fds_of = [](pid_t pid) { return entries("/proc/" + std::to_string(pid) + "/fd"); };
  const auto shim_fds = fds_of(shim);
  const auto check_failed = [&](const launch_plan& plan, int sys, int index) {
    const auto o = room.run(plan);
    REQUIRE(o.failed);
    CHECK(o.failed->sys == sys);
    CHECK(o.failed->step_index == index);
    CHECK(children(shim) == "");
    CHECK(fds_of(shim) == shim_fds);
    CHECK(room.kernel->remove_tree(room.home(room.containers - 1)));
  };
  for (std::size_t i = 0; i <= count; ++i) {
    auto plan = room.plan({"exit", "0"}, volumes);
    plan.steps.insert(plan.steps.begin() + static_cast<std::ptrdiff_t>(i), fault_step{EDQUOT});
    check_failed(plan, EDQUOT, static_cast<int>(i));
  }
  // What the shim opens for the child.
  auto no_layer = room.plan({"exit", "0"}, volumes);
  std::get<overlay_step>(no_layer.steps[0]).lower.emplace_back(room.dir / "none");
  check_failed(no_layer, ENOENT, 0);
  auto bad_work = room.plan({"exit", "0"}, volumes);
  std::get<overlay_step>(bad_work.steps[0]).work = room.dir / "data/x";
  check_failed(bad_work, ENOTDIR, 0);
  auto last = room.plan({"exit", "0"}, volumes);
  int at = 0;
  for (std::size_t i = 0; i < last.steps.size(); ++i)
    if (auto* bind = std::get_if<bind_step>(&last.steps[i])) {
      bind->source = room.dir / "none";
      at = static_cast<int>(i);
    }
  check_failed(last, ENOENT, at);
  // A filesystem without idmapped mounts.
  auto unmappable = room.plan(
      {"exit", "0"}, {bind_step{.source = "/proc/version", .target = "/v", .mapped = true}});
  const auto o = room.run(unmappable);
  REQUIRE(o.failed);
  CHECK(o.failed->code == launch_failure::map_ids);
  CHECK(o.failed->step == "map the ids of");
  CHECK(o.failed->object == "/proc/version");
  CHECK(o.failed->sys == EINVAL);
  CHECK(slurp("/proc/self/mountinfo") == mounts);
  room.hear(room.plan({"exit", "0"}, volumes));
}

} // namespace rootfs_users_test

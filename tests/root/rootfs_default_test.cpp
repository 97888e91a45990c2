#include "tests/root/rootfs_fixture.hpp"

#include <nlohmann/json.hpp>

namespace rootfs_default_test {

using namespace tank;
using namespace tank::kernel;
using nlohmann::json;

namespace {

struct mount_line {
  std::set<std::string> options;
  std::string type;
  std::string root;
  bool propagates = false;
};

/// mountinfo by mount point; the last one wins, as it does for a lookup.
std::map<std::string, mount_line> mounts_of(const json& report) {
  std::map<std::string, mount_line> out;
  for (const auto& line : report.at("mounts")) {
    std::istringstream in{line.get<std::string>()};
    std::string id, parent, device, root, point, options, field;
    in >> id >> parent >> device >> root >> point >> options;
    mount_line m;
    m.root = root;
    while (in >> field && field != "-")
      m.propagates = true; // shared:, master:, ...
    in >> m.type;
    std::istringstream list{options};
    for (std::string o; std::getline(list, o, ',');)
      m.options.insert(o);
    out[point] = m;
  }
  return out;
}

bool has(const mount_line& m, std::initializer_list<const char*> options) {
  return std::all_of(options.begin(), options.end(),
                     [&](const char* o) { return m.options.count(o) == 1; });
}

json device(const json& report, const std::string& name) {
  for (const auto& d : report.at("dev")) {
    if (d.at("name") == name) return d;
  }
  FAIL("no /dev/" << name);
  return {};
}

} // namespace

TEST_CASE("the witness finds itself alone, as pid 1, with descriptors 0, 1 and 2 only") {
  rootfs_room room;
  auto plan = room.plan({"report"});
  plan.process.env = {"A=1", "B=two words"};
  const auto r = json::parse(room.hear(plan));
  CHECK(r.at("pid") == 1);
  CHECK(r.at("ppid") == 0);
  CHECK(r.at("sid") == 1);
  CHECK(r.at("processes") == json::array({1}));
  CHECK(r.at("uid") == json::array({0, 0, 0}));
  CHECK(r.at("gid") == json::array({0, 0, 0}));
  CHECK(r.at("groups") == json::array());
  CHECK(r.at("cwd") == "/");
  CHECK(r.at("hostname") == "pod");
  CHECK(r.at("controlling_tty") == false);
  CHECK(r.at("pdeathsig") == SIGKILL);
  CHECK(r.at("argv") == json::array({"/bin/witness", "report"}));
  CHECK(r.at("env") == json::array({"A=1", "B=two words"}));
  CHECK(r.at("interfaces") == json::array({"lo"}));
  REQUIRE(r.at("fds").size() == 3);
  CHECK(r["fds"][0] == json({{"fd", 0}, {"target", "/dev/null"}}));
  const auto& status = r.at("status");
  CHECK(status.at("Umask") == "0022");
  for (const char* empty : {"SigBlk", "SigIgn", "SigCgt", "CapInh", "CapAmb"})
    CHECK(status.at(empty) == "0000000000000000");
  CHECK(status.at("NoNewPrivs") == "0");
}

TEST_CASE("every namespace is the container's own, but user and time") {
  rootfs_room room;
  const auto r = json::parse(room.hear(room.plan({"report"})));
  for (const auto& [name, link] : r.at("ns").items()) {
    const auto host = std::filesystem::read_symlink("/proc/self/ns/" + name).string();
    const bool shared = name == "user" || name.rfind("time", 0) == 0;
    CHECK_MESSAGE((link == host) == shared, name);
  }
}

TEST_CASE("the mounts are the plan's, private, and none of the host's is among them") {
  rootfs_room room;
  const auto r = json::parse(room.hear(room.plan({"report"})));
  const auto mounts = mounts_of(r);
  std::map<std::string, std::string> types;
  for (const auto& [point, m] : mounts) {
    CHECK_MESSAGE(!m.propagates, point);
    if (point.rfind("/proc/", 0) != 0 && point.rfind("/sys/", 0) != 0) types[point] = m.type;
  }
  // Each device is a mount of its own, the only ones with devices beside the terminals.
  for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
    const auto point = std::string{"/dev/"} + name;
    REQUIRE_MESSAGE(types.erase(point) == 1, point);
    CHECK(!has(mounts.at(point), {"nodev"}));
    CHECK(has(mounts.at(point), {"nosuid"}));
    CHECK(mounts.at(point).root == std::string{"/"} + name);
  }
  CHECK(types == std::map<std::string, std::string>{{"/", "overlay"},
                                                    {"/proc", "proc"},
                                                    {"/dev", "tmpfs"},
                                                    {"/dev/pts", "devpts"},
                                                    {"/dev/shm", "tmpfs"},
                                                    {"/dev/mqueue", "mqueue"},
                                                    {"/sys", "sysfs"}});
  CHECK(has(mounts.at("/"), {"rw"}));
  CHECK(has(mounts.at("/proc"), {"rw", "nosuid", "nodev", "noexec"}));
  CHECK(has(mounts.at("/sys"), {"ro", "nosuid", "nodev", "noexec"}));
  CHECK(has(mounts.at("/sys/fs/cgroup"), {"ro", "nosuid", "nodev", "noexec"}));
  CHECK(mounts.at("/sys/fs/cgroup").type == "cgroup2");
  CHECK(mounts.at("/sys/fs/cgroup").root == "/");
  CHECK(has(mounts.at("/dev"), {"rw", "nosuid", "nodev"}));
  CHECK(has(mounts.at("/"), {"nodev"}));
  CHECK(has(mounts.at("/dev/shm"), {"rw", "nosuid", "nodev", "noexec"}));
  CHECK(has(mounts.at("/proc/sys"), {"ro"}));
}

TEST_CASE("/dev holds the standard devices and links, with their numbers and modes") {
  rootfs_room room;
  const auto r = json::parse(room.hear(room.plan({"report"})));
  std::set<std::string> names;
  for (const auto& d : r.at("dev"))
    names.insert(d.at("name").get<std::string>());
  CHECK(names == std::set<std::string>{"null", "zero", "full", "random", "urandom", "tty", "pts",
                                       "ptmx", "fd", "stdin", "stdout", "stderr", "shm", "mqueue"});
  const std::map<std::string, std::string> numbers = {{"null", "1:3"},    {"zero", "1:5"},
                                                      {"full", "1:7"},    {"random", "1:8"},
                                                      {"urandom", "1:9"}, {"tty", "5:0"}};
  for (const auto& [name, number] : numbers) {
    CHECK(device(r, name).at("rdev") == number);
    CHECK(device(r, name).at("mode") == "20666");
  }
  CHECK(device(r, "ptmx").at("link") == "pts/ptmx");
  CHECK(device(r, "fd").at("link") == "/proc/self/fd");
  CHECK(device(r, "stderr").at("link") == "/proc/self/fd/2");
  CHECK(device(r, "shm").at("mode") == "41777");
  const auto modes = room.hear(room.plan({"mode", "/dev", "--", "mode", "/dev/pts/ptmx"}));
  CHECK(modes == "40755\n20666\n");
}

TEST_CASE("masked files read as empty, masked directories are empty") {
  rootfs_room room;
  int seen = 0;
  for (const auto path : masked_paths()) {
    const std::string name{path};
    if (!std::filesystem::exists(name)) continue; // kernels differ
    ++seen;
    const bool directory = std::filesystem::is_directory(name);
    CHECK_MESSAGE(room.hear(room.plan({directory ? "ls" : "read", name})) == "", name);
    // Nor can the mask be used to change what it is made of.
    const auto o = room.run_to_end(room.plan({"chmod", "600", name}));
    CHECK(o.err == "witness: chmod " + name + ": errno 30\n");
  }
  CHECK(seen >= 3);
}

TEST_CASE("read-only paths refuse") {
  rootfs_room room;
  const auto o = room.run_to_end(room.plan({"write", "/proc/sys/kernel/domainname", "x"}));
  CHECK(o.err == "witness: write /proc/sys/kernel/domainname: errno 30\n");
  const auto r = json::parse(room.hear(room.plan({"report"})));
  const auto mounts = mounts_of(r);
  for (const auto path : read_only_paths()) {
    if (!std::filesystem::exists(path)) continue;
    REQUIRE_MESSAGE(mounts.count(std::string(path)) == 1, path);
    CHECK(has(mounts.at(std::string(path)), {"ro", "nosuid", "nodev", "noexec"}));
  }
}

TEST_CASE("the files in /etc are the pod's, and writing them does not touch the image") {
  rootfs_room room;
  put(room.layer("base") / "etc/hosts", "image");
  const auto image = snapshot(room.layer("base"));
  put(room.dir / "etc/hosts", "127.0.0.1 localhost\n");
  put(room.dir / "etc/hostname", "pod\n");
  put(room.dir / "etc/resolv", "nameserver 192.0.2.1\n");
  const default_mounts_options options{.hosts = room.dir / "etc/hosts",
                                       .hostname = room.dir / "etc/hostname",
                                       .resolv_conf = room.dir / "etc/resolv"};
  const auto plan = room.plan({"read", "/etc/hosts", "--", "read", "/etc/hostname", "--", "read",
                               "/etc/resolv.conf", "--", "append", "/etc/hosts", "more\n"},
                              {"base"}, options);
  CHECK(room.hear(plan) == "127.0.0.1 localhost\npod\nnameserver 192.0.2.1\n");
  CHECK(slurp(room.dir / "etc/hosts") == "127.0.0.1 localhost\nmore\n");
  CHECK(snapshot(room.layer("base")) == image);
}

TEST_CASE("with the host's network, its interfaces are in /sys") {
  rootfs_room room{true};
  const auto r = json::parse(room.hear(room.plan({"report"})));
  std::set<std::string> host;
  for (const auto& e : std::filesystem::directory_iterator("/sys/class/net"))
    host.insert(e.path().filename());
  CHECK(r.at("interfaces").get<std::set<std::string>>() == host);
}

} // namespace rootfs_default_test

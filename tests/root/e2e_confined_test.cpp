// What a pod may do, heard from inside: the defaults, and each field of securityContext.
#include "tests/root/host_fixture.hpp"

#include "base/capability.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include <sys/stat.h>
#include <sys/syscall.h>

namespace e2e_confined_test {

using namespace tank;
using namespace tank::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

bool ended(const pod_status& p) {
  return p.state == pod_state::terminal;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string hex(capability_mask mask) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(mask));
  return text;
}

/// What this machine can hand on: what we have ourselves.
capability_mask held() {
  std::istringstream lines{file_text("/proc/self/status")};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("CapBnd:")) return std::stoull(line.substr(8), nullptr, 16);
  return 0;
}

struct room : host {
  int pods = 0;
  room() : host("backoff: {base: 20ms, max: 200ms}\nseccompDir: " + profiles() + "\n") {
    start_daemon();
  }
  ~room() {
    stop_daemon();
    fs::remove_all(profiles());
  }
  static std::string profiles() {
    static const std::string dir = [] {
      std::string name = (fs::temp_directory_path() / "tank-profiles-XXXXXX").string();
      REQUIRE(::mkdtemp(name.data()) != nullptr);
      return name;
    }();
    fs::create_directories(dir);
    return dir;
  }

  pod_status run(std::vector<std::string> command, const std::string& container,
                 const std::string& spec = {}) {
    pod_text pod{.name = "p" + std::to_string(pods++)};
    pod.command = std::move(command);
    pod.restart = "Never";
    if (!container.empty()) pod.container_more = "    securityContext: " + container + "\n";
    pod.spec_more = spec;
    put(pod);
    return await_pod(pod.name, "ends", ended);
  }
  /// stdout of a pod that ends well.
  std::string say(std::vector<std::string> command, const std::string& container = {},
                  const std::string& spec = {}) {
    const auto p = run(std::move(command), container, spec);
    CHECK_MESSAGE(p.last->exit_code == 0,
                  p.last->message << log_text(log_dir(p) / "0.log", "stderr"));
    return log_text(log_dir(p) / "0.log", "stdout");
  }
  json report(const std::string& container = {}, const std::string& spec = {}) {
    return json::parse(say({"/bin/witness", "report"}, container, spec));
  }
  /// What a system call answers in a pod: 0, or -errno.
  long call(long number, std::vector<std::string> args = {}, const std::string& container = {}) {
    std::vector<std::string> command{"/bin/witness", "call", std::to_string(number)};
    command.insert(command.end(), args.begin(), args.end());
    const auto said = say(std::move(command), container);
    const auto prefix = "call " + std::to_string(number) + ": ";
    REQUIRE_MESSAGE(said.starts_with(prefix), said);
    return std::stol(said.substr(prefix.size()));
  }
  /// Why a pod did not start.
  std::string refusal(const std::string& container, const std::string& spec = {}) {
    const auto p = run({"/bin/witness", "exit", "0"}, container, spec);
    CHECK(p.last->reason == "StartError");
    return p.last->message;
  }
};

void check_sets(const json& report, capability_mask bounding, bool root) {
  const auto& s = report["status"];
  CHECK(s["CapBnd"] == hex(bounding));
  CHECK(s["CapPrm"] == hex(root ? bounding : 0));
  CHECK(s["CapEff"] == hex(root ? bounding : 0));
  CHECK(s["CapInh"] == hex(0));
  CHECK(s["CapAmb"] == hex(0));
}

capability_mask bits(std::initializer_list<const char*> names) {
  capability_mask out = 0;
  for (const char* name : names)
    out |= capability_bit(*capability_number(name));
  return out;
}

} // namespace

/// Nothing of the host but the image's layers and the three files of /etc that are the pod's own.
static void check_mounts(const json& r) {
  std::set<std::string> points;
  for (const auto& m : r["mounts"]) {
    const auto line = m.get<std::string>();
    std::istringstream in{line};
    std::istringstream behind{line.substr(line.find(" - ") + 3)};
    std::string skip, root, point, options, type;
    in >> skip >> skip >> skip >> root >> point >> options;
    behind >> type;
    points.insert(point);
    CHECK_MESSAGE(!has(line, "shared:"), line);
    CHECK_MESSAGE(!has(line, "master:"), line);
    const bool device = point.starts_with("/dev/") || point.starts_with("/proc/");
    CHECK_MESSAGE((device || has(options, "nodev")), line);
    if (point == "/sys" || point == "/proc/sys" || point == "/sys/fs/cgroup")
      CHECK_MESSAGE(options.starts_with("ro,"), line);
    const bool etc =
        point == "/etc/hosts" || point == "/etc/hostname" || point == "/etc/resolv.conf";
    const std::set<std::string> made{"overlay", "proc",   "sysfs",  "tmpfs",
                                     "devpts",  "mqueue", "cgroup", "cgroup2"};
    CHECK_MESSAGE((etc ? has(root, "/etc/") : made.contains(type)), line);
    if (!etc && type == "tmpfs") // the container's own, or the one that masks
      CHECK_MESSAGE((root == "/" || has(line, "rw,size=64k,")), line);
  }
  for (const char* wanted : {"/", "/proc", "/dev", "/sys", "/proc/sys", "/etc/hosts"})
    CHECK_MESSAGE(points.contains(wanted), wanted);
}

/// What is masked shows nothing, and nothing of the kernel's can be written: by trying.
static void check_masks(const json& r) {
  const auto& paths = r["paths"];
  int seen = 0;
  for (const char* masked :
       {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
        "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"}) {
    if (!fs::exists(masked)) continue;
    CHECK_MESSAGE(paths[masked]["read"] == "nothing", masked);
    ++seen;
  }
  CHECK(seen > 3);
  for (const char* closed : {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger",
                             "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname",
                             "/proc/sys/net/ipv4/tcp_fin_timeout", "/sys/kernel/profiling"})
    if (fs::exists(closed)) CHECK_MESSAGE(paths[closed]["write"] == EROFS, closed);
  CHECK(paths["/"]["write"] == 0); // the container's own
}

TEST_CASE("a pod that asks for nothing is confined") {
  room h;
  const auto r = h.report();
  check_sets(r, default_capabilities, true);
  CHECK(r["status"]["NoNewPrivs"] == "0"); // as in Kubernetes: only allowPrivilegeEscalation: false
  CHECK(r["status"]["Seccomp"] == "2");
  CHECK(r["status"]["Umask"] == "0022");
  CHECK(r["pid"] == 1);
  CHECK(r["sid"] == 1);
  CHECK(r["processes"] == json{1});
  CHECK(r["securebits"] == 0);
  CHECK(r["controlling_tty"] == false);
  std::vector<int> fds;
  for (const auto& fd : r["fds"]) {
    fds.push_back(fd["fd"].get<int>());
    const auto target = fd["target"].get<std::string>();
    CHECK_MESSAGE((target == "/dev/null" || target.starts_with("pipe:")), target);
  }
  CHECK(fds == std::vector<int>{0, 1, 2});
  for (const auto& [type, link] : r["ns"].items())
    if (type != "user" && !has(type, "time"))
      CHECK_MESSAGE(link != fs::read_symlink("/proc/self/ns/" + type).string(), type);
  for (const auto& line : r["cgroup"])
    CHECK_MESSAGE(line.get<std::string>().ends_with(":/"), line.dump());
  check_mounts(r);
  check_masks(r);
  CHECK(has(r["limits"].dump(), "Max core file size        0 "));
  CHECK(has(r["limits"].dump(), "Max open files            1024 "));
}

TEST_CASE("capabilities are added and dropped as in Kubernetes") {
  room h;
  const auto base = default_capabilities;
  const auto all = held();
  check_sets(h.report("{capabilities: {drop: [ALL]}}"), 0, true);
  check_sets(h.report("{capabilities: {add: [NET_BIND_SERVICE], drop: [ALL]}}"),
             bits({"NET_BIND_SERVICE"}), true);
  check_sets(h.report("{capabilities: {add: [net_admin, CAP_SYS_TIME], drop: [chown]}}"),
             (base | bits({"NET_ADMIN", "SYS_TIME"})) & ~bits({"CHOWN"}), true);
  check_sets(h.report("{capabilities: {add: [ALL], drop: [SYS_ADMIN]}}"),
             all & ~bits({"SYS_ADMIN"}), true);
  check_sets(h.report("{runAsUser: 1000}"), base, false);
  check_sets(h.report("{runAsUser: 1000, capabilities: {add: [NET_ADMIN]}}"),
             base | bits({"NET_ADMIN"}), false);
  check_sets(h.report("{privileged: true}"), all, true);
  check_sets(h.report("{privileged: true, runAsUser: 1000}"), all, false);
  // Not only counted: what a capability guards is refused without it.
  const auto p = h.run({"/bin/witness", "chmod", "0600", "/data"}, "{capabilities: {drop: [ALL]}}");
  CHECK(p.last->exit_code == 0); // the owner may; no capability is asked
  const auto q =
      h.run({"/bin/witness", "node", "/tmp/n", "c", "1", "3"}, "{capabilities: {drop: [MKNOD]}}");
  CHECK(has(log_text(h.log_dir(q) / "0.log", "stderr"), "errno 1"));
  if (const auto missing = all_capabilities & ~all; missing != 0) {
    const auto name = capability_name(static_cast<unsigned>(__builtin_ctzll(missing)));
    CHECK(has(h.refusal("{capabilities: {add: [" + name + "]}}"),
              "cannot add capability '" + name + "'"));
  }
}

TEST_CASE("seccomp: RuntimeDefault, Unconfined, Localhost, and what privileged means") {
  room h;
  const auto eperm = -EPERM;
  CHECK(h.call(SYS_unshare, {"0"}) == eperm);
  CHECK(h.call(SYS_unshare, {"0"}, "{seccompProfile: {type: Unconfined}}") == 0);
  CHECK(h.call(SYS_unshare, {"0"}, "{privileged: true}") == 0);
  CHECK(h.call(SYS_unshare, {"0"}, "{capabilities: {add: [SYS_ADMIN]}}") == 0);
  CHECK(h.call(SYS_unshare, {"0"}, "{allowPrivilegeEscalation: false, runAsUser: 5}") == eperm);
  CHECK(h.call(SYS_personality, {"4294967295"}) == 0);
  CHECK(h.call(SYS_personality, {"262144"}) == eperm);
  CHECK(h.call(SYS_socket, {"40", "1", "0"}) == eperm);
  CHECK(h.call(SYS_keyctl, {"0", "4294967293", "0"}) == eperm);
  CHECK(h.call(9999) == -ENOSYS);
  for (const char* mode : {"{seccompProfile: {type: Unconfined}}", "{privileged: true}"})
    CHECK(h.report(mode)["status"]["Seccomp"] == "0");
  CHECK(h.report("{allowPrivilegeEscalation: false}")["status"]["NoNewPrivs"] == "1");
  CHECK(h.report("{allowPrivilegeEscalation: false}")["status"]["Seccomp"] == "2");

  std::ofstream{room::profiles() + "/no-getpgid.json"}
      << R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99}]})";
  const std::string local =
      "{seccompProfile: {type: Localhost, localhostProfile: no-getpgid.json}}";
  CHECK(h.call(SYS_getpgid, {"0"}, local) == -99);
  CHECK(h.call(SYS_unshare, {"0"}, local) == 0);
  // The pod's word, unless the container has one.
  const std::string pods = "  securityContext: " + local + "\n";
  CHECK(h.report({}, pods)["pgid"] == -99);
  CHECK(h.report("{seccompProfile: {type: RuntimeDefault}}", pods)["pgid"] == 1);

  CHECK(has(h.refusal("{seccompProfile: {type: Localhost, localhostProfile: none.json}}"),
            "cannot open the seccomp profile 'none.json': No such file or directory"));
  std::ofstream{room::profiles() + "/broken.json"} << "{";
  CHECK(has(h.refusal("{seccompProfile: {type: Localhost, localhostProfile: broken.json}}"),
            "cannot use the seccomp profile 'broken.json': it is no JSON"));
}

TEST_CASE("kernel parameters are the pod's own; those that are not safe stop the pod") {
  room h;
  const auto spec = std::string{"  securityContext: {sysctls: ["
                                "{name: net.ipv4.tcp_fin_timeout, value: '7'}, "
                                "{name: kernel/shm_rmid_forced, value: '1'}]}\n"};
  const auto before = file_text("/proc/sys/kernel/shm_rmid_forced");
  CHECK(h.say({"/bin/witness", "read", "/proc/sys/net/ipv4/tcp_fin_timeout", "--", "read",
               "/proc/sys/kernel/shm_rmid_forced"},
              {}, spec) == "7\n1\n");
  CHECK(file_text("/proc/sys/kernel/shm_rmid_forced") == before);
  CHECK(has(h.refusal({}, "  securityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: x}]}\n"),
            "cannot set the kernel parameter 'net/ipv4/tcp_rmem': Invalid argument"));
  h.put({.name = "unsafe",
         .spec_more = "  securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}\n"});
  h.barrier();
  CHECK(has(h.hear({"get", "files"}), "forbidden sysctl"));
}

TEST_CASE("a privileged container has the host's devices and nothing masked") {
  room h;
  const auto r = h.report("{privileged: true}");
  std::set<std::string> devices;
  for (const auto& d : r["dev"])
    devices.insert(d["name"].get<std::string>());
  for (const auto& e : fs::directory_iterator("/dev")) {
    struct stat st {};
    REQUIRE(::lstat(e.path().c_str(), &st) == 0);
    if (S_ISBLK(st.st_mode)) CHECK(devices.contains(e.path().filename().string()));
  }
  for (const auto& m : r["mounts"])
    CHECK(!has(m.get<std::string>(), " /proc/"));
  CHECK(h.report()["dev"].size() < r["dev"].size());
}

TEST_CASE("users, groups and volumes: as the pod's security context says") {
  room h;
  const auto spec =
      std::string{"  securityContext: {runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000, "
                  "supplementalGroups: [4000], fsGroupChangePolicy: OnRootMismatch}\n"
                  "  volumes: [{name: v, emptyDir: {}}]\n"};
  pod_text pod{.name = "owner"};
  pod.command = {"/bin/witness", "report", "--", "mode", "/v",   "--",
                 "write",        "/v/x",   "y",  "--",   "mode", "/v/x"};
  pod.restart = "Never";
  pod.container_more = "    volumeMounts: [{name: v, mountPath: /v}]\n";
  pod.spec_more = spec;
  h.put(pod);
  const auto p = h.await_pod("owner", "ends", ended);
  CHECK(p.last->exit_code == 0);
  const auto said = log_text(h.log_dir(p) / "0.log", "stdout");
  const auto r = json::parse(said.substr(0, said.find('\n')));
  CHECK(r["uid"] == json{1000, 1000, 1000});
  CHECK(r["gid"] == json{2000, 2000, 2000});
  const auto groups = r["groups"].get<std::set<int>>();
  CHECK(groups == std::set<int>{2000, 3000, 4000});
  CHECK(has(said, "\n42777\n"));
  CHECK(has(h.refusal("{runAsNonRoot: true}"), "runAsNonRoot is set and the image runs as root"));
  CHECK(has(h.refusal("{runAsNonRoot: true, runAsUser: 0}"),
            "runAsNonRoot is set and runAsUser is 0"));
  CHECK(h.report("{runAsNonRoot: true, runAsUser: 7}")["uid"][0] == 7);
}

} // namespace e2e_confined_test

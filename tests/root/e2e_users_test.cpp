// `hostUsers: false`, heard from inside and seen from the host: whose ids, over restarts and
// daemons.
#include "tests/root/host_fixture.hpp"

#include "base/capability.hpp"
#include "base/file.hpp"
#include "pod/id_ranges.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include <sys/stat.h>

namespace e2e_users_test {

using namespace tank;
using namespace tank::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t base = 1'900'000'000;
const std::string own_users = "  hostUsers: false\n";

bool ended(const pod_status& p) {
  return p.state == pod_state::terminal;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct users_host : host {
  explicit users_host(int ranges = 8, const std::string& more = {})
      : host("backoff: {base: 10ms, max: 10ms}\nuserNamespaces: {base: 1900000000, count: " +
             std::to_string(ranges) + "}\n" + more) {}

  [[nodiscard]] std::vector<id_lease> leases() const {
    const auto text = read_file(dirs.id_ranges(), 1 << 20);
    return text ? decode_leases(*text).value() : std::vector<id_lease>{};
  }
  /// A pod that runs to its end; `more` are lines of its spec.
  pod_status run(const std::string& name, std::vector<std::string> command,
                 const std::string& container = {}, const std::string& more = {}) {
    pod_text pod{.name = name};
    pod.command = std::move(command);
    pod.restart = "Never";
    pod.container_more = container;
    pod.spec_more = own_users + more;
    put(pod);
    return await_pod(name, "ends", ended);
  }
  std::string say(const pod_status& p) const {
    CHECK_MESSAGE(p.last->exit_code == 0,
                  p.last->message << log_text(log_dir(p) / "0.log", "stderr"));
    return log_text(log_dir(p) / "0.log", "stdout");
  }
  /// A pod that stays.
  pod_status stay(const std::string& name) {
    put({.name = name, .spec_more = own_users});
    return await_running(name);
  }
  /// The pod that ends last has let go of everything.
  void await_free(std::size_t left) const {
    REQUIRE(await_file(dirs.id_ranges(), [&](const std::string& text) {
      const auto all = decode_leases(text);
      return all && all->size() == left;
    }));
  }
};

/// The host's id of a process' root, as /proc/<pid>/uid_map says it.
std::uint32_t first_id(pid_t pid) {
  std::istringstream map{file_text("/proc/" + std::to_string(pid) + "/uid_map")};
  std::uint32_t inside = 1;
  std::uint32_t outside = 0;
  std::uint32_t count = 0;
  map >> inside >> outside >> count;
  CHECK(inside == 0);
  CHECK(count == 65536);
  return outside;
}

std::pair<unsigned, unsigned> owner(const fs::path& path) {
  struct stat st {};
  REQUIRE_MESSAGE(::lstat(path.c_str(), &st) == 0, path);
  return {st.st_uid, st.st_gid};
}

} // namespace

TEST_CASE("root inside is one of the pod's ids outside, with the capabilities of its namespace") {
  users_host h;
  h.start_daemon();
  const auto said = h.say(h.run("web", {"/bin/witness", "report", "--", "read",
                                        "/proc/self/uid_map", "--", "owner", "/bin/witness", "--",
                                        "owner", "/etc/hosts", "--", "append", "/etc/hosts", "x"}));
  const auto r = json::parse(said.substr(0, said.find('\n')));
  CHECK(said.substr(said.find('\n')) == "\n         0 1900000000      65536\n0 0\n0 0\n");
  char caps[17];
  std::snprintf(caps, sizeof caps, "%016llx",
                static_cast<unsigned long long>(default_capabilities));
  CHECK(r["status"]["CapBnd"] == caps);
  CHECK(r["status"]["CapEff"] == caps);
  CHECK(r["status"]["Seccomp"] == "2");
  CHECK(r["pid"] == 1);
  for (const auto& line : r["cgroup"])
    CHECK_MESSAGE(line.get<std::string>().ends_with(":/"), line.dump());
  const auto pod = h.stay("stays");
  CHECK(owner("/proc/" + std::to_string(pod.host_pid)).first == first_id(pod.host_pid));
  for (const char* kind : {"user", "net", "ipc", "uts", "mnt", "pid"}) {
    const auto link = std::string{"/ns/"} + kind;
    CHECK(fs::read_symlink("/proc/self" + link) !=
          fs::read_symlink("/proc/" + std::to_string(pod.host_pid) + link));
  }
  h.stop_daemon();
}

TEST_CASE("two pods never share ids; a restart keeps them; they are free when the pod is gone") {
  users_host h{4};
  const auto before = h.snapshot();
  h.start_daemon();
  std::set<std::uint32_t> firsts;
  for (const char* name : {"a", "b", "c", "d"})
    firsts.insert(first_id(h.stay(name).host_pid));
  CHECK(firsts == std::set<std::uint32_t>{base, base + 65536, base + 131072, base + 196608});
  const auto fifth = h.run("e", {"/bin/witness", "exit", "0"});
  CHECK(fifth.last->reason == "StartError");
  CHECK(has(fifth.last->message, "all 4 ranges are taken"));

  const auto first = h.await_running("a");
  const auto mine = first_id(first.host_pid);
  kill_workload(first);
  const auto again = h.await_pod("a", "is again", [](const pod_status& p) {
    return p.restarts == 1 && p.state == pod_state::running && p.host_pid > 0;
  });
  CHECK(first_id(again.host_pid) == mine);

  h.remove("a.yaml");
  h.await_gone("a");
  h.await_free(3);
  CHECK(first_id(h.stay("f").host_pid) == mine);
  for (const char* name : {"b", "c", "d", "e", "f"})
    h.remove(std::string{name} + ".yaml");
  h.await_free(0);
  h.stop_daemon();
  CHECK(difference(before, h.snapshot()) == "");
}

TEST_CASE("a daemon that is killed leaves the pod its ids, and the next one gives them to nobody") {
  users_host h{8, "stopPodsOnExit: false\n"};
  const auto before = h.snapshot();
  h.start_daemon();
  const auto pod = h.stay("web");
  const auto first = first_id(pod.host_pid);
  h.kill_daemon();
  CHECK(first_id(pod.host_pid) == first);
  h.start_daemon();
  CHECK(h.await_running("web").host_pid == pod.host_pid);
  const auto other = h.stay("other");
  CHECK(first_id(other.host_pid) != first);
  kill_workload(pod); // its next run is this daemon's
  const auto again = h.await_pod("web", "is again", [](const pod_status& p) {
    return p.restarts == 1 && p.state == pod_state::running && p.host_pid > 0;
  });
  CHECK(first_id(again.host_pid) == first);
  h.kill_daemon();
  h.remove("web.yaml"); // goes with nobody looking
  h.start_daemon();
  h.await_gone("web");
  h.await_free(1);
  h.stop_daemon();
  h.start_daemon({"daemon", "--stop-pods-on-exit"});
  h.await_running("other");
  h.stop_daemon();
  CHECK(h.leases().empty());
  CHECK(difference(before, h.snapshot()) == "");
}

TEST_CASE("volumes: a hostPath shows the host's owners, an emptyDir is the pod's") {
  users_host h;
  h.start_daemon();
  std::ofstream{h.shared / "of-root"} << "secret";
  REQUIRE(::chmod((h.shared / "of-root").c_str(), 0600) == 0);
  std::ofstream{h.shared / "of-other"} << "x";
  REQUIRE(::chown((h.shared / "of-other").c_str(), 300'000, 300'000) == 0);
  REQUIRE(::chmod((h.shared / "of-other").c_str(), 0600) == 0);
  const std::string mounts = "    volumeMounts: [{name: h, mountPath: /h}, {name: e, mountPath: "
                             "/e}]\n";
  const auto volumes = [&](const std::string& context) {
    return "  securityContext: " + context +
           "\n  volumes: [{name: e, emptyDir: {}}, {name: h, hostPath: {path: " +
           h.shared.string() + "}}]\n";
  };
  const auto p = h.run(
      "root",
      {"/bin/witness", "owner", "/h/of-root",  "--", "read",  "/h/of-root", "--", "print", "",
       "--",           "owner", "/h/of-other", "--", "write", "/h/made",    "x",  "--",    "owner",
       "/h/made",      "--",    "owner",       "/e", "--",    "mode",       "/e"},
      mounts, volumes("{fsGroup: 3000}"));
  CHECK(h.say(p) == "0 0\nsecret\n65534 65534\n0 0\n0 3000\n42777\n");
  CHECK(owner(h.shared / "made") == std::pair{0u, 0u});
  const auto q =
      h.run("user",
            {"/bin/witness", "owner", "/e", "--", "write", "/e/x", "y", "--", "owner", "/e/x", "--",
             "append", "/proc/self/fd/1", "heard\n", "--", "read", "/h/of-root"},
            mounts, volumes("{runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000}"));
  CHECK(log_text(h.log_dir(q) / "0.log") == "0 3000\n1000 3000\nheard\n");
  CHECK(log_text(h.log_dir(q) / "0.log", "stderr") == "witness: read /h/of-root: errno 13\n");
  const auto lease = h.leases();
  const auto at =
      std::find_if(lease.begin(), lease.end(), [&](const auto& l) { return l.uid == q.uid; });
  REQUIRE(at != lease.end());
  CHECK(owner(at->storage / "volumes/e/x") == std::pair{at->first + 1000, at->first + 3000});
  // Nobody's files cannot be reached, whatever root inside may do to its own.
  const auto foreign =
      h.run("foreign", {"/bin/witness", "read", "/h/of-other"}, mounts, volumes("{}"));
  CHECK(log_text(h.log_dir(foreign) / "0.log", "stderr") ==
        "witness: read /h/of-other: errno 13\n");
  const auto unmapped = h.run("unmapped", {"/bin/witness", "exit", "0"}, {},
                              "  securityContext: {runAsUser: 65536}\n");
  CHECK(has(unmapped.last->message, "has the ids 0 to 65535"));
  const auto no_idmap = h.run("no-idmap", {"/bin/witness", "exit", "0"},
                              "    volumeMounts: [{name: h, mountPath: /h}]\n",
                              "  volumes: [{name: h, hostPath: {path: /proc/version}}]\n");
  CHECK(has(no_idmap.last->message, "cannot map the ids of '/proc/version'"));
  CHECK(has(no_idmap.last->message, "do without 'hostUsers: false'"));
  h.stop_daemon();
}

TEST_CASE("the rest of securityContext means the same in a user namespace") {
  users_host h;
  h.start_daemon();
  const auto secure = [](const std::string& context) {
    return "    securityContext: " + context + "\n";
  };
  const auto report = [&](const std::string& name, const std::string& context,
                          const std::string& spec = {}) {
    const auto said = h.say(h.run(name, {"/bin/witness", "report"}, secure(context), spec));
    h.remove(name + ".yaml");
    h.await_gone(name);
    return json::parse(said);
  };
  const auto all = report("privileged", "{privileged: true}");
  CHECK(all["status"]["Seccomp"] == "0");
  char caps[17];
  std::snprintf(caps, sizeof caps, "%016llx", static_cast<unsigned long long>(all_capabilities));
  CHECK(all["status"]["CapEff"] == caps);
  CHECK(report("escalate", "{allowPrivilegeEscalation: false}")["status"]["NoNewPrivs"] == "1");
  CHECK(report("user", "{runAsUser: 7}")["uid"] == json{7, 7, 7});
  const auto open = report("open", "{procMount: Unmasked}");
  for (const auto& m : open["mounts"])
    CHECK_MESSAGE(!has(m.get<std::string>(), " /proc/"), m.dump());
  const auto said =
      h.say(h.run("sysctl", {"/bin/witness", "read", "/proc/sys/net/ipv4/tcp_fin_timeout"}, {},
                  "  securityContext: {sysctls: [{name: "
                  "net.ipv4.tcp_fin_timeout, value: '7'}]}\n"));
  CHECK(said == "7\n");
  const auto frozen = h.run("frozen", {"/bin/witness", "write", "/x", "y"},
                            secure("{readOnlyRootFilesystem: true}"));
  CHECK(log_text(h.log_dir(frozen) / "0.log", "stderr") == "witness: write /x: errno 30\n");
  h.stop_daemon();
}

} // namespace e2e_users_test

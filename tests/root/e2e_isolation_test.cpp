// What two pods of one image share, which is nothing; what a pod finds inside; its logs.
#include "tests/root/host_fixture.hpp"

#include <nlohmann/json.hpp>

#include <fstream>

#include <csignal>
#include <sys/stat.h>

namespace e2e_isolation_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

bool ended(const pod_status& p) {
  return p.state == pod_state::terminal;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Every file below `dir`: type, mode, owner, times, content. What must not change.
std::map<std::string, std::string> all_of(const fs::path& dir) {
  std::map<std::string, std::string> all;
  for (const auto& e : fs::recursive_directory_iterator(dir)) {
    struct stat st {};
    REQUIRE(::lstat(e.path().c_str(), &st) == 0);
    auto& text = all[e.path().string()];
    text = std::to_string(st.st_mode) + " " + std::to_string(st.st_uid) + " " +
           std::to_string(st.st_gid) + " " + std::to_string(st.st_mtim.tv_sec) + "." +
           std::to_string(st.st_mtim.tv_nsec) + " " + std::to_string(st.st_ctim.tv_sec) + "." +
           std::to_string(st.st_ctim.tv_nsec) + " ";
    if (S_ISREG(st.st_mode)) text += file_text(e.path());
    if (S_ISLNK(st.st_mode)) text += fs::read_symlink(e.path()).string();
  }
  return all;
}

/// Runs a pod to its end and hears its stdout.
struct room : host {
  room() : host("backoff: {base: 20ms, max: 200ms}\nlogMaxSize: 4Ki\nlogMaxFiles: 3\n") {
    start_daemon();
  }
  ~room() { stop_daemon(); }

  std::string say(pod_text pod) {
    pod.restart = "Never";
    put(pod);
    const auto p = await_pod(pod.name, "ends", ended);
    CHECK_MESSAGE(p.last->exit_code == 0,
                  p.last->message << log_text(log_dir(p) / "0.log", "stderr"));
    return hear({"logs", pod.name});
  }
};

} // namespace

TEST_CASE("two pods of one image do not see each other's writes; the layers never change") {
  room h;
  const auto layers = all_of(h.dirs.images() / "layers");
  h.put({.name = "writer",
         .command = {"/bin/witness", "write",       "/data/mine", "secret", "--",
                     "write",        "/etc/passwd", "gone",       "--",     "rm",
                     "/bin/busybox", "--",          "chmod",      "0700",   "/tmp",
                     "--",           "print",       "wrote",      "--",     "sleep"}});
  const auto writer = h.await_running("writer");
  REQUIRE(await_file(h.log_dir(writer) / "0.log",
                     [](const auto& text) { return text.ends_with("wrote\n"); }));
  const auto seen = h.say({.name = "reader",
                           .command = {"/bin/witness", "ls", "/data", "--", "mode", "/bin/busybox",
                                       "--", "mode", "/tmp", "--", "read", "/etc/passwd"}});
  CHECK_MESSAGE(seen.starts_with("100755\n41777\nroot:x:0:0:"), seen);
  CHECK(!has(seen, "mine"));
  CHECK(layers == all_of(h.dirs.images() / "layers"));
  // The writer's own next run starts from the image again.
  h.hear({"restart", "writer"});
  h.await_pod("writer", "runs again", [&](const pod_status& p) {
    return p.restarts == 1 && p.state == pod_state::running;
  });
  CHECK(layers == all_of(h.dirs.images() / "layers"));
}

TEST_CASE("an emptyDir survives a container's restarts and goes with the pod") {
  room h;
  h.put({.name = "keeper",
         .command = {"/bin/witness", "append", "/scratch/log", "run ", "--", "read", "/scratch/log",
                     "--", "print", "", "--", "sleep"},
         .container_more = "    volumeMounts:\n    - {name: scratch, mountPath: /scratch}\n",
         .spec_more = "  volumes:\n  - {name: scratch, emptyDir: {}}\n"});
  const auto first = h.await_running("keeper");
  REQUIRE(await_file(h.log_dir(first) / "0.log", [](const auto& t) { return has(t, "run"); }));
  kill_workload(first);
  h.await_pod("keeper", "runs again",
              [](const pod_status& p) { return p.restarts == 1 && p.state == pod_state::running; });
  CHECK(await_file(h.log_dir(first) / "1.log", [](const auto& t) { return has(t, "run run"); }));
  h.remove("keeper.yaml");
  h.await_gone("keeper");
  h.stop_daemon();
  CHECK((!fs::exists(h.dirs.pod_states()) || fs::is_empty(h.dirs.pod_states())));
  h.start_daemon();
}

TEST_CASE("a hostPath shows the host's files, read-only when asked") {
  room h;
  std::ofstream{h.shared / "given"} << "from the host\n";
  const std::string volume =
      "  volumes:\n  - {name: v, hostPath: {path: " + h.shared.string() + "}}\n";
  CHECK(h.say({.name = "rw",
               .command = {"/bin/witness", "read", "/v/given", "--", "write", "/v/back", "hello"},
               .container_more = "    volumeMounts:\n    - {name: v, mountPath: /v}\n",
               .spec_more = volume}) == "from the host\n");
  CHECK(h.shared_text("back") == "hello");
  h.put({.name = "ro",
         .command = {"/bin/witness", "write", "/v/back", "no"},
         .restart = "Never",
         .container_more = "    volumeMounts:\n    - {name: v, mountPath: /v, readOnly: true}\n",
         .spec_more = volume});
  CHECK(h.await_pod("ro", "ends", ended).last->exit_code == 1);
  CHECK(h.shared_text("back") == "hello");
}

TEST_CASE("user, read-only root, network, names: as the manifest says, seen from inside") {
  room h;
  const auto report = [&](pod_text pod) {
    pod.command = {"/bin/witness", "report"};
    return nlohmann::json::parse(h.say(pod));
  };
  const auto plain = report({.name = "plain"});
  CHECK(plain["uid"][0] == 0);
  CHECK(plain["hostname"] == "plain");
  CHECK(plain["interfaces"] == nlohmann::json{"lo"});
  CHECK(plain["pid"] == 1);

  const auto user = report(
      {.name = "user",
       .container_more = "    securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true}\n"});
  CHECK(user["uid"] == nlohmann::json{1000, 1000, 1000});
  CHECK(user["gid"] == nlohmann::json{1000, 1000, 1000});
  h.put({.name = "frozen",
         .command = {"/bin/witness", "write", "/data/x", "no"},
         .restart = "Never",
         .container_more = "    securityContext: {readOnlyRootFilesystem: true}\n"});
  const auto frozen = h.await_pod("frozen", "ends", ended);
  CHECK(frozen.last->exit_code == 1);
  CHECK(has(h.tank({"logs", "frozen"}).err, "errno 30")); // EROFS

  const auto on_host = report({.name = "onhost", .spec_more = "  hostNetwork: true\n"});
  std::set<std::string> links;
  for (const auto& e : fs::directory_iterator("/sys/class/net"))
    if (fs::is_directory(e.path())) links.insert(e.path().filename().string());
  for (const auto& link : links)
    CHECK(has(on_host["interfaces"].dump(), link));
  CHECK(on_host["ns"]["net"] == fs::read_symlink("/proc/self/ns/net").string());
  CHECK(plain["ns"]["net"] != on_host["ns"]["net"]);

  const auto etc =
      h.say({.name = "names",
             .command = {"/bin/witness", "read", "/etc/hostname", "--", "read", "/etc/hosts", "--",
                         "read", "/etc/resolv.conf"},
             .spec_more = "  hostname: here\n"
                          "  hostAliases: [{ip: 10.9.8.7, hostnames: [there]}]\n"
                          "  dnsPolicy: None\n"
                          "  dnsConfig: {nameservers: [10.1.2.3], searches: [x.y]}\n"});
  CHECK(etc.starts_with("here\n# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"));
  CHECK(has(etc, "127.0.0.1\there\n"));
  CHECK(has(etc, "10.9.8.7\tthere\n"));
  CHECK(etc.ends_with("search x.y\nnameserver 10.1.2.3\n"));
}

TEST_CASE("tank logs: both streams, the last lines, on across a restart, after a rotation") {
  room h;
  h.put({.name = "talker",
         .command = {"/bin/witness", "print", "one", "--", "complain", "two", "--", "print",
                     "three", "--", "sleep"}});
  const auto first = h.await_running("talker");
  REQUIRE(await_file(h.log_dir(first) / "0.log", [](const auto& text) {
    return has(text, "two\n") && has(text, "three\n"); // two pipes: in any order
  }));
  const auto all = h.tank({"logs", "talker"});
  CHECK(has(all.out + all.err, "two\n"));
  CHECK(has(all.out, "one\n"));
  const auto last = h.tank({"logs", "talker", "--tail", "1"});
  CHECK((last.out + last.err == "three\n" || last.out + last.err == "two\n"));

  auto follower = h.spawn({"logs", "talker", "-f"});
  REQUIRE(follower->await("three\n"));
  kill_workload(first);
  CHECK_MESSAGE(follower->await("three\n"), follower->out << follower->err); // of the next run
  follower->signal(SIGTERM);
  follower->wait();

  // 4 KiB a file, three files: the oldest lines are gone, the newest are all there.
  h.put({.name = "much", .command = {"/bin/witness", "lines", "2000"}, .restart = "Never"});
  const auto much = h.await_pod("much", "ends", ended);
  std::size_t files = 0;
  for (const auto& e : fs::directory_iterator(h.log_dir(much))) {
    ++files;
    CHECK(fs::file_size(e.path()) <= 4096);
  }
  CHECK(files == 3);
  CHECK(h.hear({"logs", "much", "--tail", "2"}) == "line 1998\nline 1999\n");
  const auto missing = h.tank({"logs", "nobody"});
  CHECK(missing.code == 1);
  CHECK(has(missing.err, "nobody"));
}

} // namespace e2e_isolation_test

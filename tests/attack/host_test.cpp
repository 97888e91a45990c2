// What of the daemon is in reach of pods and of the host's other users: classes 17 and 18.
#include "api/api_protocol.hpp"
#include "tests/attack/attack_fixture.hpp"

#include <cstddef>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace host_test {

using namespace tank;
using namespace tank::testing;
using nlohmann::json;
using oci::testing::tar_builder;
namespace fs = std::filesystem;

namespace {

constexpr uid_t somebody = 65534;

/// Names of unix sockets, as /proc/net/unix tells them; abstract ones begin with '@'.
std::set<std::string> names_in(const std::string& table) {
  std::set<std::string> names;
  std::istringstream lines{table};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string word;
    for (int i = 0; i < 8; ++i)
      if (!(words >> word)) word.clear();
    if (word.starts_with('@') || word.starts_with('/')) names.insert(word);
  }
  return names;
}

unique_fd listen_abstract(const std::string& name) {
  unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(fd.get(), 1) == 0);
  return fd;
}

/// What `what` gives in a process of a user who is nobody here.
std::string as_somebody(const std::function<std::string()>& what) {
  return without_defence([&] {
    if (::setgroups(0, nullptr) != 0 || ::setresgid(somebody, somebody, somebody) != 0 ||
        ::setresuid(somebody, somebody, somebody) != 0)
      return std::string{"cannot"};
    return what();
  });
}

std::string connect_to(const fs::path& socket, int type) {
  const unique_fd fd{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return errno_name(-1);
  if (type == SOCK_STREAM) { // a shim says hello by itself
    const auto ask = api::encode({.verb = api::verb::version});
    (void)::send(fd.get(), ask.data(), ask.size(), MSG_NOSIGNAL);
  }
  char byte = 0;
  return ::recv(fd.get(), &byte, 1, 0) == 1 ? "served" : "connected";
}

} // namespace

TEST_CASE("class 17: a pod on the host's network finds no socket of the daemon or of a shim") {
  const auto before = names_in(file_text("/proc/net/unix"));
  arena a;
  a.put({.name = "peer", .spec_more = "  hostNetwork: true\n"});
  const auto peer = a.await_running("peer");
  const auto shim = a.dirs.pod_run(peer.uid) / "shim.sock";
  // There is something to look for, and the pod looks in the right place.
  const auto bait = "tank-attack-" + std::to_string(::getpid());
  const auto listener = listen_abstract(bait);
  const auto table =
      a.say({.command = {"/bin/witness", "read", "/proc/net/unix", "--", "connect", "@" + bait},
             .spec_more = "  hostNetwork: true\n"});
  CHECK(has(table, "connect @" + bait + ": errno 0\n"));
  const auto control = a.dirs.control_socket();
  auto fresh = names_in(table);
  CHECK(fresh.contains("@" + bait));
  CHECK(fresh.contains(control.string()));
  for (const auto& name : fresh) {
    if (before.contains(name) || name == "@" + bait || !name.starts_with('@')) continue;
    // Another program's of this machine may have come meanwhile: none of ours is so called.
    CHECK_MESSAGE(!has(name, "tank"), name);
    CHECK_MESSAGE(has(file_text("/proc/net/unix"), name), name);
  }
  // Those with a path are not where the pod is.
  const auto said =
      a.say({.command = {"/bin/witness", "connect", control.string(), "--", "connect",
                         shim.string(), "seqpacket", "--", "connect", "@" + control.string(), "--",
                         "connect", "@tank-shim", "seqpacket"},
             .spec_more = "  hostNetwork: true\n"});
  for (const auto* refused : {": errno 2\n", ": errno 111\n"})
    CHECK_MESSAGE(has(said, refused), said);
  CHECK_MESSAGE(!has(said, ": errno 0\n"), said);
  // A pod with a network of its own does not even see the bait.
  CHECK(a.say({.command = {"/bin/witness", "connect", "@" + bait}}) ==
        "connect @" + bait + ": errno 111\n");
}

TEST_CASE("class 17: a pod that is given the run directory but is not root connects to nothing") {
  arena a;
  a.put({.name = "peer"});
  const auto peer = a.await_running("peer");
  const auto attempt = [&](const std::string& user) {
    return a.say({.command = {"/bin/witness", "connect", "/run/tank.sock", "--", "connect",
                              "/run/pods/" + peer.uid + "/shim.sock", "seqpacket"},
                  .container_more = "    securityContext: {runAsUser: " + user +
                                    "}\n    volumeMounts: [{name: run, mountPath: /run}]\n",
                  .spec_more = "  volumes: [{name: run, hostPath: {path: " +
                               a.dirs.run_dir.string() + "}}]\n"});
  };
  const auto said = attempt("1000");
  CHECK_MESSAGE(!has(said, ": errno 0\n"), said);
  CHECK(has(said, "connect /run/tank.sock: errno 13\n"));
  // The operator gave root of the host the daemon's directory: that is what they get.
  CHECK(has(attempt("0"), "connect /run/tank.sock: errno 0\n"));
}

TEST_CASE("class 17: root in a pod that is given the run directory is told nothing") {
  arena a;
  a.put({.name = "peer"});
  const auto peer = a.await_running("peer");
  const auto shim = "/run/pods/" + peer.uid + "/shim.sock";
  const auto attempt = [&](const std::string& more) {
    return a.say({.command = {"/bin/witness", "connect", "/run/tank.sock", "--", "greeted", shim},
                  .container_more = "    volumeMounts: [{name: run, mountPath: /run}]\n",
                  .spec_more = more + "  volumes: [{name: run, hostPath: {path: " +
                               a.dirs.run_dir.string() + "}}]\n"});
  };
  for (const auto* more : {"", "  hostUsers: false\n"}) {
    const auto said = attempt(more);
    CHECK_MESSAGE(has(said, "connect /run/tank.sock: errno 0\n"), said);
    // The shim ends the connection without a word.
    CHECK_MESSAGE(has(said, "greeted " + shim + ": errno 61\n"), said);
  }
  CHECK(a.daemon().await("reason=\"a process of another namespace\""));
  // With the host's PIDs it is told by its cgroup; one that has ended already, by that.
  a.put({.name = "beside",
         .command = {"/bin/witness", "connect", "/run/tank.sock", "--", "sleep"},
         .container_more = "    volumeMounts: [{name: run, mountPath: /run}]\n",
         .spec_more = "  hostPID: true\n  volumes: [{name: run, hostPath: {path: " +
                      a.dirs.run_dir.string() + "}}]\n"});
  CHECK(a.daemon().await("reason=\"a process of a pod\""));
  // Their shims hear no other daemon than the one that they have.
  a.hear({"restart", "peer"});
  a.await_pod("peer", "runs again", [&](const pod_status& p) {
    return p.state == pod_state::running && p.host_pid != peer.host_pid;
  });
  // The same, by a process of the host's.
  CHECK(without_defence([&] { return connect_to(a.dirs.control_socket(), SOCK_STREAM); }) ==
        "served");
  // A shim says hello to it as it does to a daemon; here to no daemon's harm, since there is none.
  a.kill_daemon();
  const auto on_host = a.dirs.pod_run(peer.uid) / "shim.sock";
  CHECK(without_defence([&] { return connect_to(on_host, SOCK_SEQPACKET); }) == "served");
  a.start_daemon();
  a.await_running("peer");
}

TEST_CASE("class 17: another user of the host connects to neither socket") {
  arena a;
  fs::permissions(a.root, fs::perms{0755}); // not what keeps them out
  a.put({.name = "peer"});
  const auto peer = a.await_running("peer");
  const auto control = a.dirs.control_socket();
  const auto shim = a.dirs.pod_run(peer.uid) / "shim.sock";
  CHECK(as_somebody([&] { return connect_to(control, SOCK_STREAM); }) == "EACCES");
  CHECK(as_somebody([&] { return connect_to(shim, SOCK_SEQPACKET); }) == "EACCES");
  // Not even were the directories open: the sockets are their owner's.
  for (const auto& dir : {a.dirs.run_dir, a.dirs.pod_runs(), a.dirs.pod_run(peer.uid)})
    fs::permissions(dir, fs::perms{0755});
  CHECK(as_somebody([&] { return connect_to(control, SOCK_STREAM); }) == "EACCES");
  CHECK(as_somebody([&] { return connect_to(shim, SOCK_SEQPACKET); }) == "EACCES");
  // Without that they do; and the daemon, which looks at who it is, does not answer.
  fs::permissions(control, fs::perms{0666});
  CHECK(as_somebody([&] { return connect_to(control, SOCK_STREAM); }) == "connected");
  CHECK(without_defence([&] { return connect_to(control, SOCK_STREAM); }) == "served");
}

TEST_CASE("class 18: no directory of ours can be entered by another user") {
  arena a;
  fs::permissions(a.root, fs::perms{0755});
  const auto image = a.image({tar_builder{}.file("bin/su", a.witness(), 04755).bytes()});
  const auto volume = std::string{"    volumeMounts: [{name: v, mountPath: /v}]\n"};
  a.put({.name = "user",
         .image = image,
         .container_more = volume,
         .spec_more = "  volumes: [{name: v, emptyDir: {}}]\n"});
  const auto pod = a.await_running("user");
  for (const auto& dir : {a.dirs.state_dir, a.dirs.run_dir, a.dirs.log_dir}) {
    struct stat st {};
    REQUIRE(::stat(dir.c_str(), &st) == 0);
    CHECK_MESSAGE((st.st_mode & 0077) == 0, dir.string());
    CHECK(as_somebody([&] { return errno_name(::chdir(dir.c_str())); }) == "EACCES");
    // What is made open, because pods of any user work in it, lies below what is closed.
    for (const auto& e : fs::recursive_directory_iterator(dir)) {
      if (e.is_symlink() || !e.is_directory()) continue;
      const auto path = e.path().string();
      CHECK_MESSAGE(as_somebody([&] { return errno_name(::chdir(path.c_str())); }) == "EACCES",
                    path);
    }
  }
  // An operator, or a unit, may have made the three themselves, and open.
  for (const auto& dir : {a.dirs.state_dir, a.dirs.run_dir, a.dirs.log_dir}) {
    fs::permissions(dir, fs::perms{0755});
    for (const auto& e : fs::directory_iterator(dir)) {
      const auto path = e.path().string();
      CHECK_MESSAGE(as_somebody([&] {
                      return errno_name(e.is_directory() ? ::chdir(path.c_str())
                                                         : ::access(path.c_str(), R_OK));
                    }) == "EACCES",
                    path);
    }
    fs::permissions(dir, fs::perms{0700});
  }
  // What it is about: a set-user-ID program of an image is in the store, and works for nobody.
  fs::path su;
  for (const auto& e : fs::recursive_directory_iterator(a.dirs.images() / "layers"))
    if (e.path().filename() == "su") su = e.path();
  REQUIRE(!su.empty());
  const auto run_su = [&] {
    return as_somebody([&] {
      int ends[2];
      if (::pipe(ends) != 0) return std::string{"no pipe"};
      const pid_t child = ::fork();
      if (child == 0) {
        ::dup2(ends[1], 1);
        ::execl(su.c_str(), "witness", "report", nullptr);
        ::_exit(126);
      }
      ::close(ends[1]);
      std::string said;
      char buffer[4096];
      for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
        said.append(buffer, static_cast<std::size_t>(n));
      return has(said, "\"uid\":[65534,0,0]") ? std::string{"root"} : "nothing: " + said;
    });
  };
  CHECK(run_su() == "nothing: ");
  // Without the defence: it makes them root.
  for (auto dir = su.parent_path(); dir != a.root; dir = dir.parent_path())
    fs::permissions(dir, fs::perms{0755});
  CHECK(run_su() == "root");
  fs::permissions(a.dirs.state_dir, fs::perms{0700});
  CHECK(run_su() == "nothing: ");
}

TEST_CASE("class 18: no daemon lives in a directory that others have made, or may change") {
  host h;
  h.tank({"image", "list"}); // makes the state directory
  fs::permissions(h.root, fs::perms{0755});
  for (const auto& dir : {h.dirs.state_dir, h.dirs.run_dir, h.dirs.log_dir, h.dirs.manifest_dir}) {
    CAPTURE(dir.string());
    fs::create_directories(dir);
    const auto refused = [&](const std::string& why) {
      const auto said = h.tank({"daemon"});
      CHECK(said.code == 1);
      CHECK_MESSAGE(has(said.err, "'" + dir.string() + "': " + why), said.err);
    };
    fs::permissions(dir, fs::perms{0777});
    refused("everybody may write to it");
    fs::permissions(dir, fs::perms{0755});
    REQUIRE(::chown(dir.c_str(), somebody, somebody) == 0);
    refused("it belongs to user 65534");
    // What they could do then: put another in its place.
    CHECK(as_somebody([&] {
            return errno_name(::open((dir / "tank.sock").c_str(), O_CREAT | O_WRONLY, 0600));
          }) == "ok");
    fs::remove(dir / "tank.sock");
    REQUIRE(::chown(dir.c_str(), 0, 0) == 0);
  }
  fs::permissions(h.root, fs::perms{0777});
  CHECK(has(h.tank({"daemon"}).err, "everybody may write to it: '" + h.root.string() + "'"));
  CHECK(as_somebody([&] {
          return errno_name(::rename(h.dirs.run_dir.c_str(), (h.root / "away").c_str()));
        }) == "ok");
  fs::permissions(h.root, fs::perms{0700});
  fs::rename(h.root / "away", h.dirs.run_dir);
  h.start_daemon();
  h.stop_daemon();
}

TEST_CASE("class 18: a manifest that is somebody else's is not root's word") {
  arena a;
  const auto planted = a.dirs.manifest_dir / "planted.yaml";
  const auto beside = a.root / "planted";
  std::ofstream{beside} << manifest({.name = "planted"});
  REQUIRE(::chown(beside.c_str(), somebody, somebody) == 0);
  fs::rename(beside, planted);
  CHECK(a.daemon().await("it belongs to user 65534"));
  fs::permissions(planted, fs::perms{0666});
  REQUIRE(::chown(planted.c_str(), 0, 0) == 0);
  CHECK(a.daemon().await("everybody may write to it"));
  CHECK(!a.seen().contains("planted"));
  fs::permissions(planted, fs::perms{0644});
  a.await_running("planted"); // the same text, of root's
}

TEST_CASE("names of containers and of volumes are no directories of each other") {
  arena a;
  a.put("names.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: names}\nspec:\n"
                      "  terminationGracePeriodSeconds: 2\n"
                      "  volumes: [{name: upper, emptyDir: {}}, {name: work, emptyDir: {}}]\n"
                      "  containers:\n"
                      "  - name: volumes\n    image: localhost/witness:1\n"
                      "    imagePullPolicy: Never\n"
                      "    volumeMounts: [{name: upper, mountPath: /upper}, "
                      "{name: work, mountPath: /second}]\n"
                      "    command: [/bin/witness, append, /upper/log, 'run ', --, append, "
                      "/second/log, 'run ', --, write, /data/own, z, --, ls, /upper, --, read, "
                      "/upper/log, --, read, /second/log, --, print, '', --, sleep]\n");
  const auto first = a.await_running("names");
  const auto log = a.dirs.pod_log("default", "names", first.uid) / "volumes";
  REQUIRE(await_file(log / "0.log", [](const auto& t) { return has(t, "run run "); }));
  CHECK(log_text(log / "0.log") == "log\nrun run \n"); // nothing but the volume's own is in it
  kill_workload(first);
  CHECK(await_file(log / "1.log", [](const auto& t) { return has(t, "run run run run "); }));
}

TEST_CASE("class 22: the value of a variable is in no log, and in no file that others can read") {
  arena a{"logLevel: debug\n"};
  fs::permissions(a.root, fs::perms{0755});
  const std::string planted = "planted-7f3a91";
  const auto env = "    env: [{name: TOKEN, value: " + planted + "}]\n";
  a.put({.name = "keeper", .container_more = env});
  a.await_running("keeper");
  a.refusal({.command = {"/no/such"}, .container_more = env});
  const auto report = a.say({.command = {"/bin/witness", "report"}, .container_more = env});
  CHECK(has(report, "TOKEN=" + planted)); // it is there, and where it belongs
  a.hear({"get", "pods"});
  CHECK(has(a.daemon().err, "keeper"));
  CHECK(!has(a.daemon().err + a.daemon().out, planted));
  CHECK(!has(a.hear({"describe", "pod", "keeper"}), planted));
  int holding = 0;
  for (const auto& dir : {a.dirs.state_dir, a.dirs.run_dir})
    for (const auto& e : fs::recursive_directory_iterator(dir)) {
      if (!e.is_regular_file() || !has(file_text(e.path()), planted)) continue;
      ++holding;
      CHECK_MESSAGE((fs::status(e.path()).permissions() & fs::perms{0077}) == fs::perms::none,
                    e.path().string());
    }
  CHECK(holding > 0); // the records by which a next daemon adopts the pods
}

} // namespace host_test

// What a pod could inherit or make for itself: classes 15 and 20, device nodes, keys.
#include "tests/attack/attack_fixture.hpp"

#include "base/capability.hpp"

#include <cstdlib>
#include <fstream>

#include <csignal>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace privileges_test {

using namespace tank;
using namespace tank::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

std::string witness_program() {
  return std::getenv("TANK_WITNESS");
}

/// Capabilities that whatever this process starts would inherit, as an operator's shell or a unit
/// with AmbientCapabilities= may have them.
struct inheritance {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before[2]{};
  inheritance() {
    REQUIRE(::syscall(SYS_capget, &header, before) == 0);
    __user_cap_data_struct now[2] = {before[0], before[1]};
    for (auto& part : now)
      part.inheritable = part.permitted;
    REQUIRE(::syscall(SYS_capset, &header, now) == 0);
    for (const int cap : {CAP_NET_ADMIN, CAP_SYS_ADMIN})
      REQUIRE(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) == 0);
  }
  ~inheritance() {
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    ::syscall(SYS_capset, &header, before);
  }
  inheritance(const inheritance&) = delete;
  inheritance& operator=(const inheritance&) = delete;
};

std::uint64_t mask(const json& report, const char* name) {
  return std::stoull(report["status"][name].get<std::string>(), nullptr, 16);
}

/// A terminal of which this process holds the other end.
struct terminal {
  unique_fd master{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  std::string name;
  terminal() {
    REQUIRE((master && ::grantpt(master.get()) == 0 && ::unlockpt(master.get()) == 0));
    name = ::ptsname(master.get());
  }

  /// Runs a program with this as its controlling terminal and its three streams; what it showed.
  std::string run(const std::vector<std::string>& argv, const std::vector<std::string>& env) const {
    std::vector<char*> args;
    std::vector<char*> variables;
    for (const auto& a : argv)
      args.push_back(const_cast<char*>(a.c_str()));
    for (const auto& e : env)
      variables.push_back(const_cast<char*>(e.c_str()));
    args.push_back(nullptr);
    variables.push_back(nullptr);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::setsid();
      const int tty = ::open(name.c_str(), O_RDWR); // becomes the controlling one
      for (int fd = 0; fd < 3; ++fd)
        ::dup2(tty, fd);
      if (tty > 2) ::close(tty);
      ::execve(args[0], args.data(), variables.data());
      ::_exit(127);
    }
    std::string shown;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(master.get(), buffer, sizeof buffer)) > 0;)
      shown.append(buffer, static_cast<std::size_t>(n)); // EIO when the last user has closed it
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return shown;
  }
};

} // namespace

TEST_CASE("class 15: nothing of the daemon's inheritable and ambient capabilities reaches a pod") {
  const inheritance given;
  arena a;
  const auto daemon = a.daemon().pid();
  const auto status = file_text("/proc/" + std::to_string(daemon) + "/status");
  CHECK(!has(status, "CapInh:\t0000000000000000")); // it got them
  for (const std::string more :
       {"{}", "{runAsUser: 1000}", "{privileged: true}", "{capabilities: {drop: [ALL]}}",
        "{runAsUser: 1000, capabilities: {add: [SYS_ADMIN]}}"}) {
    const auto r = json::parse(a.say({.command = {"/bin/witness", "report"},
                                      .container_more = "    securityContext: " + more + "\n"}));
    CHECK(mask(r, "CapInh") == 0);
    CHECK(mask(r, "CapAmb") == 0);
    if (has(more, "1000")) CHECK(mask(r, "CapEff") == 0);
    if (more == "{}") CHECK(mask(r, "CapBnd") == default_capabilities);
    if (has(more, "ALL")) CHECK(mask(r, "CapBnd") == 0);
  }
}

TEST_CASE("class 15, without the defence: a program that is just started inherits them") {
  const inheritance given;
  child plain{{witness_program(), "report"}, {}};
  REQUIRE(plain.wait() == 0);
  const auto r = json::parse(plain.out);
  CHECK(mask(r, "CapInh") != 0);
  CHECK(mask(r, "CapAmb") != 0);
}

TEST_CASE("class 20: a pod cannot type into the terminal that it was started from") {
  arena a;
  const auto file = a.root / "typist.yaml";
  std::ofstream{file} << manifest({.name = "typist",
                                   .command = {"/bin/witness", "report", "--", "inject", "/dev/tty",
                                               "--", "inject", "/proc/self/fd/0"},
                                   .restart = "Never"});
  const terminal tty;
  const auto config = "TANK_CONFIG=" + (a.root / "tank.yaml").string();
  const auto run_dir = "--run-dir=" + (a.root / "up").string();
  const auto shown = tty.run({a.program, "up", run_dir, "--for=exit", file.string()},
                             {config, "PATH=/usr/bin:/bin", "TERM=dumb"});
  CHECK_MESSAGE(has(shown, "typist"), shown);
  std::string said;
  for (const auto& e : fs::recursive_directory_iterator(a.dirs.log_dir))
    if (e.path().filename() == "0.log") said = log_text(e.path());
  REQUIRE_MESSAGE(has(said, "\n"), shown);
  const auto r = json::parse(said.substr(0, said.find('\n')));
  CHECK(r["controlling_tty"] == false);
  CHECK(r["sid"] == 1);
  for (const auto& fd : r["fds"])
    CHECK(!has(fd["target"].get<std::string>(), "pts"));
  CHECK(has(said, "inject /dev/tty: errno 6\n"));         // ENXIO
  CHECK(has(said, "inject /proc/self/fd/0: errno 25\n")); // ENOTTY: /dev/null
}

TEST_CASE("class 20, without the defence: the terminal is there to be typed into") {
  const terminal tty;
  const auto shown = tty.run({witness_program(), "report", "--", "inject", "/dev/tty"}, {});
  CHECK(has(shown, "\"controlling_tty\":true"));
  // EIO where the kernel itself has been told to refuse it (dev.tty.legacy_tiocsti).
  CHECK((has(shown, "inject /dev/tty: errno 0") || has(shown, "inject /dev/tty: errno 5")));
}

TEST_CASE("device nodes that a pod makes are dead wherever it makes them; privileged ones live") {
  arena a;
  const auto given = a.root / "given";
  fs::create_directory(given);
  // The disk that the host's root is on, to be read only; and one that is there everywhere.
  struct stat root {};
  REQUIRE(::stat("/", &root) == 0);
  const auto disk = std::to_string(major(root.st_dev)) + " " + std::to_string(minor(root.st_dev));
  const auto sudo = std::string{"    securityContext: {privileged: true}\n"};
  const auto mounts =
      std::string{"    volumeMounts: [{name: given, mountPath: /given}, {name: own, "
                  "mountPath: /own}]\n"};
  const auto volumes = "  volumes: [{name: given, hostPath: {path: " + given.string() +
                       "}}, {name: own, emptyDir: {}}]\n";
  const auto attempt = [&](const std::string& dir, const std::string& kind,
                           const std::string& number, const std::string& more) {
    const auto at = dir + "/node";
    const auto space = number.find(' ');
    return a.say({.command = {"/bin/witness", "node", at, kind, number.substr(0, space),
                              number.substr(space + 1), "--", "try-read", at, "--", "rm", at},
                  .container_more = mounts + more,
                  .spec_more = volumes});
  };
  for (const std::string dir : {"", "/tmp", "/dev", "/dev/shm", "/given", "/own"}) {
    CHECK(attempt(dir, "c", "1 5", {}) == "try-read " + dir + "/node: errno 13\n");
    CHECK(attempt(dir, "b", disk, {}) == "try-read " + dir + "/node: errno 13\n");
  }
  // Without the defence: the same attempts open the device.
  for (const std::string dir : {"/dev", "/given", "/own"})
    CHECK(attempt(dir, "c", "1 5", sudo) == "try-read " + dir + "/node: errno 0\n");
}

TEST_CASE("keys of the session that the daemon was started in are not a pod's") {
  // In a session of this test's own: the key goes with it.
  REQUIRE(::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) >= 0);
  const std::string name = "tank-attack-secret";
  REQUIRE(::syscall(SYS_add_key, "user", name.c_str(), "secret", 6UL, KEY_SPEC_SESSION_KEYRING) >=
          0);
  arena a;
  const auto said =
      a.say({.command = {"/bin/witness", "find-key", name},
             .container_more = "    securityContext: {seccompProfile: {type: Unconfined}}\n"});
  CHECK(said == "session-key " + name + ": errno 126\n"); // ENOKEY
  // By default the system calls themselves are refused.
  CHECK(has(a.say({.command = {"/bin/witness", "find-key", name}}), ": errno 1\n"));
  // Without the defence: whatever else is started here finds it.
  child plain{{witness_program(), "find-key", name}, {}};
  REQUIRE(plain.wait() == 0);
  CHECK(plain.out == "session-key " + name + ": errno 0\n");
}

} // namespace privileges_test

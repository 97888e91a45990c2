// Clients and workloads that use up what the host and the daemon have: classes 19 and 21.
#include "api/api_protocol.hpp"
#include "tests/attack/attack_fixture.hpp"

#include <cstring>
#include <fstream>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace exhaustion_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

constexpr long mebibyte = 1024; ///< of /proc/<pid>/status, which counts in KiB

unique_fd connect_to(const fs::path& socket) {
  unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

void watch(const unique_fd& client) {
  const auto ask = api::encode({.verb = api::verb::watch});
  REQUIRE(::send(client.get(), ask.data(), ask.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(ask.size()));
}

bool answered(const unique_fd& client) {
  char byte = 0;
  return ::recv(client.get(), &byte, 1, 0) == 1;
}

/// Until the daemon holds `wanted` descriptors; it takes leave of clients in its own time, so each
/// look is behind a question that it has answered. The last count.
std::size_t settle(arena& a, std::size_t wanted) {
  std::size_t now = 0;
  for (int looks = 0; looks < 200; ++looks) {
    a.hear({"get", "pods"});
    now = open_files(a.daemon().pid());
    if (now == wanted) break;
  }
  return now;
}

} // namespace

TEST_CASE("class 19: a thousand clients that watch and vanish leave nothing in the daemon") {
  arena a;
  for (int i = 0; i < 3; ++i)
    a.put({.name = "pod" + std::to_string(i)});
  for (int i = 0; i < 3; ++i)
    a.await_running("pod" + std::to_string(i));
  const auto pid = a.daemon().pid();
  const auto control = a.dirs.control_socket();
  const auto come_and_go = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const auto client = connect_to(control);
      if (i % 4 != 0) watch(client);           // some only connect
      if (i % 4 == 2) CHECK(answered(client)); // some listen, and stop in the middle
      if (i % 4 == 3) (void)::send(client.get(), "{", 1, MSG_NOSIGNAL);
    }
  };
  come_and_go(100); // the allocator has its arenas by now
  a.hear({"get", "pods"});
  const auto files = settle(a, open_files(pid));
  // A client that stays costs a descriptor: the count sees clients.
  {
    std::vector<unique_fd> held;
    for (int i = 0; i < 50; ++i) {
      held.push_back(connect_to(control));
      watch(held.back());
      REQUIRE(answered(held.back()));
    }
    CHECK(open_files(pid) == files + 50);
  }
  CHECK(settle(a, files) == files);
  const auto memory = status_number(pid, "VmRSS");
  come_and_go(1000);
  CHECK(settle(a, files) == files);
  CHECK(status_number(pid, "VmRSS") - memory < 8 * mebibyte);
}

TEST_CASE("class 19: clients that watch and never read do not make the daemon remember") {
  arena a;
  std::vector<unique_fd> deaf;
  for (int i = 0; i < 20; ++i) {
    deaf.push_back(connect_to(a.dirs.control_socket()));
    watch(deaf.back());
  }
  const auto change = [&] { a.say({.command = {"/bin/witness", "exit", "0"}}); };
  for (int i = 0; i < 10; ++i)
    change();
  const auto memory = status_number(a.daemon().pid(), "VmRSS");
  for (int i = 0; i < 60; ++i)
    change();
  CHECK(status_number(a.daemon().pid(), "VmRSS") - memory < 16 * mebibyte);
}

TEST_CASE("class 21: a pod fills none of the daemon's own directory") {
  arena a;
  const auto held = [&] {
    std::uintmax_t sum = 0;
    for (const auto& e : fs::recursive_directory_iterator(a.dirs.run_dir))
      if (e.is_regular_file()) sum += e.file_size();
    return sum;
  };
  constexpr std::uintmax_t some = 1u << 20;
  CHECK(held() < some);
  std::string fill;
  for (const auto* file : {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"})
    fill += std::string{"/bin/busybox dd if=/dev/zero bs=1M count=16 of="} + file + "; ";
  a.put({.name = "filler",
         .command = {"/bin/sh", "-c", fill + "echo filled; exec /bin/witness sleep"}});
  const auto filler = a.await_running("filler");
  REQUIRE(await_file(a.log_dir(filler) / "0.log",
                     [](const auto& text) { return has(text, "filled"); }));
  CHECK(held() < some);
  // Where a pod's files were there, they count.
  CHECK(without_defence([&] {
          std::ofstream{a.dirs.pod_run(filler.uid) / "hosts"} << std::string(16 * some, '0');
          return std::string{held() > some ? "full" : "empty"};
        }) == "full");
}

TEST_CASE("class 19: a gigabyte of output costs the log its bound, and daemon and shim nothing") {
  arena a{"logMaxSize: 1Mi\nlogMaxFiles: 3\n"};
  const std::string volume = "    volumeMounts: [{name: shared, mountPath: /shared}]\n";
  const std::string spec =
      "  volumes: [{name: shared, hostPath: {path: " + a.shared.string() + "}}]\n";
  a.put({.name = "quiet", .container_more = volume, .spec_more = spec});
  const auto quiet = parent_of(a.await_running("quiet").host_pid);
  const auto daemon = a.daemon().pid();
  const auto memory = status_number(daemon, "VmHWM");
  a.put({.name = "loud",
         .command = {"/bin/witness", "spew", "1073741824", "--", "write", "/shared/done", "yes",
                     "--", "sleep"},
         .container_more = volume,
         .spec_more = spec});
  const auto loud = a.await_running("loud");
  const auto files = open_files(daemon);
  REQUIRE(await_file(a.shared / "done", [](const auto& text) { return text == "yes"; }));
  const auto shim = parent_of(loud.host_pid);
  CHECK(status_number(shim, "VmHWM") > 0);
  CHECK(status_number(shim, "VmHWM") - status_number(quiet, "VmHWM") < 2 * mebibyte);
  CHECK(open_files(shim) == open_files(quiet));
  CHECK(open_files(daemon) == files);
  CHECK(status_number(daemon, "VmHWM") - memory < 16 * mebibyte);
  std::uintmax_t logged = 0;
  for (const auto& e : fs::directory_iterator(a.log_dir(loud)))
    logged += e.file_size();
  CHECK(logged > 1024UL * 1024); // it did write
  CHECK(logged <= 3 * 1024UL * 1024);
  // And the measure sees memory that is used.
  a.put({.name = "hungry",
         .command = {"/bin/witness", "eat", "64", "--", "write", "/shared/full", "yes", "--",
                     "sleep"},
         .container_more = volume,
         .spec_more = spec});
  REQUIRE(await_file(a.shared / "full", [](const auto& text) { return text == "yes"; }));
  CHECK(status_number(a.await_running("hungry").host_pid, "VmHWM") > 64 * mebibyte);
}

namespace {

/// A fork bomb in a pod with a daemon of these settings: how many processes there were when it
/// could make no more. Meanwhile the daemon does its work; afterwards nothing of it is left.
long explode(const std::string& settings) {
  arena a{settings};
  a.put({.name = "bomb",
         .command = {"/bin/witness", "fork-bomb", "150"},
         .container_more = "    securityContext: {runAsUser: 47111}\n",
         .spec_more = "  terminationGracePeriodSeconds: 0\n"});
  const auto bomb = a.await_running("bomb");
  const auto log = a.log_dir(bomb) / "0.log";
  REQUIRE(await_file(log, [](const auto& text) { return has(text, "errno 11\n"); })); // EAGAIN
  CHECK(a.say({.command = {"/bin/witness", "print", "works"}}) == "works\n");
  CHECK(has(a.hear({"get", "pods"}), "bomb"));
  a.remove("bomb.yaml");
  a.await_gone("bomb");
  for (const pid_t pid : descendants())
    CHECK(status_number(pid, "Uid") != 47111);
  const auto said = log_text(log);
  CHECK(said.starts_with("bomb of "));
  return std::atol(said.c_str() + 8);
}

} // namespace

TEST_CASE("class 21: a fork bomb is held at the pod's limit, and the daemon works on") {
  const auto held = explode("podPidsLimit: 64\n");
  CHECK(held <= 64);
  CHECK(held >= 32); // at worst each of them is making another one when the first counts
}

TEST_CASE("class 21, without the defence: it takes what else there is") {
  CHECK(explode("podPidsLimit: 0\n") > 64);
}

TEST_CASE("class 21: a workload that takes memory without end is killed at its limit, alone") {
  arena a;
  a.put({.name = "neighbour"});
  const auto neighbour = a.await_running("neighbour").host_pid;
  const pod_text hungry{.command = {"/bin/witness", "eat", "256"},
                        .container_more = "    resources: {limits: {memory: 64Mi}}\n"};
  const auto pod = a.run(hungry);
  CHECK_MESSAGE(pod.last->reason == "OOMKilled", pod.last->reason << pod.last->message);
  CHECK(pod.last->exit_code == 128 + 9);
  CHECK(has(a.stdout_of(pod), "ate 16\n"));
  CHECK(!has(a.stdout_of(pod), "ate 80\n"));
  CHECK(a.await_running("neighbour").host_pid == neighbour);
  // Without the defence: it gets all it asks for.
  CHECK(has(a.say({.command = {"/bin/witness", "eat", "256"}}), "ate 256\n"));
}

} // namespace exhaustion_test

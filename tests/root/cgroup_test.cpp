// The cgroup driver on this host's hierarchies, whichever version they are.
#include "base/unique_fd.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/cgroup_probe.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cgroup_test {

using namespace tank;
using namespace tank::kernel;
namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream{file}.rdbuf();
  auto s = text.str();
  while (!s.empty() && s.back() == '\n')
    s.pop_back();
  return s;
}

struct world {
  cgroup_tree tree;
  std::vector<fs::path> made;
  const std::string instance = "0123456789abcdef";

  world() {
    auto found = probe_cgroups("/tank-test-" + std::to_string(::getpid()));
    REQUIRE_MESSAGE(found, found.error().message());
    tree = *found;
    REQUIRE_MESSAGE(tree.version != cgroup_version::none, "this host has no cgroups to test with");
    auto opened = open_cgroups(tree, instance);
    REQUIRE_MESSAGE(opened, opened.error().message());
    made = *opened;
  }
  ~world() {
    CHECK(remove_cgroup(tree, fs::path{instance} / "pod"));
    for (auto at = made.rbegin(); at != made.rend(); ++at)
      CHECK_MESSAGE(::rmdir(at->c_str()) == 0, at->string() << ": " << std::strerror(errno));
    CHECK(left().empty());
  }
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  [[nodiscard]] pod_cgroup pod(cgroup_limits all = {}, cgroup_limits main = {}) const {
    return {fs::path{instance} / "pod", all, {{"main", main}}};
  }
  /// The directories of a name, in each hierarchy.
  [[nodiscard]] std::vector<fs::path> dirs(const fs::path& name) const {
    std::vector<fs::path> out;
    for (const auto& h : tree.hierarchies)
      out.push_back(h.directory / instance / name);
    return out;
  }
  [[nodiscard]] std::string file(const std::string& v2, const std::string& v1,
                                 const fs::path& name = "pod/main") const {
    for (const auto& d : dirs(name))
      if (const auto path = d / (tree.version == cgroup_version::v2 ? v2 : v1); fs::exists(path))
        return text_of(path);
    return "no such file";
  }
  [[nodiscard]] std::set<std::string> left() const {
    std::set<std::string> out;
    for (const auto& h : tree.hierarchies) {
      if (!fs::exists(h.directory)) continue;
      for (const auto& e : fs::recursive_directory_iterator(h.directory))
        if (e.is_directory()) out.insert(e.path());
    }
    for (const auto& path : made)
      out.erase(path);
    return out;
  }
  [[nodiscard]] cgroup_stats stats(const fs::path& name = "pod/main") const {
    auto read = read_cgroup(tree, fs::path{instance} / name);
    REQUIRE_MESSAGE(read, read.error().message());
    return *read;
  }
};

/// A process in a container's cgroup; killed at the latest with this one.
class inmate {
 public:
  /// Waits until `run` has said that it is ready.
  inmate(const world& w, const std::function<void(const std::function<void()>&)>& run) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const unique_fd hear{ends[0]};
    unique_fd say{ends[1]};
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (const auto& d : w.dirs("pod/main")) {
        std::ofstream procs{d / "cgroup.procs"};
        procs << ::getpid() << std::flush;
        if (!procs) ::_exit(9);
      }
      run([&] { static_cast<void>(!::write(say.get(), "r", 1)); });
      ::_exit(0);
    }
    say.reset();
    char byte = 0;
    REQUIRE(::read(hear.get(), &byte, 1) == 1);
  }
  ~inmate() {
    ::kill(pid_, SIGKILL);
    wait();
  }
  inmate(const inmate&) = delete;
  inmate& operator=(const inmate&) = delete;
  /// -signal, or the exit code.
  int wait() {
    if (status_ == 1000) {
      int status = 0;
      if (::waitpid(pid_, &status, 0) == pid_)
        status_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    }
    return status_;
  }
  [[nodiscard]] bool lives() const { return ::kill(pid_, 0) == 0; }

 private:
  pid_t pid_ = -1;
  int status_ = 1000;
};

void touch(std::size_t bytes) {
  void* room = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (room != MAP_FAILED) std::memset(room, 1, bytes);
}

[[noreturn]] void sleep_on() {
  for (;;)
    ::pause();
}

constexpr std::uint64_t mib = 1u << 20;

} // namespace

TEST_CASE("a pod's cgroups are made with its limits, tell what is used, and go") {
  world w;
  const cgroup_limits pod{.memory = 128 * mib, .pids = 60};
  const cgroup_limits main{.memory = 64 * mib, .cpu_quota = 50'000, .cpu_shares = 512};
  REQUIRE(make_cgroup(w.tree, w.pod(pod, main)));
  CHECK(w.file("memory.max", "memory.limit_in_bytes", "pod") == std::to_string(128 * mib));
  CHECK(w.file("memory.max", "memory.limit_in_bytes") == std::to_string(64 * mib));
  CHECK(w.file("pids.max", "pids.max", "pod") == "60");
  CHECK(w.file("cpu.max", "cpu.cfs_quota_us") ==
        (w.tree.version == cgroup_version::v2 ? "50000 100000" : "50000"));
  CHECK(w.file("cpu.weight", "cpu.shares") ==
        (w.tree.version == cgroup_version::v2 ? "59" : "512"));
  const inmate one{w, [](const auto& ready) {
                     touch(16 * mib);
                     ready();
                     sleep_on();
                   }};
  const auto s = w.stats();
  CHECK(s.pids == 1);
  CHECK(s.memory.value_or(0) >= 16 * mib);
  CHECK(s.memory_peak.value_or(~0ULL) >= 16 * mib); // not counted by kernels before 5.19
  CHECK(s.memory_limit == 64 * mib);
  CHECK(s.cpu_us.value_or(0) > 0);
  CHECK(s.oom_kills == 0);
  CHECK(w.stats("pod").pids == 1);
  CHECK(w.stats("pod").pids_limit == 60);
  CHECK(remove_cgroup(w.tree, w.pod().name));
  CHECK(w.left().empty());
  CHECK(read_cgroup(w.tree, w.pod().name).error().code == errc::not_found);
  CHECK(remove_cgroup(w.tree, w.pod().name)); // a missing one is success
}

TEST_CASE("whichever step fails, nothing is left") {
  world w;
  for (std::size_t i = 0; i < w.tree.hierarchies.size(); ++i) {
    auto broken = w.tree;
    broken.hierarchies[i].directory /= "not-there";
    const auto made = make_cgroup(broken, w.pod());
    REQUIRE(!made);
    CHECK(made.error().code == errc::not_found);
    CHECK(w.left().empty());
    CHECK(!open_cgroups(broken, "x/a\nb")); // a name that no cgroup may have
    CHECK(w.left().empty());
  }
  // A value that the kernel refuses, of the pod and of the container.
  const cgroup_limits refused{.memory = 8 * mib, .cpu_quota = 1};
  CHECK(!make_cgroup(w.tree, w.pod(refused)));
  CHECK(w.left().empty());
  CHECK(!make_cgroup(w.tree, w.pod({.pids = 5}, refused)));
  CHECK(w.left().empty());
  // A controller that nobody has.
  auto poor = w.tree;
  for (auto& h : poor.hierarchies)
    std::erase(h.controllers, "memory");
  const auto lacking = make_cgroup(poor, w.pod({.memory = mib}));
  REQUIRE(!lacking);
  CHECK(lacking.error().message().find("no cgroup controller 'memory'") != std::string::npos);
  CHECK(make_cgroup(poor, w.pod()));
}

TEST_CASE("v2: who lives where the tree shall be makes room for it") {
  world w;
  if (w.tree.version != cgroup_version::v2) {
    MESSAGE("skipped: only in the unified hierarchy has a cgroup either processes or controllers");
    return;
  }
  const auto ours = w.dirs("service").front(); // as a service manager delegates it
  REQUIRE(fs::create_directory(ours));
  auto tree = w.tree;
  tree.hierarchies.front().directory = ours;
  // A stranger who lives there is not moved by somebody who does not.
  const pid_t stranger = ::fork();
  if (stranger == 0) {
    std::ofstream{ours / "cgroup.procs"} << ::getpid() << std::flush;
    sleep_on();
  }
  while (text_of(ours / "cgroup.procs").empty())
    ::poll(nullptr, 0, 1);
  const auto refused = open_cgroups(tree, "i");
  REQUIRE(!refused);
  CHECK(refused.error().message().find("choose another cgroupRoot") != std::string::npos);
  CHECK(!fs::exists(ours / "i"));
  const pid_t service = ::fork();
  if (service == 0) {
    std::ofstream{ours / "cgroup.procs"} << ::getpid() << std::flush;
    const auto opened = open_cgroups(tree, "i");
    const auto made = opened ? make_cgroup(tree, {"i/pod", {.memory = mib}, {{"main", {}}}})
                             : result<void>{failure{opened.error()}};
    ::_exit(made ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(service, &status, 0) == service);
  CHECK(status == 0);
  CHECK(text_of(ours / "cgroup.procs").empty());
  CHECK(text_of(ours / "daemon/cgroup.procs") == std::to_string(stranger));
  CHECK(text_of(ours / "i/pod/memory.max") == std::to_string(mib));
  CHECK(remove_cgroup(w.tree, fs::path{w.instance} / "service"));
  CHECK(::waitpid(stranger, &status, 0) == stranger);
}

TEST_CASE("what is there already is left alone") {
  world w;
  REQUIRE(make_cgroup(w.tree, w.pod({.pids = 7})));
  const auto again = make_cgroup(w.tree, w.pod({.pids = 8}));
  REQUIRE(!again);
  CHECK(again.error().code == errc::exists);
  CHECK(w.file("pids.max", "pids.max", "pod") == "7");
}

TEST_CASE("limits grow, shrink and go in place; a refused change changes nothing") {
  world w;
  const cgroup_limits small{.memory = 32 * mib, .cpu_quota = 20'000, .pids = 20};
  const cgroup_limits large{.memory = 256 * mib, .cpu_quota = 90'000, .pids = 90};
  REQUIRE(make_cgroup(w.tree, w.pod(small, small)));
  const auto now = [&](const fs::path& name) {
    return w.file("memory.max", "memory.limit_in_bytes", name) + " " +
           w.file("cpu.max", "cpu.cfs_quota_us", name) + " " + w.file("pids.max", "pids.max", name);
  };
  const auto first = now("pod/main");
  CHECK(update_cgroup(w.tree, w.pod(large, large)));
  CHECK(w.file("memory.max", "memory.limit_in_bytes") == std::to_string(256 * mib));
  CHECK(w.file("pids.max", "pids.max") == "90");
  CHECK(update_cgroup(w.tree, w.pod(small, small)));
  CHECK(now("pod/main") == first);
  const auto refused = update_cgroup(w.tree, w.pod(large, {.memory = 128 * mib, .cpu_quota = 1}));
  CHECK(!refused);
  CHECK(now("pod/main") == first);
  CHECK(now("pod") == first);
  CHECK(update_cgroup(w.tree, w.pod()));
  CHECK(!w.stats().memory_limit);
  CHECK(w.file("cpu.max", "cpu.cfs_quota_us") ==
        (w.tree.version == cgroup_version::v2 ? "max 100000" : "-1"));

  inmate eater{w, [](const auto& ready) {
                 touch(48 * mib);
                 ready();
                 sleep_on();
               }};
  const auto used = update_cgroup(w.tree, w.pod(small, small));
  REQUIRE(!used);
  CHECK(used.error().code == errc::conflict);
  CHECK(used.error().message().find("bytes, more than 33554432") != std::string::npos);
  CHECK(eater.lives());
  CHECK(!w.stats().memory_limit);
}

TEST_CASE("memory that is only a cache gives way to a smaller limit, and nobody dies") {
  const std::uint64_t size = fs::file_size("/proc/self/exe");
  if (size < 4 * mib) {
    MESSAGE("skipped: this program is no file that is large enough");
    return;
  }
  world w;
  REQUIRE(make_cgroup(w.tree, w.pod({.memory = 256 * mib}, {.memory = 256 * mib})));
  inmate reader{w, [](const auto& ready) {
                  const unique_fd exe{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
                  ::fsync(exe.get()); // a page that is not written yet would stay somebody else's
                  ::posix_fadvise(exe.get(), 0, 0, POSIX_FADV_DONTNEED);
                  char part[65536];
                  while (::read(exe.get(), part, sizeof part) > 0) {
                  }
                  ready();
                  sleep_on();
                }};
  const auto used = w.stats().memory.value_or(0);
  const auto cached = used - w.stats().memory_working_set.value_or(used);
  REQUIRE(cached > mib);
  const cgroup_limits smaller{.memory = used - cached / 2};
  const auto done = update_cgroup(w.tree, w.pod(smaller, smaller));
  CHECK_MESSAGE(done, done.error().message());
  CHECK(reader.lives());
  CHECK(w.stats().memory.value_or(used) <= *smaller.memory);
  CHECK(w.file("memory.high", "no such file") ==
        (w.tree.version == cgroup_version::v2 ? "max" : "no such file"));
}

TEST_CASE("a process that wants more memory than there is dies, and is counted") {
  world w;
  REQUIRE(make_cgroup(w.tree, w.pod({.memory = 24 * mib}, {.memory = 24 * mib})));
  CHECK(count_oom_kills(w.tree, w.pod().name / "main") == 0);
  inmate eater{w, [](const auto& ready) {
                 ready();
                 touch(64 * mib);
               }};
  CHECK(eater.wait() == -SIGKILL);
  const auto kills = count_oom_kills(w.tree, w.pod().name / "main");
  CHECK(kills >= 1); // some kernels count the victim of a group's kill twice
  CHECK(w.stats().oom_kills == kills);
  CHECK(count_oom_kills(w.tree, w.pod().name / "none") == 0);
}

TEST_CASE("one container's cgroup is made anew while the pod's others stay as they are") {
  world w;
  const pod_cgroup pod{w.pod().name, {.pids = 40}, {{"main", {.pids = 7}}, {"other", {.pids = 8}}}};
  REQUIRE(make_cgroup(w.tree, pod));
  inmate left{w, [](const auto& ready) {
                ready();
                sleep_on();
              }};
  for (const auto& d : w.dirs("pod/main/made-by-the-workload"))
    REQUIRE(fs::create_directory(d));
  REQUIRE(make_container_cgroup(w.tree, pod.name, {"main", {.memory = 32 * mib, .pids = 9}}));
  CHECK(left.wait() == -SIGKILL); // an earlier attempt's
  CHECK(w.file("pids.max", "pids.max") == "9");
  CHECK(w.file("memory.max", "memory.limit_in_bytes") == std::to_string(32 * mib));
  CHECK(w.file("pids.max", "pids.max", "pod/other") == "8");
  CHECK(w.file("pids.max", "pids.max", "pod") == "40");
  CHECK(!fs::exists(w.dirs("pod/main/made-by-the-workload").front()));

  // A limit that the kernel refuses: there is none then, and the pod is as it was.
  CHECK(!make_container_cgroup(w.tree, pod.name, {"main", {.memory = 8 * mib, .cpu_quota = 1}}));
  for (const auto& d : w.dirs("pod/main"))
    CHECK(!fs::exists(d));
  CHECK(w.file("pids.max", "pids.max", "pod/other") == "8");

  // Of a pod that has none.
  const auto nowhere = make_container_cgroup(w.tree, fs::path{w.instance} / "absent", {"main", {}});
  REQUIRE(!nowhere);
  CHECK(nowhere.error().code == errc::not_found);
  // A controller that nobody has.
  auto poor = w.tree;
  for (auto& h : poor.hierarchies)
    std::erase(h.controllers, "memory");
  CHECK(make_container_cgroup(poor, pod.name, {"other", {.memory = mib}}).error().code ==
        errc::unsupported);
  CHECK(w.file("pids.max", "pids.max", "pod/other") == "8"); // asked before anything was done
  CHECK(remove_container_cgroup(w.tree, pod.name, "other"));
  CHECK(remove_container_cgroup(w.tree, pod.name, "other"));
  for (const auto& d : w.dirs("pod"))
    CHECK(fs::exists(d));
}

TEST_CASE("whoever is in it, however it got there, dies with it") {
  world w;
  REQUIRE(make_cgroup(w.tree, w.pod({.pids = 40})));
  // Orphans of orphans in sessions of their own, that go on forking for as long as they may.
  inmate bomb{w, [](const auto& ready) {
                if (::fork() == 0) {
                  ::setsid();
                  if (::fork() == 0) {
                    ready();
                    for (;;)
                      if (::fork() < 0) ::poll(nullptr, 0, 1);
                  }
                  ::_exit(0);
                }
                sleep_on();
              }};
  while (w.stats("pod").pids.value_or(0) < 40)
    ::poll(nullptr, 0, 1);
  // And a cgroup of the workload's own making.
  for (const auto& d : w.dirs("pod/main/a"))
    REQUIRE(fs::create_directories(d / "b"));
  const auto removed = remove_cgroup(w.tree, w.pod().name);
  CHECK_MESSAGE(removed, removed.error().message());
  CHECK(w.left().empty());
  CHECK(bomb.wait() == -SIGKILL);
}

} // namespace cgroup_test

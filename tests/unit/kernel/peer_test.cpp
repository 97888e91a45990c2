#include "kernel/peer.hpp"

#include <doctest/doctest.h>

#include <sys/un.h>
#include <sys/wait.h>

namespace peer_test {

using namespace tank;
using namespace tank::kernel;

TEST_CASE("a process is of this host when it shares our namespaces") {
  CHECK(is_in_our_namespaces(::getpid()));
  CHECK_FALSE(is_in_our_namespaces(0)); // from a namespace that we do not see
  CHECK_FALSE(is_in_our_namespaces(-1));
  CHECK_FALSE(is_in_our_namespaces(INT32_MAX));
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const unique_fd a{ends[0]};
  const unique_fd b{ends[1]};
  ucred who{};
  CHECK(is_of_this_host(a.get(), &who));
  CHECK(who.pid == ::getpid());
  CHECK(refuse_peer(a.get(), {}).empty());
  CHECK(refuse_peer(-1, {}) == "a process of another namespace");
}

TEST_CASE("a peer that has ended is not believed: its number may be another's") {
  const unique_fd listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto* const at = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(listener.get(), at, sizeof address.sun_family) == 0); // the kernel names it
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(listener.get(), at, &size) == 0);
  REQUIRE(::listen(listener.get(), 1) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::_exit(::connect(fd, at, size) == 0 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  const unique_fd peer{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  REQUIRE(peer.get() >= 0);
  ucred who{};
  CHECK_FALSE(is_of_this_host(peer.get(), &who));
  CHECK(who.pid == child);
  CHECK_FALSE(refuse_peer(peer.get(), {}).empty());
}

TEST_CASE("one who lives is held by a pidfd, where the kernel gives one") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const unique_fd a{ends[0]};
  const unique_fd b{ends[1]};
  ucred who{};
  unique_fd pidfd;
  CHECK(is_of_this_host(a.get(), &who, &pidfd));
  CHECK(holds_its_number(pidfd));
  CHECK(holds_its_number(unique_fd{})); // before Linux 6.5
}

TEST_CASE("cgroups of pods are told from those of everybody else") {
  cgroup_tree v2;
  v2.version = cgroup_version::v2;
  v2.hierarchies = {{{"memory"}, "/sys/fs/cgroup", "/sys/fs/cgroup/tank"}};
  CHECK(is_in_pod_cgroup("0::/tank/0123456789abcdef/uid/main\n", v2));
  CHECK(is_in_pod_cgroup("0::/tank/0123456789abcdef/uid", v2));
  CHECK_FALSE(is_in_pod_cgroup("0::/tank/daemon\n", v2));
  CHECK_FALSE(is_in_pod_cgroup("0::/tank/0123456789abcdef\n", v2));
  CHECK_FALSE(is_in_pod_cgroup("0::/user.slice/0123456789abcdef/uid\n", v2));
  CHECK_FALSE(is_in_pod_cgroup("", v2));
  CHECK_FALSE(is_in_pod_cgroup("0::/tank/0123456789abcdef/uid\n", {}));
  cgroup_tree v1;
  v1.version = cgroup_version::v1;
  v1.hierarchies = {{{"memory"}, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory"},
                    {{"pids"}, "/sys/fs/cgroup/pids", "/sys/fs/cgroup/pids/a/b"}};
  CHECK(is_in_pod_cgroup("3:pids:/a/b/0123456789abcdef/uid\n2:memory:/x\n", v1));
  CHECK(is_in_pod_cgroup("2:memory:/0123456789abcdef/uid/main\n", v1));
  CHECK_FALSE(is_in_pod_cgroup("3:pids:/a/b\n2:memory:/\n", v1));
}

} // namespace peer_test

#include "tests/root/host_namespaces.hpp"

#include "base/unique_fd.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tank::testing {
namespace {

std::string failed(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

/// A mount on /sys or right below it.
struct below_sys {
  std::string point;
  unique_fd tree; ///< a copy of it with all that is mounted in it
};

/// The mounts right below the mount of /sys, by mountinfo: id, parent, device, root, point.
bool copy_below_sys(std::vector<below_sys>& to) {
  std::ifstream in{"/proc/self/mountinfo"};
  std::string sys; // the id of the mount there
  for (std::string line; std::getline(in, line);) {
    std::istringstream words{line};
    std::string id, parent, device, root, point;
    words >> id >> parent >> device >> root >> point;
    if (point == "/sys") sys = id;
    if (point == "/sys" || parent != sys || sys.empty()) continue;
    unique_fd tree{static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, point.c_str(),
                                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE))};
    if (!tree) return false;
    to.push_back({point, std::move(tree)});
  }
  return true;
}

/// A sysfs shows the network namespace of who mounted it.
std::string mount_own_sys() {
  std::vector<below_sys> all;
  if (!copy_below_sys(all)) return failed("copy a mount below /sys");
  if (::umount2("/sys", MNT_DETACH) != 0 && errno != EINVAL) return failed("unmount /sys");
  if (::mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return failed("mount /sys");
  for (const auto& one : all)
    if (::syscall(SYS_move_mount, one.tree.get(), "", AT_FDCWD, one.point.c_str(),
                  MOVE_MOUNT_F_EMPTY_PATH) != 0)
      return failed("mount " + one.point);
  return {};
}

std::string bring_up_loopback() {
  const unique_fd any{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq lo{};
  std::strcpy(lo.ifr_name, "lo");
  lo.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(any.get(), SIOCSIFFLAGS, &lo) != 0) return failed("bring up lo");
  return {};
}

/// One request of rtnetlink, built in place.
struct request {
  nlmsghdr head{};
  ifinfomsg link{};
  char attributes[256]{};

  request() { head.nlmsg_len = NLMSG_LENGTH(sizeof link); }
  rtattr* add(unsigned short type, const std::string& text) {
    auto* at =
        reinterpret_cast<rtattr*>(reinterpret_cast<char*>(this) + NLMSG_ALIGN(head.nlmsg_len));
    at->rta_type = type;
    at->rta_len = static_cast<unsigned short>(RTA_LENGTH(text.size()));
    std::memcpy(RTA_DATA(at), text.data(), text.size());
    head.nlmsg_len = NLMSG_ALIGN(head.nlmsg_len) + RTA_ALIGN(at->rta_len);
    return at;
  }
};

bool make_link_of(const std::string& kind, const std::string& name) {
  const unique_fd route{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  request ask;
  ask.head.nlmsg_type = RTM_NEWLINK;
  ask.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  ask.add(IFLA_IFNAME, name);
  auto* info = ask.add(IFLA_LINKINFO, "");
  ask.add(IFLA_INFO_KIND, kind);
  info->rta_len = static_cast<unsigned short>(reinterpret_cast<char*>(&ask) + ask.head.nlmsg_len -
                                              reinterpret_cast<char*>(info));
  struct {
    nlmsghdr head;
    nlmsgerr error;
    char more[1024];
  } answer{};
  return ::send(route.get(), &ask, ask.head.nlmsg_len, 0) > 0 &&
         ::recv(route.get(), &answer, sizeof answer, 0) > 0 &&
         answer.head.nlmsg_type == NLMSG_ERROR && answer.error.error == 0;
}

} // namespace

bool make_link(const std::string& name) {
  return make_link_of("dummy", name) || make_link_of("bridge", name) || make_link_of("veth", name);
}

std::string enter_own_namespaces() {
  if (::unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) return failed("unshare");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return failed("make all mounts private");
  for (auto* step : {mount_own_sys, bring_up_loopback})
    if (auto why = step(); !why.empty()) return why;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) != 0)
    return failed("share all mounts");
  make_link("uplink0");
  return {};
}

} // namespace tank::testing

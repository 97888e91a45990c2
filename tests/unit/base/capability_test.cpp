#include "base/capability.hpp"

#include <doctest/doctest.h>

#include <set>

#include <linux/capability.h>

namespace capability_test {

using namespace tank;

TEST_CASE("capabilities have the kernel's numbers, with or without prefix, in any case") {
  CHECK(capability_number("CHOWN") == CAP_CHOWN);
  CHECK(capability_number("CAP_NET_ADMIN") == CAP_NET_ADMIN);
  CHECK(capability_number("cap_sys_admin") == CAP_SYS_ADMIN);
  CHECK(capability_number("Setfcap") == CAP_SETFCAP);
  CHECK(capability_number("AUDIT_READ") == CAP_AUDIT_READ);
  CHECK(capability_number("CHECKPOINT_RESTORE") == 40);
  for (const char* none : {"", "CAP_", "ALL", "CAP_CAP_KILL", "KIL", "KILLS", "NET ADMIN", "21"})
    CHECK_MESSAGE(!capability_number(none), none);
  std::set<unsigned> all;
  for (unsigned n = 0; n < named_capabilities; ++n) {
    CHECK(capability_number(capability_name(n)) == n);
    all.insert(n);
  }
  CHECK(all.size() == CAP_LAST_CAP + 1);
  CHECK(capability_name(63) == "63");
  CHECK(is_capability_or_all("all"));
  CHECK_FALSE(is_capability_or_all("CAP_ALL"));
}

TEST_CASE("the default capabilities are the fourteen that Docker and containerd have") {
  CHECK(capability_names(default_capabilities) ==
        "CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, "
        "NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP");
  CHECK(default_capabilities == 0x00000000a80425fb); // as /proc/<pid>/status shows it there
}

} // namespace capability_test

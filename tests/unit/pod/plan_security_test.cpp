#include "pod/plan_security.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>

namespace plan_security_test {

using namespace tank;

namespace {

capability_mask bits(std::initializer_list<const char*> names) {
  capability_mask out = 0;
  for (const char* name : names)
    out |= capability_bit(*capability_number(name));
  return out;
}

using names = std::vector<std::string>;

config::container with(names add, names drop, std::optional<bool> privileged = {}) {
  config::container c;
  c.name = "main";
  auto& context = c.security_context.emplace();
  context.privileged = privileged;
  if (!add.empty() || !drop.empty())
    context.capabilities = config::capabilities{std::move(add), std::move(drop)};
  return c;
}

/// A host that lacks one, as some do.
const capability_mask here = all_capabilities & ~capability_bit(24); // SYS_RESOURCE

} // namespace

TEST_CASE("capabilities of root: the table") {
  const auto base = default_capabilities;
  struct row {
    names add;
    names drop;
    std::optional<bool> privileged;
    capability_mask have;
  };
  const row table[] = {
      {{}, {}, {}, base},
      {{}, {}, false, base},
      {{}, {}, true, here},
      {{"NET_ADMIN"}, {}, {}, base | bits({"NET_ADMIN"})},
      {{"net_admin"}, {}, {}, base | bits({"NET_ADMIN"})},
      {{"CAP_NET_ADMIN"}, {}, {}, base | bits({"NET_ADMIN"})},
      {{"CHOWN"}, {}, {}, base},
      {{}, {"NET_RAW"}, {}, base & ~bits({"NET_RAW"})},
      {{}, {"net_raw", "MKNOD"}, {}, base & ~bits({"NET_RAW", "MKNOD"})},
      {{}, {"SYS_TIME"}, {}, base},
      {{}, {"ALL"}, {}, 0},
      {{}, {"all"}, {}, 0},
      {{"ALL"}, {}, {}, here},
      {{"All"}, {"NET_RAW"}, {}, here & ~bits({"NET_RAW"})},
      {{"ALL"}, {"ALL"}, {}, 0},
      {{"NET_BIND_SERVICE"}, {"ALL"}, {}, bits({"NET_BIND_SERVICE"})},
      {{"NET_ADMIN"}, {"NET_ADMIN"}, {}, base},
      {{"SYS_RESOURCE"}, {"SYS_RESOURCE"}, {}, base},
      {{"SYS_RESOURCE"}, {}, true, here},
      {{}, {"ALL"}, true, here},
  };
  for (const auto& [add, drop, privileged, have] : table) {
    const auto sets = plan_capabilities(with(add, drop, privileged), 0, here);
    REQUIRE(sets);
    CHECK(sets->bounding == have);
    CHECK(sets->permitted == have);
    CHECK(sets->effective == have);
    CHECK(sets->inheritable == 0);
    CHECK(sets->ambient == 0);
  }
  CHECK(plan_capabilities({}, 0, here).value().bounding == base);
}

TEST_CASE("capabilities of another user only bound what a set-user-ID program can get") {
  for (const auto& c : {with({}, {}), with({"NET_ADMIN"}, {}), with({}, {}, true)}) {
    const auto sets = plan_capabilities(c, 1000, here).value();
    CHECK(sets.bounding == plan_capabilities(c, 0, here).value().bounding);
    CHECK(sets.permitted == 0);
    CHECK(sets.effective == 0);
    CHECK(sets.inheritable == 0);
    CHECK(sets.ambient == 0);
  }
}

TEST_CASE("a capability that is unknown or not to be had is named") {
  const auto why = [](names add, names drop) {
    return plan_capabilities(with(std::move(add), std::move(drop)), 0, here).error().message();
  };
  CHECK(why({"FLY"}, {}) == "cannot add capability 'FLY': there is no such capability (names are "
                            "those of capabilities(7), such as NET_ADMIN)");
  CHECK(why({}, {"CAP_FLY"}).starts_with("cannot drop capability 'CAP_FLY'"));
  CHECK(why({"SYS_RESOURCE"}, {}) == "cannot add capability 'SYS_RESOURCE': Tank itself does not "
                                     "have it on this host");
  // One of the defaults is silently not there: who did not ask for it does not miss it.
  CHECK(plan_capabilities({}, 0, bits({"CHOWN"})).value().bounding == bits({"CHOWN"}));
}

TEST_CASE("seccomp: RuntimeDefault unless said otherwise, the container before the pod") {
  config::pod pod;
  auto c = with({}, {});
  const auto profile = [](const char* type, std::optional<std::string> file = {}) {
    return config::seccomp_profile{type, std::move(file)};
  };
  CHECK(plan_seccomp(pod, config::container{}) == seccomp_choice{});
  CHECK(plan_seccomp(pod, c).kind == seccomp_kind::runtime_default);
  pod.spec.security_context.emplace().seccomp_profile = profile("Unconfined");
  CHECK(plan_seccomp(pod, c).kind == seccomp_kind::unconfined);
  c.security_context->seccomp_profile = profile("RuntimeDefault");
  CHECK(plan_seccomp(pod, c).kind == seccomp_kind::runtime_default);
  c.security_context->seccomp_profile = profile("Localhost", "team/web.json");
  CHECK(plan_seccomp(pod, c) == seccomp_choice{seccomp_kind::localhost, "team/web.json"});
  c.security_context->privileged = true;
  CHECK(plan_seccomp(pod, c).kind == seccomp_kind::unconfined);
}

TEST_CASE("kernel parameters: the safe ones, however they are spelt, and no other") {
  config::pod pod;
  CHECK(plan_sysctls(pod).value().empty());
  auto& all = pod.spec.security_context.emplace().sysctls;
  all = {{"net.ipv4.tcp_syncookies", "0"}, {"kernel/shm_rmid_forced", "1"}};
  CHECK(plan_sysctls(pod).value() ==
        std::vector<kernel::sysctl_step>{{"net/ipv4/tcp_syncookies", "0"},
                                         {"kernel/shm_rmid_forced", "1"}});
  for (const char* bad :
       {"kernel.msgmax", "net.ipv4.ip_forward", "vm.swappiness", "kernel.core_pattern",
        "../kernel/core_pattern", "net.ipv4.tcp_syncookies/../ip_forward", ""}) {
    all = {{bad, "1"}};
    CHECK_MESSAGE(plan_sysctls(pod).error().code == errc::denied, bad);
  }
}

TEST_CASE("limits do not depend on what Tank was started with, beyond what it may give") {
  kernel::host_facts host;
  const auto first_two = [&] {
    auto all = default_rlimits(host);
    REQUIRE(all.size() == 5);
    CHECK(all[2] == kernel::rlimit_spec{RLIMIT_SIGPENDING, 4096, 4096});
    CHECK(all[3] == kernel::rlimit_spec{RLIMIT_MSGQUEUE, 409'600, 409'600});
    CHECK(all[4] == kernel::rlimit_spec{RLIMIT_MEMLOCK, 4'194'304, 4'194'304});
    all.resize(2);
    return all;
  };
  CHECK(first_two() == std::vector<kernel::rlimit_spec>{{RLIMIT_NOFILE, 1024, 524288},
                                                        {RLIMIT_CORE, 0, RLIM_INFINITY}});
  host.max_open_files = 20000;
  host.max_core = 5;
  CHECK(first_two() ==
        std::vector<kernel::rlimit_spec>{{RLIMIT_NOFILE, 1024, 20000}, {RLIMIT_CORE, 0, 5}});
  host.max_open_files = 100;
  CHECK(default_rlimits(host)[0] == kernel::rlimit_spec{RLIMIT_NOFILE, 100, 100});
}

} // namespace plan_security_test

#include "kernel/seccomp.hpp"

#include "filter_machine.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>

#include <seccomp.h>
#include <sys/stat.h>

namespace seccomp_test {

using namespace tank;
using namespace tank::kernel;
using namespace tank::kernel::testing;

namespace {

constexpr std::uint32_t allow = SECCOMP_RET_ALLOW;

result<seccomp_filter> compile(std::string_view profile,
                               capability_mask caps = default_capabilities) {
  auto conditions = host_seccomp_conditions();
  conditions.capabilities = caps;
  const auto resolved = TANK_TRY(resolve_seccomp_profile(profile, "test", conditions));
  return compile_seccomp(resolved, "test");
}

seccomp_filter default_filter(capability_mask caps = default_capabilities) {
  auto made = compile(default_seccomp_profile(), caps);
  REQUIRE_MESSAGE(made.has_value(), made.error().message());
  return *std::move(made);
}

/// What a call by this name gets on the native architecture.
std::uint32_t verdict(const seccomp_filter& filter, const char* name,
                      std::initializer_list<std::uint64_t> args = {}) {
  const int number = ::seccomp_syscall_resolve_name(name);
  REQUIRE_MESSAGE(number >= 0, name);
  seccomp_data call{};
  call.nr = number;
  call.arch = ::seccomp_arch_native();
  std::copy(args.begin(), args.end(), call.args);
  return answer(filter, call);
}

capability_mask bits(std::initializer_list<const char*> names) {
  capability_mask out = 0;
  for (const char* name : names)
    out |= capability_bit(*capability_number(name));
  return out;
}

std::string profile_of(const std::string& rules, const std::string& more = {}) {
  return R"({"defaultAction": "SCMP_ACT_ERRNO", )" + more + R"("syscalls": [)" + rules + "]}";
}

} // namespace

TEST_CASE("RuntimeDefault lets programs do what programs do") {
  const auto filter = default_filter();
  for (const char* name :
       {"read",       "write",        "openat",      "openat2", "execve",
        "mmap",       "futex",        "epoll_pwait", "capset",  "chown",
        "setuid",     "mknodat",      "ioctl",       "prctl",   "seccomp",
        "rseq",       "close_range",  "statx",       "ptrace",  "process_vm_readv",
        "pidfd_open", "memfd_create", "exit_group"})
    CHECK_MESSAGE(verdict(filter, name) == allow, name);
}

TEST_CASE("RuntimeDefault refuses what reaches beyond a container") {
  const auto filter = default_filter();
  for (const char* name : {"mount",
                           "umount2",
                           "pivot_root",
                           "unshare",
                           "setns",
                           "reboot",
                           "kexec_load",
                           "init_module",
                           "finit_module",
                           "delete_module",
                           "bpf",
                           "perf_event_open",
                           "keyctl",
                           "add_key",
                           "request_key",
                           "open_by_handle_at",
                           "swapon",
                           "swapoff",
                           "acct",
                           "quotactl",
                           "settimeofday",
                           "clock_settime",
                           "ioperm",
                           "iopl",
                           "syslog",
                           "sethostname",
                           "fsopen",
                           "move_mount",
                           "open_tree",
                           "mount_setattr",
                           "userfaultfd",
                           "io_uring_setup",
                           "move_pages",
                           "mbind",
                           "lookup_dcookie",
                           "vhangup",
                           "kcmp",
                           "pidfd_getfd",
                           "fanotify_init"})
    CHECK_MESSAGE(verdict(filter, name) == refuse(EPERM), name);
  CHECK(verdict(filter, "clone3") == refuse(ENOSYS)); // so that libc falls back to clone
}

TEST_CASE("RuntimeDefault looks at arguments where the number does not say enough") {
  const auto filter = default_filter();
  CHECK(verdict(filter, "clone", {0x11}) == allow);
  CHECK(verdict(filter, "clone", {0x3d0f00}) == allow); // a thread
  for (const std::uint64_t flag : {0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000,
                                   0x20000000, 0x40000000}) // CLONE_NEW*
    CHECK_MESSAGE(verdict(filter, "clone", {flag | 0x11}) == refuse(EPERM), flag);
  for (const std::uint64_t ok : {0ul, 8ul, 0x20000ul, 0x20008ul, 0xfffffffful})
    CHECK_MESSAGE(verdict(filter, "personality", {ok}) == allow, ok);
  CHECK(verdict(filter, "personality", {0x0040000}) == refuse(EPERM)); // ADDR_NO_RANDOMIZE
  CHECK(verdict(filter, "socket", {2, 1, 0}) == allow);
  CHECK(verdict(filter, "socket", {1, 1, 0}) == allow);
  CHECK(verdict(filter, "socket", {16, 3, 0}) == allow);
  CHECK(verdict(filter, "socket", {40, 1, 0}) == refuse(EPERM)); // AF_VSOCK
}

TEST_CASE("a capability opens the calls that are its own") {
  struct row {
    std::initializer_list<const char*> caps;
    std::initializer_list<const char*> calls;
  };
  const row table[] = {
      {{"SYS_ADMIN"},
       {"mount", "umount2", "unshare", "setns", "clone3", "sethostname", "bpf", "fsopen",
        "perf_event_open", "syslog", "quotactl"}},
      {{"SYS_BOOT"}, {"reboot"}},
      {{"SYS_MODULE"}, {"init_module", "finit_module", "delete_module"}},
      {{"SYS_PTRACE"}, {"kcmp", "process_madvise", "pidfd_getfd"}},
      {{"SYS_RAWIO"}, {"iopl", "ioperm"}},
      {{"SYS_TIME"}, {"settimeofday", "clock_settime"}},
      {{"SYS_NICE"}, {"mbind", "set_mempolicy"}},
      {{"SYS_PACCT"}, {"acct"}},
      {{"SYS_TTY_CONFIG"}, {"vhangup"}},
      {{"SYSLOG"}, {"syslog"}},
      {{"DAC_READ_SEARCH"}, {"open_by_handle_at"}},
      {{"SYS_CHROOT"}, {"chroot"}},
      {{"BPF"}, {"bpf"}},
      {{"PERFMON"}, {"perf_event_open"}},
  };
  const auto none = default_filter(0);
  for (const auto& [caps, calls] : table) {
    const auto with = default_filter(bits(caps));
    for (const char* call : calls) {
      CHECK_MESSAGE(verdict(with, call) == allow, call);
      CHECK_MESSAGE(verdict(none, call) != allow, call);
    }
  }
  CHECK(verdict(default_filter(bits({"SYS_ADMIN"})), "clone", {0x10000000}) == allow);
}

TEST_CASE("other architectures of the machine get the same, and unknown ones nothing") {
  const auto filter = default_filter();
  seccomp_data call{};
  call.nr = 1;
  call.arch = 0x12345678;
  CHECK(answer(filter, call) == SECCOMP_RET_KILL_THREAD);
#if defined(__x86_64__)
  call.arch = AUDIT_ARCH_I386;
  call.nr = 21; // mount there
  CHECK(answer(filter, call) == refuse(EPERM));
  call.nr = 4; // write
  CHECK(answer(filter, call) == allow);
  // x32: the same numbers with one more bit.
  call.arch = AUDIT_ARCH_X86_64;
  call.nr = 0x40000000 | 1;
  CHECK(answer(filter, call) == allow);
  call.nr = 0x40000000 | 165; // mount
  CHECK(answer(filter, call) == refuse(EPERM));
  // A profile that speaks of x86_64 only does not leave x32 open.
  const auto narrow = compile(profile_of(R"({"names": ["write"], "action": "SCMP_ACT_ALLOW"})",
                                         R"("architectures": ["SCMP_ARCH_X86_64"],)"));
  REQUIRE(narrow);
  call.nr = 1;
  CHECK(answer(*narrow, call) == allow);
  call.nr = 0x40000000 | 1;
  CHECK(answer(*narrow, call) != allow);
  call.arch = AUDIT_ARCH_I386;
  call.nr = 4;
  CHECK(answer(*narrow, call) != allow);
#endif
}

TEST_CASE("calls newer than a profile answer ENOSYS, so that libc tries an older one") {
  const auto filter = default_filter();
  seccomp_data call{};
  call.nr = 600;
  call.arch = ::seccomp_arch_native();
  CHECK(answer(filter, call) == refuse(ENOSYS));
  // Not where the profile's default is no errno.
  const auto open = compile(R"({"defaultAction": "SCMP_ACT_ALLOW"})");
  REQUIRE(open);
  CHECK(answer(*open, call) == allow);
}

TEST_CASE("a profile: conditions, argument alternatives, actions") {
  const auto made = compile(profile_of(R"(
    {"names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
    {"name": "write", "action": "SCMP_ACT_LOG"},
    {"names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7},
    {"names": ["dup2"], "action": "SCMP_ACT_ERRNO", "errno": "EINVAL", "errnoRet": 7},
    {"names": ["dup3"], "action": "SCMP_ACT_KILL_PROCESS"},
    {"names": ["pipe"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["pdp11"]}},
    {"names": ["pipe2"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["pdp11"]}},
    {"names": ["sync"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "99.0"}},
    {"names": ["syncfs"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "3.1"}},
    {"names": ["chdir"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_CHOWN", "CAP_BPF"]}},
    {"names": ["fchdir"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_BPF"]}},
    {"names": ["kill"], "action": "SCMP_ACT_ALLOW", "args": [
      {"index": 1, "value": 15, "op": "SCMP_CMP_EQ"},
      {"index": 1, "value": 9, "op": "SCMP_CMP_EQ"}]},
    {"names": ["lseek"], "action": "SCMP_ACT_ALLOW", "args": [
      {"index": 0, "value": 3, "op": "SCMP_CMP_GE"},
      {"index": 2, "value": 1, "op": "SCMP_CMP_LT"}]})"));
  REQUIRE_MESSAGE(made.has_value(), made.error().message());
  const auto& f = *made;
  CHECK(verdict(f, "read") == allow);
  CHECK(verdict(f, "write") == SECCOMP_RET_LOG);
  CHECK(verdict(f, "dup") == refuse(7));
  CHECK(verdict(f, "dup2") == refuse(EINVAL));
  CHECK(verdict(f, "dup3") == SECCOMP_RET_KILL_PROCESS);
  CHECK(verdict(f, "pipe2") == allow);
  CHECK(verdict(f, "syncfs") == allow);
  CHECK(verdict(f, "fchdir") == allow);
  CHECK(verdict(f, "chdir") == refuse(EPERM));
  CHECK(verdict(f, "sync") == refuse(EPERM));
  CHECK(verdict(f, "kill", {1, 15}) == allow);
  CHECK(verdict(f, "kill", {1, 9}) == allow);
  CHECK(verdict(f, "kill", {1, 10}) == refuse(EPERM));
  CHECK(verdict(f, "lseek", {3, 0, 0}) == allow);
  CHECK(verdict(f, "lseek", {2, 0, 0}) == refuse(EPERM));
  CHECK(verdict(f, "lseek", {3, 0, 1}) == refuse(EPERM));
}

TEST_CASE("a profile that is none is refused with its name and the reason") {
  const auto why = [](const std::string& text) {
    const auto made = compile(text);
    REQUIRE(!made);
    return made.error().message();
  };
  const std::string say = "cannot use the seccomp profile 'test': ";
  CHECK(why("") == say + "it is no JSON");
  CHECK(why("[]") == say + "it is no JSON object");
  CHECK(why(profile_of(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW",
                           "includes": {"minKernel": "4.99999999999"}})")) ==
        say + "minKernel '4.99999999999' is no version such as 4.8");
  CHECK(why("{}") == say + "defaultAction is missing");
  CHECK(why(R"({"defaultAction": "SCMP_ACT_NOTIFY"})") ==
        say + "defaultAction 'SCMP_ACT_NOTIFY' is not supported");
  CHECK(why(profile_of("7")) == say + "syscalls[0] is no object");
  CHECK(why(profile_of(R"({"action": "SCMP_ACT_ALLOW"})")) ==
        say + "syscalls[0] names no system call");
  CHECK(why(profile_of(R"({"names": ["read"], "action": "allow"})")) ==
        say + "action 'allow' is not supported");
  CHECK(why(profile_of(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW",
                           "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]})")) ==
        say + "a system call has no argument 6");
  CHECK(why(profile_of(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW",
                           "args": [{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}]})")) ==
        say + "value is no number from 0 to 2^64-1");
  CHECK(why(profile_of(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW",
                           "includes": {"caps": ["CAP_X"]}})")) ==
        say + "unknown capability 'CAP_X'");
  CHECK(why(profile_of("", R"("architectures": ["SCMP_ARCH_Z80"],)")) ==
        "cannot compile the seccomp profile 'test': unknown architecture 'Z80'");
  CHECK(why(std::string(max_seccomp_profile + 1, ' ')) == say + "it is larger than 1 MiB");
  CHECK(why(std::string(100000, '[')) == say + "it is no JSON");
}

TEST_CASE("a filter is compiled once for a profile and a set of capabilities") {
  seccomp_cache cache{host_seccomp_conditions()};
  const auto first = cache.get(default_seccomp_profile(), "RuntimeDefault", default_capabilities);
  const auto again = cache.get(default_seccomp_profile(), "RuntimeDefault", default_capabilities);
  const auto other = cache.get(default_seccomp_profile(), "RuntimeDefault", all_capabilities);
  REQUIRE(first);
  REQUIRE(other);
  CHECK(first == again);
  CHECK(first != other);
  CHECK(first->program.size() <= BPF_MAXINSNS * sizeof(sock_filter));
  MESSAGE("the default filter has " << first->program.size() / sizeof(sock_filter)
                                    << " instructions");
  CHECK(!cache.get("{", "broken", 0));
}

TEST_CASE("a Localhost profile is a file below its directory and nothing else") {
  std::string name = (std::filesystem::temp_directory_path() / "tank-seccomp-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const std::filesystem::path root{name};
  const auto dir = root / "profiles";
  std::filesystem::create_directories(dir / "team");
  std::ofstream{root / "outside.json"} << "{}";
  std::ofstream{dir / "team/web.json"} << "{\"a\": 1}";
  std::filesystem::create_symlink("team/web.json", dir / "link.json");
  std::filesystem::create_symlink("../outside.json", dir / "escape.json");
  REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
  CHECK(read_localhost_profile(dir, "team/web.json") == "{\"a\": 1}");
  CHECK(read_localhost_profile(dir, "link.json") == "{\"a\": 1}");
  for (const char* bad : {"escape.json", "../outside.json", "/etc/passwd", "team", "fifo",
                          "missing", "", "team/../../outside.json"})
    CHECK_MESSAGE(!read_localhost_profile(dir, bad), bad);
  CHECK(read_localhost_profile(dir, "missing").error().message() ==
        "cannot open the seccomp profile 'missing': No such file or directory (Localhost profiles "
        "are files below " +
            dir.string() + ")");
  std::filesystem::remove_all(root);
}

} // namespace seccomp_test

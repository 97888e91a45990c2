#include "kernel/seccomp.hpp"

#include "base/file.hpp"
#include "base/unique_fd.hpp"
#include "kernel/probe.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <set>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace tank::kernel {
namespace {

struct release_context {
  void operator()(void* context) const noexcept { ::seccomp_release(context); }
};
using context = std::unique_ptr<void, release_context>;

constexpr std::pair<std::string_view, std::uint32_t> architecture_table[] = {
    {"X86", SCMP_ARCH_X86},
    {"X86_64", SCMP_ARCH_X86_64},
    {"X32", SCMP_ARCH_X32},
    {"ARM", SCMP_ARCH_ARM},
    {"AARCH64", SCMP_ARCH_AARCH64},
    {"MIPS", SCMP_ARCH_MIPS},
    {"MIPS64", SCMP_ARCH_MIPS64},
    {"MIPS64N32", SCMP_ARCH_MIPS64N32},
    {"MIPSEL", SCMP_ARCH_MIPSEL},
    {"MIPSEL64", SCMP_ARCH_MIPSEL64},
    {"MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    {"PPC", SCMP_ARCH_PPC},
    {"PPC64", SCMP_ARCH_PPC64},
    {"PPC64LE", SCMP_ARCH_PPC64LE},
    {"S390", SCMP_ARCH_S390},
    {"S390X", SCMP_ARCH_S390X},
    {"RISCV64", SCMP_ARCH_RISCV64}};

std::uint32_t action_word(const seccomp_action& a) {
  if (a.name == "ALLOW") return SCMP_ACT_ALLOW;
  if (a.name == "ERRNO") return SCMP_ACT_ERRNO(a.number);
  if (a.name == "TRACE") return SCMP_ACT_TRACE(a.number);
  if (a.name == "TRAP") return SCMP_ACT_TRAP;
  if (a.name == "LOG") return SCMP_ACT_LOG;
  if (a.name == "KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
  return SCMP_ACT_KILL_THREAD; // KILL is its older name
}

scmp_compare compare_word(const std::string& op) {
  if (op == "NE") return SCMP_CMP_NE;
  if (op == "LT") return SCMP_CMP_LT;
  if (op == "LE") return SCMP_CMP_LE;
  if (op == "EQ") return SCMP_CMP_EQ;
  if (op == "GE") return SCMP_CMP_GE;
  if (op == "GT") return SCMP_CMP_GT;
  return SCMP_CMP_MASKED_EQ;
}

class compiler {
 public:
  compiler(const resolved_profile& profile, const std::string& name)
      : profile_(profile)
      , name_(name)
      , otherwise_(action_word(profile.otherwise))
      , made_(::seccomp_init(otherwise_)) {}

  result<seccomp_filter> run() {
    if (!made_) return fail(errc::io, "compile the seccomp profile", name_, "out of memory");
    TANK_TRY(add_architectures());
    // A tree over the numbers, not a list: fewer steps a call, and for the kernel at install.
    ::seccomp_attr_set(made_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (const auto& rule : profile_.rules)
      TANK_TRY(add_rule(rule));
    auto program = TANK_TRY(export_program());
    program.insert(0, newer_calls());
    if (program.size() > BPF_MAXINSNS * sizeof(sock_filter))
      return fail(errc::limit, "compile the seccomp profile", name_,
                  "it has more than 4096 instructions");
    return seccomp_filter{std::move(program), profile_.flags};
  }

 private:
  [[nodiscard]] failure failed(int rc, const std::string& what) const {
    return fail(errc::invalid, "compile the seccomp profile", name_, what + ": " + errno_text(-rc));
  }

  result<void> add_architectures() {
    bool native = profile_.architectures.empty();
    for (const auto& name : profile_.architectures) {
      const auto* known = std::find_if(std::begin(architecture_table), std::end(architecture_table),
                                       [&](const auto& row) { return row.first == name; });
      if (known == std::end(architecture_table))
        return fail(errc::invalid, "compile the seccomp profile", name_,
                    "unknown architecture '" + name + "'");
      native = native || known->second == ::seccomp_arch_native();
      const int rc = ::seccomp_arch_add(made_.get(), known->second);
      if (rc != 0 && rc != -EEXIST) return failed(rc, "architecture " + name);
    }
    if (!native) ::seccomp_arch_remove(made_.get(), ::seccomp_arch_native());
    return {};
  }

  result<void> add_rule(const seccomp_rule& rule) {
    const auto action = action_word(rule.action);
    std::vector<scmp_arg_cmp> all;
    std::set<unsigned> indices;
    for (const auto& a : rule.arguments) {
      all.push_back({a.index, compare_word(a.op), a.value, a.value_two});
      indices.insert(a.index);
    }
    // One argument twice: any of the comparisons counts, not all. Runtimes agree on that.
    const bool any = indices.size() < all.size();
    for (const auto& name : rule.names) {
      const int number = ::seccomp_syscall_resolve_name(name.c_str());
      if (number == __NR_SCMP_ERROR) continue;
      known_.push_back(name);
      if (action == otherwise_) continue; // libseccomp refuses what says nothing
      if (!any) {
        TANK_TRY(add(action, number, all.data(), all.size(), name));
        continue;
      }
      for (const auto& one : all)
        TANK_TRY(add(action, number, &one, 1, name));
    }
    return {};
  }

  result<void> add(std::uint32_t action, int number, const scmp_arg_cmp* args, std::size_t count,
                   const std::string& name) const {
    const int rc =
        ::seccomp_rule_add_array(made_.get(), action, number, static_cast<unsigned>(count), args);
    if (rc != 0 && rc != -EEXIST) return failed(rc, "rule for " + name);
    return {};
  }

  [[nodiscard]] result<std::string> export_program() const {
    const unique_fd file{::memfd_create("tank-seccomp", MFD_CLOEXEC)};
    if (!file) return fail_errno(errno, "create a memfd for", name_);
    if (const int rc = ::seccomp_export_bpf(made_.get(), file.get()); rc != 0)
      return failed(rc, "export");
    struct stat st {};
    if (::fstat(file.get(), &st) != 0) return fail_errno(errno, "read the filter of", name_);
    std::string program(static_cast<std::size_t>(st.st_size), '\0');
    if (::pread(file.get(), program.data(), program.size(), 0) != st.st_size)
      return fail_errno(EIO, "read the filter of", name_);
    return program;
  }

  /// The highest number that the profile's names have on an architecture; -1 when none.
  [[nodiscard]] int last_call(std::uint32_t architecture) const {
    int last = -1;
    for (const auto& name : known_)
      last = std::max(last, ::seccomp_syscall_resolve_name_arch(architecture, name.c_str()));
    return last;
  }

  /// What goes before: for 64-bit calls (not x32) and 32-bit ones beyond the last, ENOSYS.
  [[nodiscard]] std::string newer_calls() const {
    if (profile_.otherwise.name != "ERRNO" || profile_.otherwise.number == ENOSYS) return {};
    struct guard {
      std::uint32_t audit;
      std::uint32_t architecture;
    };
#if defined(__x86_64__)
    constexpr guard guards[] = {{AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64},
                                {AUDIT_ARCH_I386, SCMP_ARCH_X86}};
#elif defined(__aarch64__)
    constexpr guard guards[] = {{AUDIT_ARCH_AARCH64, SCMP_ARCH_AARCH64},
                                {AUDIT_ARCH_ARM, SCMP_ARCH_ARM}};
#else
    constexpr std::array<guard, 0> guards{};
#endif
    std::string out;
    const auto put = [&](std::uint16_t code, std::uint8_t yes, std::uint8_t no, std::uint32_t k) {
      const sock_filter one{code, yes, no, k};
      out.append(reinterpret_cast<const char*>(&one), sizeof one);
    };
    constexpr std::uint32_t x32_bit = 0x40000000;
    for (const auto& [audit, architecture] : guards) {
      const int last = last_call(architecture);
      if (last < 0 || ::seccomp_arch_exist(made_.get(), architecture) != 0) continue;
      put(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, arch));
      put(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, audit);
      put(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr));
      put(BPF_JMP | BPF_JGE | BPF_K, 2, 0, x32_bit);
      put(BPF_JMP | BPF_JGT | BPF_K, 0, 1, static_cast<std::uint32_t>(last));
      put(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
    }
    return out;
  }

  const resolved_profile& profile_;
  const std::string& name_;
  const std::uint32_t otherwise_;
  context made_;
  std::vector<std::string> known_; ///< names that libseccomp knows too
};

} // namespace

result<seccomp_filter> compile_seccomp(const resolved_profile& profile, const std::string& name) {
  return compiler{profile, name}.run();
}

result<seccomp_filter> seccomp_cache::get(std::string_view profile, const std::string& name,
                                          capability_mask capabilities) {
  const std::lock_guard lock{mutex_};
  const auto key = std::pair{capabilities, std::string{profile}};
  if (const auto it = made_.find(key); it != made_.end()) return it->second;
  auto conditions = host_;
  conditions.capabilities = capabilities;
  const auto resolved = TANK_TRY(resolve_seccomp_profile(profile, name, conditions));
  auto filter = TANK_TRY(compile_seccomp(resolved, name));
  if (made_.size() >= max_entries) made_.clear();
  return made_.emplace(key, std::move(filter)).first->second;
}

result<std::string> read_localhost_profile(const std::filesystem::path& directory,
                                           const std::string& name) {
  const auto verb = "open the seccomp profile";
  const auto hint = "Localhost profiles are files below " + directory.string();
  const unique_fd dir{::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!dir) return fail_errno(errno, verb, name, hint);
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const unique_fd file{
      static_cast<int>(::syscall(SYS_openat2, dir.get(), name.c_str(), &how, sizeof how))};
  if (!file) return fail_errno(errno, verb, name, hint);
  struct stat st {};
  if (::fstat(file.get(), &st) != 0) return fail_errno(errno, verb, name);
  if (!S_ISREG(st.st_mode)) return fail(errc::invalid, verb, name, "it is no file");
  return read_all(file.get(), max_seccomp_profile, name);
}

seccomp_conditions host_seccomp_conditions() {
  utsname name{};
  seccomp_conditions out;
  if (::uname(&name) != 0) return out;
  out.architecture = go_architecture(name.machine);
  const char* const end = name.release + std::strlen(name.release);
  const auto major = std::from_chars(name.release, end, out.kernel_major);
  if (major.ptr != end) std::from_chars(major.ptr + 1, end, out.kernel_minor);
  return out;
}

} // namespace tank::kernel

#include "kernel/wire_encode.hpp"

#include "kernel/wire.hpp"

#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>

namespace tank::kernel::wire {

namespace {

/// Mirror of `reader`.
class writer {
 public:
  void u32(std::uint32_t v) { raw(&v, sizeof v); }
  void u64(std::uint64_t v) { raw(&v, sizeof v); }
  void flag(bool v) { u32(v ? 1 : 0); }
  void str(const std::string& s) {
    if (s.find('\0') != std::string::npos && nul_.empty()) nul_ = s.c_str();
    u32(static_cast<std::uint32_t>(s.size()));
    out_.append(s).push_back('\0');
  }
  void str(const std::filesystem::path& p) { str(p.native()); }
  template <class T>
  void list(const std::vector<T>& items) {
    u32(static_cast<std::uint32_t>(items.size()));
    align(alignof(std::uint64_t));
    out_.append((items.size() + 1) * sizeof(std::uint64_t), '\0');
    for (const auto& item : items)
      str(item);
  }
  void ids(const std::vector<std::uint32_t>& items) {
    u32(static_cast<std::uint32_t>(items.size()));
    align(alignof(std::uint32_t));
    for (auto item : items)
      u32(item);
  }
  void rlimits(const std::vector<rlimit_spec>& items) {
    u32(static_cast<std::uint32_t>(items.size()));
    align(alignof(rlimit_view));
    for (const auto& item : items) {
      u64(static_cast<std::uint32_t>(item.resource));
      u64(item.soft);
      u64(item.hard);
    }
  }

  void bytes(const std::string& raw_bytes) {
    u32(static_cast<std::uint32_t>(raw_bytes.size()));
    align(alignof(std::uint64_t));
    out_.append(raw_bytes);
  }

  [[nodiscard]] const std::string& string_with_nul() const { return nul_; }
  /// The finished buffer, its size in the header.
  std::string take() {
    const auto size = static_cast<std::uint32_t>(out_.size());
    std::memcpy(out_.data() + 8, &size, sizeof size);
    return std::move(out_);
  }

 private:
  void raw(const void* p, std::size_t n) { out_.append(static_cast<const char*>(p), n); }
  void align(std::size_t n) { out_.resize((out_.size() + n - 1) & ~(n - 1)); }

  std::string out_;
  std::string nul_; // the first string that holds one, up to it
};

struct step_writer {
  writer& w;
  void operator()(const overlay_step& s) const {
    w.list(s.lower);
    w.str(s.upper);
    w.str(s.work);
    w.flag(s.mapped);
  }
  void operator()(const filesystem_step& s) const {
    w.str(s.type);
    w.str(s.target);
    w.u32(s.flags);
    w.str(s.data);
  }
  void operator()(const bind_step& s) const {
    w.str(s.source);
    w.str(s.target);
    w.flag(s.read_only);
    w.flag(s.recursive);
    w.u32(s.flags);
    w.flag(s.mapped);
  }
  void operator()(const device_step& s) const {
    w.str(s.target);
    w.u32(s.major);
    w.u32(s.minor);
    w.u32(s.mode);
    w.flag(s.block);
    w.u32(s.uid);
    w.u32(s.gid);
  }
  void operator()(const symlink_step& s) const {
    w.str(s.target);
    w.str(s.link);
  }
  void operator()(const directory_step& s) const {
    w.str(s.target);
    w.u32(s.mode);
    w.u32(s.uid);
    w.u32(s.gid);
  }
  void operator()(const mask_step& s) const { w.str(s.target); }
  void operator()(const read_only_step& s) const { w.str(s.target); }
  void operator()(const pivot_step& s) const { w.flag(s.read_only_root); }
  void operator()(const fault_step& s) const { w.u32(static_cast<std::uint32_t>(s.sys)); }
  void operator()(const sysctl_step& s) const {
    w.str(s.path);
    w.str(s.value);
  }
};
static_assert(std::variant_size_v<step> == step_kinds);
static_assert(std::is_same_v<std::variant_alternative_t<9, step>, fault_step>);

std::vector<std::string> strings(const text_list& list) {
  return {list.items, list.items + list.count};
}

step to_step(const step_view& s) {
  switch (s.kind) {
  case step_kind::overlay: {
    overlay_step o{.lower = {},
                   .upper = s.overlay.upper.view(),
                   .work = s.overlay.work.view(),
                   .mapped = s.overlay.mapped};
    for (auto& dir : strings(s.overlay.lower))
      o.lower.emplace_back(std::move(dir));
    return o;
  }
  case step_kind::filesystem:
    return filesystem_step{s.filesystem.type.c_str(), s.filesystem.target.c_str(),
                           s.filesystem.flags, s.filesystem.data.c_str()};
  case step_kind::bind:
    return bind_step{s.bind.source.c_str(), s.bind.target.c_str(), s.bind.read_only,
                     s.bind.recursive,      s.bind.flags,          s.bind.mapped};
  case step_kind::device:
    return device_step{s.device.target.c_str(), s.device.major, s.device.minor, s.device.mode,
                       s.device.block,          s.device.uid,   s.device.gid};
  case step_kind::symlink:
    return symlink_step{s.symlink.target.c_str(), s.symlink.link.c_str()};
  case step_kind::directory:
    return directory_step{s.directory.target.c_str(), s.directory.mode, s.directory.uid,
                          s.directory.gid};
  case step_kind::mask:
    return mask_step{s.mask.target.c_str()};
  case step_kind::read_only:
    return read_only_step{s.read_only.target.c_str()};
  case step_kind::pivot:
    return pivot_step{s.pivot.read_only_root};
  case step_kind::sysctl:
    return sysctl_step{s.sysctl.path.c_str(), s.sysctl.value.c_str()};
  case step_kind::fault:
    break;
  }
  return fault_step{s.fault.sys};
}

} // namespace

result<std::string> encode_plan(const launch_plan& plan) {
  if (plan.container.empty())
    return fail(errc::invalid, "encode the launch plan", "", "the container has no name");
  if (plan.process.argv.empty())
    return fail(errc::invalid, "encode the launch plan of", plan.container,
                "there is no program to run");
  if (plan.steps.size() > max_steps)
    return fail(errc::limit, "encode the launch plan of", plan.container,
                "it has more than 4096 steps");
  if (plan.process.seccomp.program.size() > max_filter * sizeof(std::uint64_t))
    return fail(errc::limit, "encode the launch plan of", plan.container,
                "its seccomp filter has more than 4096 instructions");
  writer w;
  w.u32(plan_magic);
  w.u32(plan_version);
  w.u32(0);
  w.u32(0);
  w.str(plan.container);
  w.flag(plan.new_pid_ns);
  w.flag(plan.new_cgroup_ns);
  w.list(plan.cgroups);
  w.u32(static_cast<std::uint32_t>(plan.steps.size()));
  for (const auto& s : plan.steps) {
    w.u32(static_cast<std::uint32_t>(s.index()));
    std::visit(step_writer{w}, s);
  }
  const auto& p = plan.process;
  w.list(p.argv);
  w.list(p.env);
  w.str(p.cwd);
  w.flag(p.create_cwd);
  w.u32(p.uid);
  w.u32(p.gid);
  w.ids(p.groups);
  w.u32(p.umask);
  w.flag(p.no_new_privs);
  w.rlimits(p.rlimits);
  for (const auto set :
       {p.capabilities.bounding, p.capabilities.permitted, p.capabilities.effective,
        p.capabilities.inheritable, p.capabilities.ambient})
    w.u64(set);
  w.bytes(p.seccomp.program);
  w.u32(p.seccomp.flags);
  w.flag(p.oom_score_adj.has_value());
  w.u32(static_cast<std::uint32_t>(p.oom_score_adj.value_or(0)));
  w.str(plan.log.path);
  w.u64(plan.log.max_bytes);
  w.u32(plan.log.max_files);
  if (!w.string_with_nul().empty())
    return fail(errc::invalid, "encode the launch plan of", plan.container,
                "a string holds a NUL after '" + w.string_with_nul() + "'");
  auto buffer = w.take();
  if (buffer.size() > max_plan_bytes)
    return fail(errc::limit, "encode the launch plan of", plan.container,
                "it is larger than 8 MiB");
  return buffer;
}

result<launch_plan> decode_plan(std::string_view buffer) {
  // parse_plan fills pointer tables in: it gets an aligned copy.
  std::vector<std::uint64_t> copy((buffer.size() + 7) / 8 + 1);
  std::memcpy(copy.data(), buffer.data(), buffer.size());
  plan_view view;
  if (const char* why = parse_plan(reinterpret_cast<char*>(copy.data()), buffer.size(), &view))
    return fail(errc::corrupt, "decode the launch plan", "", why);
  launch_plan plan;
  plan.container = view.container.view();
  plan.new_pid_ns = view.new_pid_ns;
  plan.new_cgroup_ns = view.new_cgroup_ns;
  for (auto& dir : strings(view.cgroups))
    plan.cgroups.emplace_back(std::move(dir));
  auto steps = view.steps();
  for (step_view s; steps.next(&s);)
    plan.steps.push_back(to_step(s));
  const auto& p = view.process;
  plan.process = {.argv = strings(p.argv),
                  .env = strings(p.env),
                  .cwd = p.cwd.c_str(),
                  .create_cwd = p.create_cwd,
                  .uid = p.uid,
                  .gid = p.gid,
                  .groups = {p.groups.items, p.groups.items + p.groups.count},
                  .umask = p.umask,
                  .no_new_privs = p.no_new_privs,
                  .rlimits = {},
                  .capabilities = {p.capabilities.bounding, p.capabilities.permitted,
                                   p.capabilities.effective, p.capabilities.inheritable,
                                   p.capabilities.ambient},
                  .seccomp = {{p.filter.data, p.filter.size}, p.filter_flags},
                  .oom_score_adj = {}};
  if (p.set_oom_score) plan.process.oom_score_adj = p.oom_score_adj;
  for (std::uint32_t i = 0; i < p.rlimit_count; ++i)
    plan.process.rlimits.push_back(
        {static_cast<std::int32_t>(p.rlimits[i].resource), p.rlimits[i].soft, p.rlimits[i].hard});
  plan.log = {view.log.path.c_str(), view.log.max_bytes, view.log.max_files};
  return plan;
}

result<unique_fd> make_sealed_memfd(const char* name, std::string_view bytes) {
  unique_fd fd{::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!fd) return fail_errno(errno, "create a memfd for", name);
  while (!bytes.empty()) {
    const auto n = ::write(fd.get(), bytes.data(), bytes.size());
    if (n < 0) return fail_errno(errno, "write the memfd of", name);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return fail_errno(errno, "seal the memfd of", name);
  return fd;
}

} // namespace tank::kernel::wire
